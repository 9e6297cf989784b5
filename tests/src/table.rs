//! A table of examples: what a kind's rules take, and what they refuse in which words. Each row becomes a test.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::{Answer, Mode, Room, object};

/// The longest part of a value that stands in a test's name, in characters.
const SHOWN: usize = 60;

/// Examples around one valid object.
pub struct Table {
    base: Value,
    rows: Vec<Row>,
}

/// One field of the object that a table varies.
pub struct Field<'a> {
    table: &'a mut Table,
    path: String,
}

/// One example.
#[derive(Clone)]
pub struct Row {
    object: Value,
    /// What is said of which field.
    path: String,
    title: String,
    refusal: Option<&'static str>,
    /// What the API server said: it is asked once, whoever wants to know.
    answer: Arc<OnceCell<Answer>>,
}

impl Table {
    /// A table around this object, which must itself be valid.
    #[must_use]
    pub fn new(base: Value) -> Self {
        Self { base, rows: Vec::new() }
    }

    /// Examples for one field, such as `spec.deploy.items.0.to`.
    pub fn field(&mut self, path: impl Into<String>) -> Field<'_> {
        Field { table: self, path: path.into() }
    }

    /// Every row.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }
}

impl Field<'_> {
    /// These values are taken.
    pub fn takes<const N: usize>(&mut self, values: [Value; N]) -> &mut Self {
        self.add(values, None)
    }

    /// These values are refused in these words.
    pub fn refuses<const N: usize>(&mut self, words: &'static str, values: [Value; N]) -> &mut Self {
        self.add(values, Some(words))
    }

    /// The field can't be left out.
    pub fn is_required(&mut self) -> &mut Self {
        let object = object::without(self.table.base.clone(), &self.path);
        self.table.rows.push(Row::new(object, &self.path, "nothing".to_owned(), Some("Required value")));
        self
    }

    fn add<const N: usize>(&mut self, values: [Value; N], refusal: Option<&'static str>) -> &mut Self {
        let rows = values.map(|value| {
            let title = value.to_string().chars().take(SHOWN).collect();
            Row::new(object::with(self.table.base.clone(), &self.path, value), &self.path, title, refusal)
        });
        self.table.rows.extend(rows);
        self
    }
}

impl Row {
    fn new(object: Value, path: &str, title: String, refusal: Option<&'static str>) -> Self {
        Self { object, path: path.to_owned(), title, refusal, answer: Arc::default() }
    }

    /// The object as it is sent.
    #[must_use]
    pub fn object(&self) -> &Value {
        &self.object
    }

    /// The words in which it is refused; none if it is taken.
    #[must_use]
    pub fn refusal(&self) -> Option<&'static str> {
        self.refusal
    }

    /// The path of the field that is varied.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What the API server says to it.
    pub async fn answer(&self, room: &Room) -> anyhow::Result<&Answer> {
        self.answer.get_or_try_init(|| room.create(&self.object, Mode::DryRun)).await
    }

    /// The row as a test's name: `DatabricksWorkspace spec.host refuses "x"`.
    #[must_use]
    pub fn name(&self) -> String {
        let verb = if self.refusal.is_some() { "refuses" } else { "takes" };
        let kind = self.object["kind"].as_str().unwrap_or_default();
        format!("{kind} {} {verb} {}", self.path, self.title)
    }

    /// Shows it to the API server.
    pub async fn check(&self, room: &Room) -> anyhow::Result<()> {
        let answer = self.answer(room).await?;
        let Some(words) = self.refusal else { return answer.clone().accepted().map(drop).context("should be taken") };
        answer.refused(422, words)?;
        let fields = answer.fields();
        let about = |field: &String| field.starts_with(&self.path) || self.path.starts_with(field.as_str());
        ensure!(fields.iter().any(about), "{words}: said of {fields:?}, not of {}", self.path);
        Ok(())
    }
}
