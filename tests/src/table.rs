//! A table of examples: what a kind's rules take, and what they refuse in which words. Each row becomes a test.

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::{Mode, Room, object};

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

    /// The sentences with which something is refused.
    pub fn sentences(&self) -> impl Iterator<Item = &'static str> {
        self.rows.iter().filter_map(|row| row.refusal)
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
        let row = Row { object, path: self.path.clone(), title: "nothing".to_owned(), refusal: Some("Required value") };
        self.table.rows.push(row);
        self
    }

    fn add<const N: usize>(&mut self, values: [Value; N], refusal: Option<&'static str>) -> &mut Self {
        let rows = values.map(|value| Row {
            title: value.to_string().chars().take(SHOWN).collect(),
            object: object::with(self.table.base.clone(), &self.path, value),
            path: self.path.clone(),
            refusal,
        });
        self.table.rows.extend(rows);
        self
    }
}

impl Row {
    /// The row as a test's name: `DatabricksWorkspace spec.host refuses "x"`.
    #[must_use]
    pub fn name(&self) -> String {
        let verb = if self.refusal.is_some() { "refuses" } else { "takes" };
        let kind = self.object["kind"].as_str().unwrap_or_default();
        format!("{kind} {} {verb} {}", self.path, self.title)
    }

    /// Shows it to the API server.
    pub async fn check(&self, room: &Room) -> anyhow::Result<()> {
        let answer = room.create(&self.object, Mode::DryRun).await?;
        let Some(words) = self.refusal else { return answer.accepted().map(drop).context("should be taken") };
        answer.refused(422, words)?;
        let fields = answer.fields();
        let about = |field: &String| field.starts_with(&self.path) || self.path.starts_with(field.as_str());
        ensure!(fields.iter().any(about), "{words}: said of {fields:?}, not of {}", self.path);
        Ok(())
    }
}
