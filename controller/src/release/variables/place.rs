//! Where a string stands in a spec, and what may stand there.

use std::fmt;

use serde_json::Value;

/// Parts of the spec without variables: they say what the names stand for, or are for people and labels.
pub(super) const WITHOUT: [&str; 11] = [
    "source",
    "stage",
    "reason",
    "cause",
    "tags",
    "requestedBy",
    "requestedFor",
    "workspaceRef",
    "parameters",
    "startAt",
    "approvals",
];

/// One step from a value into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Field(String),
    Index(usize),
}

/// A place in a spec. Shown as `deploy.items[0].to`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place(pub(super) Vec<Step>);

impl Place {
    /// Whether it holds words for another program, where `$(pwd)` may well mean something there.
    pub(super) fn is_script(&self) -> bool {
        self.is(&["build", "tests", "args", "*"]) || self.is(&["build", "jobs", "*", "steps", "*", "run"])
    }

    /// Whether it is filled only when it is used, since a Secret's value may stand in it.
    pub(super) fn is_filled_late(&self) -> bool {
        const LATE: [&[&str]; 7] = [
            &["test", "notebooks", "*", "parameters", "*"],
            &["test", "setup", "parameters", "*"],
            &["test", "teardown", "parameters", "*"],
            &["test", "tasks", "*", "notebook", "parameters", "*"],
            &["test", "tasks", "*", "pythonWheel", "parameters", "*"],
            &["test", "tasks", "*", "pythonWheel", "namedParameters", "*"],
            &["test", "tasks", "*", "sparkPython", "parameters", "*"],
        ];
        LATE.iter().any(|pattern| self.is(pattern))
    }

    /// The place of the list that it stands in, if it stands in one. Rules of such lists are about each item by itself.
    pub(super) fn list(&self) -> Option<&[Step]> {
        self.0.split_last().and_then(|(last, list)| matches!(last, Step::Index(_)).then_some(list))
    }

    fn is(&self, pattern: &[&str]) -> bool {
        let matches =
            |(step, name): (&Step, &&str)| *name == "*" || matches!(step, Step::Field(field) if field == name);
        self.0.len() == pattern.len() && self.0.iter().zip(pattern).all(matches)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Field(name) if at == 0 => f.write_str(name)?,
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// Shows every string of a spec that holds `$(`, where variables may stand.
pub(super) fn visit(spec: &mut Value, see: &mut impl FnMut(&Place, &mut String)) {
    let Value::Object(fields) = spec else { return };
    for (name, value) in fields.iter_mut().filter(|(name, _)| !WITHOUT.contains(&name.as_str())) {
        walk(value, &mut Place(vec![Step::Field(name.clone())]), see);
    }
}

fn walk(value: &mut Value, place: &mut Place, see: &mut impl FnMut(&Place, &mut String)) {
    match value {
        Value::String(text) if text.contains("$(") => see(place, text),
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                into(item, Step::Index(index), place, see);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                into(value, Step::Field(name.clone()), place, see);
            }
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn into(value: &mut Value, step: Step, place: &mut Place, see: &mut impl FnMut(&Place, &mut String)) {
    place.0.push(step);
    walk(value, place, see);
    place.0.pop();
}
