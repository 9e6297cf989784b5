//! The API server in memory, as far as the reconciler leans on it: versions, conflicts, forced applies, generations, and
//! a history that a cache can be behind in. It passes the same contract as the real one.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Map, Value, json};

/// The object, or the HTTP status of the refusal.
pub(crate) type Answered = Result<Value, u16>;

/// Objects of one kind in one namespace, by name.
#[derive(Clone, Default)]
pub(crate) struct Server {
    /// The last version given to anything.
    version: u64,
    /// Every version of what exists, the newest last.
    objects: BTreeMap<String, Vec<Rc<Value>>>,
}

impl Server {
    /// Stores an object that has a name and a spec.
    pub(super) fn create(&mut self, mut object: Value) -> Answered {
        let name = text(&object, "name").to_owned();
        if self.objects.contains_key(&name) {
            return Err(409);
        }
        object["metadata"]["generation"] = json!(1);
        if !object["metadata"]["uid"].is_string() {
            object["metadata"]["uid"] = json!(format!("uid-{}", self.version + 1));
        }
        Ok(self.store(&name, object))
    }

    /// The newest version.
    pub(super) fn get(&self, name: &str) -> Result<&Value, u16> {
        self.cached(name, 0)
    }

    /// What a cache that is `behind` by some versions holds; the first version if there are not so many.
    pub(super) fn cached(&self, name: &str, behind: usize) -> Result<&Value, u16> {
        let versions = self.objects.get(name).ok_or(404_u16)?;
        versions.get(versions.len().saturating_sub(behind + 1)).map(|object| &**object).ok_or(404)
    }

    /// A forced apply of the whole status by its one writer.
    pub(super) fn apply_status(&mut self, name: &str, version: Option<&str>, status: Value) -> Answered {
        let stored = self.get(name)?;
        if version.is_some_and(|version| version != text(stored, "resourceVersion")) {
            return Err(409);
        }
        let mut next = stored.clone();
        if next["status"] == status {
            return Ok(next);
        }
        next["status"] = status;
        Ok(self.store(name, next))
    }

    /// A merge patch of anything but the status.
    pub(super) fn merge(&mut self, name: &str, change: &Value) -> Answered {
        let stored = self.get(name)?;
        let mut next = stored.clone();
        merge(&mut next, change);
        if next == *stored {
            return Ok(next);
        }
        if next["spec"] != stored["spec"] {
            next["metadata"]["generation"] = json!(stored["metadata"]["generation"].as_i64().unwrap_or(0) + 1);
        }
        let stored = self.store(name, next);
        if stored["metadata"]["deletionTimestamp"].is_string() && !is_kept(&stored) {
            self.remove(name);
        }
        Ok(stored)
    }

    /// Takes the object away, or only marks it while a finalizer keeps it. A name that comes again is another object.
    pub(super) fn delete(&mut self, name: &str) -> Answered {
        let mut object = self.get(name)?.clone();
        if is_kept(&object) {
            object["metadata"]["deletionTimestamp"] = json!("2026-11-21T12:00:00Z");
            object["metadata"]["generation"] = json!(object["metadata"]["generation"].as_i64().unwrap_or(0) + 1);
            return Ok(self.store(name, object));
        }
        self.remove(name);
        Ok(object)
    }

    fn remove(&mut self, name: &str) {
        self.version += 1;
        self.objects.remove(name);
    }

    /// The states that a watch from this version tells.
    pub(super) fn since(&self, name: &str, version: &str) -> Result<Vec<Value>, u16> {
        let versions = self.objects.get(name).ok_or(404_u16)?;
        let newer = versions.iter().skip_while(|object| text(object, "resourceVersion") != version).skip(1);
        Ok(newer.map(|object| (**object).clone()).collect())
    }

    fn store(&mut self, name: &str, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.objects.entry(name.to_owned()).or_default().push(Rc::new(object.clone()));
        object
    }
}

fn is_kept(object: &Value) -> bool {
    object["metadata"]["finalizers"].as_array().is_some_and(|finalizers| !finalizers.is_empty())
}

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object["metadata"][field].as_str().unwrap_or_default()
}

/// RFC 7386.
fn merge(target: &mut Value, change: &Value) {
    let Value::Object(fields) = change else {
        *target = change.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    for (name, value) in fields {
        if value.is_null() {
            target.as_object_mut().map(|object| object.remove(name));
        } else {
            merge(&mut target[name], value);
        }
    }
}

mod tests {
    use std::cell::RefCell;

    use futures::FutureExt;

    use super::*;
    use crate::contract::kubernetes::{self as contract, ApiServer};

    struct Fake(RefCell<Server>);

    impl ApiServer for Fake {
        async fn create(&self, name: &str) -> Answered {
            self.0.borrow_mut().create(json!({"metadata": {"name": name}, "spec": {}}))
        }

        async fn get(&self, name: &str) -> Answered {
            self.0.borrow().get(name).cloned()
        }

        async fn apply_status(&self, name: &str, version: Option<&str>, status: &Value) -> Answered {
            self.0.borrow_mut().apply_status(name, version, status.clone())
        }

        async fn merge(&self, name: &str, change: &Value) -> Answered {
            self.0.borrow_mut().merge(name, change)
        }

        async fn delete(&self, name: &str) -> Answered {
            self.0.borrow_mut().delete(name)
        }

        async fn watch(&self, name: &str, since: &str, count: usize) -> Result<Vec<Value>, u16> {
            let mut told = self.0.borrow().since(name, since)?;
            told.truncate(count);
            Ok(told)
        }
    }

    #[test]
    fn it_keeps_the_contract_of_the_real_one() {
        for case in contract::CASES {
            let server = Fake(RefCell::default());
            let checked = contract::check(case, "it", &server).now_or_never();
            assert_eq!(checked, Some(Ok(())), "{case}");
        }
    }
}
