//! Whether the examples are complete: a rule that no example breaks is a rule that nobody has seen refuse anything.

use std::collections::BTreeSet;

use anyhow::ensure;
use brickline_crds::all_crds;
use brickline_tests::{Lab, Suite, Table};
use serde_json::Value;

use crate::change::Change;

/// The fields of a release that may change.
const MUTABLE: [&str; 2] = ["suspend", "cancel"];

/// Adds the tests.
pub fn add(suite: &mut Suite, tables: &[Table], changes: &[Change]) {
    let seen: BTreeSet<&str> =
        tables.iter().flat_map(Table::sentences).chain(changes.iter().filter_map(|change| change.refusal)).collect();
    suite.add("every rule of the kinds has an example that breaks it", async move |_: &Lab| {
        let rules = rules();
        let untried: Vec<&String> = rules.iter().filter(|rule| !seen.contains(rule.as_str())).collect();
        ensure!(rules.len() > 20 && untried.is_empty(), "never refused anything here: {untried:#?}");
        Ok(())
    });
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

/// The sentences of every rule in the schemas.
fn rules() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    all_crds().iter().map(|crd| serde_json::json!(crd.spec.versions)).for_each(|schema| collect(&schema, &mut found));
    found
}

fn collect(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Array(parts) => parts.iter().for_each(|part| collect(part, found)),
        Value::Object(fields) => {
            let rules = fields.get("x-kubernetes-validations").and_then(Value::as_array);
            let sentences = rules.into_iter().flatten().filter_map(|rule| rule["message"].as_str());
            found.extend(sentences.map(str::to_owned));
            fields.values().for_each(|part| collect(part, found));
        }
        _ => {}
    }
}

fn release_fields() -> Vec<String> {
    let release = all_crds().into_iter().find(|crd| crd.spec.names.kind == "DatabricksRelease");
    let versions = serde_json::json!(release.map(|crd| crd.spec.versions));
    let fields = versions[0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"].as_object();
    fields.into_iter().flat_map(|fields| fields.keys().cloned()).collect()
}
