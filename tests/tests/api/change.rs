//! A change of a stored object, which is granted or refused.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use anyhow::Context as _;
use brickline_tests::{Answer, Lab, Mode, Suite, object};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

/// Each change has a namespace of its own.
static NUMBER: AtomicUsize = AtomicUsize::new(0);

/// One field of an object gets another value, or is taken away if that is null.
#[derive(Clone)]
pub struct Change {
    /// The object before.
    pub object: Value,
    /// The field. Example: `spec.host`.
    pub path: &'static str,
    value: Value,
    /// The words in which it is refused.
    pub refusal: Option<&'static str>,
    /// Its status when that is tried.
    status: Value,
    /// What the API server said: the change is made once, whoever wants to know.
    answer: Arc<OnceCell<Answer>>,
}

impl Change {
    /// Makes changes of this object.
    pub fn of(object: Value) -> impl Fn(&'static str, Value, Option<&'static str>) -> Self {
        Self::with_status(object, Value::Null)
    }

    /// Makes changes of this object once it has this status.
    pub fn with_status(object: Value, status: Value) -> impl Fn(&'static str, Value, Option<&'static str>) -> Self {
        move |path, value, refusal| {
            let (object, status) = (object.clone(), status.clone());
            Self { object, path, value, refusal, status, answer: Arc::default() }
        }
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

    /// The object after, as it is asked for.
    pub fn after(&self) -> Value {
        object::with(self.object.clone(), self.path, self.value.clone())
    }

    /// What the API server says to it.
    pub async fn answer(&self, lab: &Lab) -> anyhow::Result<&Answer> {
        self.answer.get_or_try_init(|| self.ask(lab)).await
    }

    async fn ask(&self, lab: &Lab) -> anyhow::Result<Answer> {
        let room = lab.room(&format!("change-{}", NUMBER.fetch_add(1, Ordering::Relaxed))).await?;
        room.create(&self.object, Mode::Real).await?.accepted().context("the object itself")?;
        let patch = object::with(json!({}), self.path, self.value.clone());
        let name = self.object["metadata"]["name"].as_str().unwrap_or_default();
        if !self.status.is_null() {
            let api = &self.object["apiVersion"];
            let status =
                json!({"apiVersion": api, "kind": self.kind(), "metadata": {"name": name}, "status": self.status});
            room.apply_status(&status, "brickline").await?.accepted().context("its status")?;
        }
        room.merge(self.kind(), name, &patch, Mode::Real).await
    }

    async fn check(&self, lab: &Lab) -> anyhow::Result<()> {
        let answer = self.answer(lab).await?;
        match self.refusal {
            Some(words) => answer.refused(422, words),
            None => answer.clone().accepted().map(drop),
        }
    }
}

/// Adds a test for each change.
pub fn add(suite: &mut Suite, changes: &[Change]) {
    for change in changes {
        let change = change.clone();
        suite.add(&change.name(), async move |lab: &Lab| change.check(lab).await);
    }
}
