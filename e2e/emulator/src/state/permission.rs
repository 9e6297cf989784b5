//! Permissions: who may do what with a job or a folder. They are kept and shown as the service does; nobody is kept out.

use crate::state::{Refusal, disk, lock};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{collections::BTreeMap, io, path::PathBuf, sync::Mutex};

const MAX_OBJECTS: usize = 10_000;
const MAX_ENTRIES: usize = 100;
const OWNER: &str = "IS_OWNER";

/// What has permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Job,
    Directory,
}

impl Kind {
    /// By the word that requests use.
    pub(crate) fn of(word: &str) -> Result<Self, Refusal> {
        match word {
            "jobs" => Ok(Self::Job),
            "directories" => Ok(Self::Directory),
            _ => Err(Refusal::Unsupported("Permissions of anything but jobs and directories")),
        }
    }

    /// The word of requests, and that of answers.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Job => ("jobs", "job"),
            Self::Directory => ("directories", "directory"),
        }
    }

    fn levels(self) -> &'static [&'static str] {
        match self {
            Self::Job => &["CAN_VIEW", "CAN_MANAGE_RUN", "CAN_MANAGE", OWNER],
            Self::Directory => &["CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE"],
        }
    }
}

/// An object with permissions.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) kind: Kind,
    pub(crate) id: i64,
    /// Whose it is: the owner of a job as long as nobody else is, whoever's home a folder lies in.
    pub(crate) owner: Option<String>,
}

impl Subject {
    /// As it is called in answers.
    fn name(&self) -> String {
        format!("/{}/{}", self.kind.words().0, self.id)
    }
}

/// One principal with its level.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Entry {
    #[serde(skip_serializing_if = "String::is_empty")]
    user_name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    group_name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    service_principal_name: String,
    permission_level: String,
}

impl Entry {
    fn owner(name: &str) -> Self {
        Self { user_name: name.to_owned(), permission_level: OWNER.to_owned(), ..Self::default() }
    }

    fn principal(&self) -> [&str; 3] {
        [&self.user_name, &self.group_name, &self.service_principal_name]
    }

    fn check(&self, kind: Kind) -> Result<(), Refusal> {
        let named = self.principal().iter().filter(|name| !name.is_empty()).count();
        if named == 1 && kind.levels().contains(&self.permission_level.as_str()) {
            return Ok(());
        }
        let (level, levels) = (&self.permission_level, kind.levels().join(", "));
        Err(Refusal::Invalid(format!(
            "Each entry names one user, group or service principal, with one of {levels} for it, not '{level}'."
        )))
    }

    fn show(&self) -> Value {
        let mut shown =
            json!({ "all_permissions": [{ "permission_level": self.permission_level, "inherited": false }] });
        let [user, group, service] = self.principal();
        for (field, name) in [("user_name", user), ("group_name", group), ("service_principal_name", service)] {
            if !name.is_empty() {
                shown[field] = name.into();
                shown["display_name"] = name.into();
            }
        }
        shown
    }
}

/// The permissions of all objects that somebody has set.
pub(crate) struct Permissions {
    known: Mutex<BTreeMap<String, Vec<Entry>>>,
    file: PathBuf,
}

impl Permissions {
    /// Reads those of an earlier life.
    pub(crate) fn open(file: PathBuf) -> io::Result<Self> {
        Ok(Self { known: Mutex::new(disk::read_json(&file)?.unwrap_or_default()), file })
    }

    /// What an object has, with what it has from above.
    pub(crate) fn show(&self, subject: &Subject) -> Value {
        let entries = direct(&lock(&self.known), subject);
        let mut list: Vec<_> = entries.iter().map(Entry::show).collect();
        let (plural, word) = subject.kind.words();
        let inherited = json!([{ "permission_level": "CAN_MANAGE", "inherited": true, "inherited_from_object": [format!("/{plural}/")] }]);
        if let (Kind::Directory, Some(owner)) = (subject.kind, &subject.owner) {
            list.push(json!({ "user_name": owner, "display_name": owner, "all_permissions": inherited }));
        }
        list.push(json!({ "group_name": "admins", "all_permissions": inherited }));
        json!({ "object_id": subject.name(), "object_type": word, "access_control_list": list })
    }

    /// Sets an object's own permissions, or with `keep` changes those that are named.
    pub(crate) fn set(&self, subject: &Subject, entries: Vec<Entry>, keep: bool) -> Result<(), Refusal> {
        entries.iter().try_for_each(|entry| entry.check(subject.kind))?;
        let mut known = lock(&self.known);
        let mut new = if keep { direct(&known, subject) } else { Vec::new() };
        for entry in entries {
            new.retain(|old| old.principal() != entry.principal());
            new.push(entry);
        }
        let owners = new.iter().filter(|entry| entry.permission_level == OWNER).count();
        if subject.kind == Kind::Job && owners != 1 {
            return Err(Refusal::Invalid("The job must have exactly one owner.".to_owned()));
        }
        let name = subject.name();
        if new.len() > MAX_ENTRIES || !known.contains_key(&name) && known.len() >= MAX_OBJECTS {
            return Err(Refusal::QuotaExceeded("There are too many permissions.".to_owned()));
        }
        known.insert(name, new);
        Ok(disk::write_json(&self.file, &*known)?)
    }

    /// Forgets those of an object that is gone.
    pub(crate) fn forget(&self, subject: &Subject) {
        let mut known = lock(&self.known);
        if known.remove(&subject.name()).is_some() {
            disk::save(&self.file, &*known);
        }
    }
}

/// An object's own permissions; a job belongs to whoever made it.
fn direct(known: &BTreeMap<String, Vec<Entry>>, subject: &Subject) -> Vec<Entry> {
    known.get(&subject.name()).cloned().unwrap_or_else(|| {
        let owner = subject.owner.as_deref().filter(|_| subject.kind == Kind::Job);
        owner.map(Entry::owner).into_iter().collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(list: Value) -> Vec<Entry> {
        serde_json::from_value(list).unwrap()
    }

    fn who(permissions: &Permissions, subject: &Subject) -> Vec<(String, String)> {
        let shown = permissions.show(subject);
        let list = shown["access_control_list"].as_array().unwrap();
        let own = list.iter().filter(|entry| entry["all_permissions"][0]["inherited"] == false);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        own.map(|entry| (text(&entry["display_name"]), text(&entry["all_permissions"][0]["permission_level"])))
            .collect()
    }

    #[test]
    fn a_job_always_has_one_owner() {
        let folder = tempfile::tempdir().unwrap();
        let permissions = Permissions::open(folder.path().join("p.json")).unwrap();
        let job = Subject { kind: Kind::Job, id: 7, owner: Some("ana".to_owned()) };
        assert_eq!(who(&permissions, &job), [("ana".to_owned(), OWNER.to_owned())]);
        let viewers = json!([{ "group_name": "users", "permission_level": "CAN_VIEW" }]);
        permissions.set(&job, entries(viewers.clone()), true).unwrap();
        assert_eq!(who(&permissions, &job).len(), 2);
        assert!(permissions.set(&job, entries(viewers), false).is_err(), "nobody would own it");
        let second = json!([{ "user_name": "ben", "permission_level": OWNER }]);
        assert!(permissions.set(&job, entries(second.clone()), true).is_err(), "two would");
        permissions.set(&job, entries(second), false).unwrap();
        let permissions = Permissions::open(folder.path().join("p.json")).unwrap();
        assert_eq!(who(&permissions, &job), [("ben".to_owned(), OWNER.to_owned())]);
        permissions.forget(&job);
        assert_eq!(who(&permissions, &job), [("ana".to_owned(), OWNER.to_owned())]);
    }

    #[test]
    fn levels_and_principals_are_checked() {
        let folder = tempfile::tempdir().unwrap();
        let permissions = Permissions::open(folder.path().join("p.json")).unwrap();
        let home = Subject { kind: Kind::Directory, id: 8, owner: Some("ana".to_owned()) };
        for wrong in [
            json!([{ "user_name": "ben", "permission_level": "CAN_VIEW" }]),
            json!([{ "permission_level": "CAN_READ" }]),
            json!([{ "user_name": "ben", "group_name": "users", "permission_level": "CAN_READ" }]),
        ] {
            assert!(permissions.set(&home, entries(wrong), false).is_err());
        }
        permissions.set(&home, Vec::new(), false).unwrap();
        let list = permissions.show(&home)["access_control_list"].clone();
        assert_eq!((&list[0]["user_name"], &list[0]["all_permissions"][0]["inherited"]), (&json!("ana"), &json!(true)));
    }
}
