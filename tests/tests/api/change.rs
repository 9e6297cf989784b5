//! A change of a stored object, which is granted or refused.

use anyhow::Context as _;
use brickline_tests::{Lab, Mode, Suite, object};
use serde_json::{Value, json};

/// One field of an object gets another value, or is taken away if that is null.
#[derive(Clone)]
pub struct Change {
    object: Value,
    /// The field. Example: `spec.host`.
    pub path: &'static str,
    value: Value,
    /// The words in which it is refused.
    pub refusal: Option<&'static str>,
    /// Its status when that is tried.
    status: Value,
}

impl Change {
    /// Makes changes of this object.
    pub fn of(object: Value) -> impl Fn(&'static str, Value, Option<&'static str>) -> Self {
        Self::with_status(object, Value::Null)
    }

    /// Makes changes of this object once it has this status.
    pub fn with_status(object: Value, status: Value) -> impl Fn(&'static str, Value, Option<&'static str>) -> Self {
        move |path, value, refusal| Self { object: object.clone(), path, value, refusal, status: status.clone() }
    }

    /// The kind of the object.
    pub fn kind(&self) -> &str {
        self.object["kind"].as_str().unwrap_or_default()
    }

    fn name(&self) -> String {
        let verb = if self.refusal.is_some() { "can't become" } else { "may become" };
        let from = self.object["metadata"]["name"].as_str().unwrap_or_default();
        let status = if self.status.is_null() { String::new() } else { format!(" at {}", self.status) };
        format!("{} {from} {} {verb} {}{status}", self.kind(), self.path, self.value)
    }

    async fn check(&self, lab: &Lab, namespace: &str) -> anyhow::Result<()> {
        let room = lab.room(namespace).await?;
        room.create(&self.object, Mode::Real).await?.accepted().context("the object itself")?;
        let patch = object::with(json!({}), self.path, self.value.clone());
        let name = self.object["metadata"]["name"].as_str().unwrap_or_default();
        if !self.status.is_null() {
            let api = &self.object["apiVersion"];
            let status =
                json!({"apiVersion": api, "kind": self.kind(), "metadata": {"name": name}, "status": self.status});
            room.apply_status(&status, "brickline").await?.accepted().context("its status")?;
        }
        let answer = room.merge(self.kind(), name, &patch, Mode::Real).await?;
        match self.refusal {
            Some(words) => answer.refused(422, words),
            None => answer.accepted().map(drop),
        }
    }
}

/// Adds a test for each change.
pub fn add(suite: &mut Suite, changes: &[Change]) {
    for (number, change) in changes.iter().cloned().enumerate() {
        let namespace = format!("change-{number}");
        suite.add(&change.name(), async move |lab: &Lab| change.check(lab, &namespace).await);
    }
}
