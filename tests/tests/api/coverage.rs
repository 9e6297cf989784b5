//! Whether the examples are complete: a rule that no example breaks is a rule that nobody has seen refuse anything, and
//! one that no example keeps may refuse everything.

use std::collections::BTreeSet;

use anyhow::ensure;
use brickline_crds::all_crds;
use brickline_tests::{Answer, Lab, Place, Row, Rules, Suite, Table};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::Value;

use crate::change::Change;

/// The fields of a release that may change.
const MUTABLE: [&str; 2] = ["suspend", "cancel"];
/// How many examples are shown to the API server at once.
const AT_ONCE: usize = 8;

/// Adds the tests.
pub fn add(suite: &mut Suite, tables: &[Table], changes: &[Change]) {
    for definition in all_crds() {
        let rules = Rules::of(&definition);
        let rows = tables.iter().flat_map(Table::rows).filter(|row| row.object()["kind"] == rules.kind.as_str());
        let (rows, changes) = (rows.cloned().collect::<Vec<_>>(), of_kind(changes, &rules.kind));
        let name = format!("every rule of a {} has a field that it takes and refuses", rules.kind);
        suite.add(&name, async move |lab: &Lab| complete(lab, &rules, &rows, &changes).await);
    }
    suite.add("kubectl explain has a word on every field", async move |_: &Lab| {
        let (mut found, mut kinds) = (Vec::new(), 0);
        for crd in all_crds() {
            let schema = serde_json::json!(crd.spec.versions)[0]["schema"]["openAPIV3Schema"].take();
            unexplained(&schema, &crd.spec.names.kind, &mut found);
            kinds += usize::from(schema["properties"]["spec"]["properties"].is_object());
        }
        ensure!(kinds == 4 && found.is_empty(), "{kinds} kinds, without description: {found:#?}");
        Ok(())
    });
    let refused = changes.iter().filter(|change| change.kind() == "DatabricksRelease" && change.refusal.is_some());
    let fixed: BTreeSet<&str> = refused.filter_map(|change| change.path.split('.').nth(1)).collect();
    suite.add("every field of a release but suspend and cancel is immutable", async move |_: &Lab| {
        let fields = release_fields();
        let loose: Vec<&String> = fields
            .iter()
            .filter(|field| !fixed.contains(field.as_str()) && !MUTABLE.contains(&field.as_str()))
            .collect();
        ensure!(fields.len() > 10 && loose.is_empty(), "not tried to change: {loose:?}");
        Ok(())
    });
}

fn of_kind(changes: &[Change], kind: &str) -> Vec<Change> {
    changes.iter().filter(|change| change.kind() == kind).cloned().collect()
}

/// Which rules took something and refused something, and what was varied then: a field of a table, or the whole object
/// by a change.
#[derive(Default)]
struct Seen {
    taken: BTreeSet<(Place, String)>,
    refused: BTreeSet<(Place, String)>,
}

/// How a change stands among the fields that were varied.
const CHANGE: &str = "a change";

impl Seen {
    /// A rule takes what an example says at its place; it must be the varied field, or within it, or around it.
    fn row(&mut self, rules: &Rules, row: &Row, answer: &Answer) {
        match row.refusal() {
            Some(words) => self.refuse(rules, answer, words, row.path()),
            None if answer.status < 300 => {
                let reached = rules.reached(row.object()).into_iter();
                let about = reached.filter(|(place, path)| !place.is_about_changes() && related(path, row.path()));
                self.taken.extend(about.map(|(place, _)| (place, row.path().to_owned())));
            }
            None => {}
        }
    }

    /// A rule about changes takes what was said before and is said after.
    fn change(&mut self, rules: &Rules, change: &Change, answer: &Answer) {
        match change.refusal {
            Some(words) => self.refuse(rules, answer, words, CHANGE),
            None if answer.status < 300 => {
                let (before, after) = (rules.reached(&change.object), rules.reached(&change.after()));
                let kept = before.intersection(&after).map(|(place, _)| place);
                let about = kept.filter(|place| place.is_about_changes());
                self.taken.extend(about.map(|place| (place.clone(), CHANGE.to_owned())));
            }
            None => {}
        }
    }

    fn refuse(&mut self, rules: &Rules, answer: &Answer, words: &str, varied: &str) {
        let told = answer.causes().into_iter().filter(|(_, said)| said.contains(words));
        let broken = told.flat_map(|(field, said)| rules.told(&field, said));
        self.refused.extend(broken.map(|place| (place, varied.to_owned())));
    }

    /// Whether one and the same field was seen to be taken and to be refused.
    fn both_ways(&self, place: &Place) -> bool {
        self.taken.intersection(&self.refused).any(|(seen, _)| seen == place)
    }
}

/// What the API server itself says counts, not what the examples expect.
async fn complete(lab: &Lab, rules: &Rules, rows: &[Row], changes: &[Change]) -> anyhow::Result<()> {
    let (room, mut seen) = (lab.room("tables").await?, Seen::default());
    let asked = stream::iter(rows).map(async |row| anyhow::Ok((row, row.answer(&room).await?)));
    for (row, answer) in asked.buffered(AT_ONCE).try_collect::<Vec<_>>().await? {
        seen.row(rules, row, answer);
    }
    for change in changes {
        seen.change(rules, change, change.answer(lab).await?);
    }
    let all = rules.all();
    let missing = all.iter().filter(|(place, _)| !seen.both_ways(place));
    let missing: Vec<_> = missing.map(|(place, path)| format!("{path}: {}", place.message)).collect();
    ensure!(!all.is_empty() && missing.is_empty(), "no field is both taken and refused by: {missing:#?}");
    Ok(())
}

/// Whether one of two paths leads to the other.
fn related(one: &str, other: &str) -> bool {
    let within = |long: &str, short: &str| {
        short.is_empty() || long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    within(one, other) || within(other, one)
}

/// Whether a description says what holds if the field is left out.
fn says_default(text: &str) -> bool {
    ["Default", "None:", "Empty:", "Left out:"].iter().any(|word| text.contains(word))
}

/// Whether a reader knows what a value looks like: by an example, a default, or because the schema lists them all.
fn says_example(field: &Value, text: &str) -> bool {
    let shown = |text: &str| text.starts_with('`') || text.starts_with(|c: char| c.is_ascii_digit());
    let default = text.split("Default: ").nth(1).is_some_and(shown);
    text.contains("Example") || default || field["enum"].is_array() || field["type"] == "boolean"
}

/// Fields without a word on what they are; in specs also those without a default, or without an example of what to write.
fn unexplained(schema: &Value, path: &str, found: &mut Vec<String>) {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        let text = field["description"].as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
        // `kind` and `apiVersion` are explained by Kubernetes itself, and so is `metadata`.
        if text.len() < 4 && !path.ends_with(".metadata") {
            found.push(path.clone());
        }
        if path.contains(".spec.") && !field["properties"].is_object() {
            let (default, example) = (says_default(&text), says_example(field, &text));
            if !default && !required.contains(&name.as_str()) {
                found.push(format!("{path}: what holds without it?"));
            }
            if !example {
                found.push(format!("{path}: an example?"));
            }
        }
        unexplained(field, &path, found);
    }
    for inner in ["items", "additionalProperties"] {
        if schema[inner].is_object() {
            unexplained(&schema[inner], path, found);
        }
    }
}

fn release_fields() -> Vec<String> {
    let release = all_crds().into_iter().find(|crd| crd.spec.names.kind == "DatabricksRelease");
    let versions = serde_json::json!(release.map(|crd| crd.spec.versions));
    let fields = versions[0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"].as_object();
    fields.into_iter().flat_map(|fields| fields.keys().cloned()).collect()
}
