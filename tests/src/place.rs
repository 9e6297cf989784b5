//! A rule at its place: a field with the rules and the shape it has. The kinds' unit tests are built on this very file.
//!
//! One type at several fields of the same name in one kind (what a template and a stage say alike, a duration in
//! notebooks and tasks) is one place, since it is one piece of code: it is shown by examples of any of them.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Value, json};

/// A rule, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    field: String,
    rule: String,
    /// What a user reads who breaks it.
    pub message: String,
    shape: String,
}

impl Place {
    /// Whether it compares an object with what it was.
    #[must_use]
    pub fn is_about_changes(&self) -> bool {
        self.rule.contains("oldSelf")
    }
}

/// The rules of one kind.
pub struct Rules {
    /// The kind.
    pub kind: String,
    schema: Value,
}

impl Rules {
    /// Those of a definition.
    #[must_use]
    pub fn of(definition: &CustomResourceDefinition) -> Self {
        let schema = json!(definition.spec.versions)[0]["schema"]["openAPIV3Schema"].take();
        Self { kind: definition.spec.names.kind.clone(), schema }
    }

    /// The schema that they stand in.
    #[must_use]
    pub fn schema(&self) -> &Value {
        &self.schema
    }

    /// Every rule about what users write, with the path of a field that has it.
    #[must_use]
    pub fn all(&self) -> BTreeMap<Place, String> {
        let mut found = BTreeMap::new();
        collect(&self.schema, "", "", &mut found);
        found
    }

    /// The rules that judge something an object says, with the path of what they judge.
    #[must_use]
    pub fn reached(&self, object: &Value) -> BTreeSet<(Place, String)> {
        let mut found = BTreeSet::new();
        reach(&self.schema, object, ("", ""), &mut found);
        found
    }

    /// The rules of the field at `path`, such as `spec.deploy.items.0.to`, that an answer of the API server tells of.
    #[must_use]
    pub fn told(&self, path: &str, answer: &str) -> Vec<Place> {
        let words = path.split('.').filter(|word| !word.is_empty());
        let (schema, field) =
            words.fold((&self.schema, String::new()), |(schema, field), word| step(schema, &field, word));
        places(schema, &field).into_iter().filter(|place| answer.contains(&place.message)).collect()
    }
}

/// One word further on the way to a field.
fn step<'a>(schema: &'a Value, field: &str, word: &str) -> (&'a Value, String) {
    if let Some(inner) = schema["properties"].get(word) {
        return (inner, word.to_owned());
    }
    let (inner, mark) = if schema["items"].is_object() { ("items", "[]") } else { ("additionalProperties", "{}") };
    (&schema[inner], format!("{field}{mark}"))
}

fn collect(schema: &Value, path: &str, field: &str, found: &mut BTreeMap<Place, String>) {
    for place in places(schema, field) {
        found.entry(place).or_insert_with(|| path.to_owned());
    }
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        // A status is written by the controller alone.
        if name != "status" || !path.is_empty() {
            collect(inner, &joined(path, name), name, found);
        }
    }
    for (inner, mark) in [("items", "[]"), ("additionalProperties", "{}")] {
        if schema[inner].is_object() {
            collect(&schema[inner], &format!("{path}{mark}"), &format!("{field}{mark}"), found);
        }
    }
}

fn reach(schema: &Value, value: &Value, (path, field): (&str, &str), found: &mut BTreeSet<(Place, String)>) {
    found.extend(places(schema, field).into_iter().map(|place| (place, path.to_owned())));
    let items = value.as_array().into_iter().flatten().enumerate().map(|(index, inner)| (index.to_string(), inner));
    let fields = value.as_object().into_iter().flatten().map(|(name, inner)| (name.clone(), inner));
    for (word, inner) in items.chain(fields).filter(|(_, inner)| !inner.is_null()) {
        let (schema, field) = step(schema, field, &word);
        reach(schema, inner, (&joined(path, &word), &field), found);
    }
}

fn joined(path: &str, word: &str) -> String {
    if path.is_empty() { word.to_owned() } else { format!("{path}.{word}") }
}

fn places(schema: &Value, field: &str) -> Vec<Place> {
    let text = |rule: &Value, part: &str| rule[part].as_str().unwrap_or_default().to_owned();
    let place = |rule| Place {
        field: field.to_owned(),
        rule: text(rule, "rule"),
        message: text(rule, "message"),
        shape: shape(schema),
    };
    schema["x-kubernetes-validations"].as_array().into_iter().flatten().map(place).collect()
}

/// A schema's own bounds and the names of its fields, without its words and default.
fn shape(schema: &Value) -> String {
    let own = schema.as_object().into_iter().flatten();
    let own: Vec<_> = own
        .filter(|(name, value)| !value.is_object() && !["description", "default"].contains(&name.as_str()))
        .collect();
    let fields: Vec<_> = schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name).collect();
    format!("{own:?} {fields:?}")
}
