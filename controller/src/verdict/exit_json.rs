//! Exit JSON is a verdict a notebook writes itself, with `dbutils.notebook.exit(json.dumps(...))`. Two shapes are understood:
//!
//! ```json
//! {"tests": [{"name": "rows", "outcome": "failed", "message": "1 row, not 2"}]}
//! {"passed": 3, "failed": 1, "skipped": 0, "message": "rows: 1 row, not 2"}
//! ```
//!
//! An outcome is `passed`, `failed`, `error` or `skipped`; any other word counts as failed. Of the counts at least `passed` or
//! `failed` must be there; `errors` counts as failed. Any other value is not a verdict.

use serde::Deserialize;
use serde_json::Value;

use super::case::{Findings, Outcome, TestCase};

#[derive(Deserialize)]
struct Listed {
    tests: Vec<Test>,
}

#[derive(Deserialize)]
struct Test {
    name: String,
    outcome: String,
    #[serde(default)]
    message: Option<String>,
}

#[derive(Deserialize)]
struct Counts {
    passed: Option<u64>,
    failed: Option<u64>,
    #[serde(default)]
    errors: u64,
    #[serde(default)]
    skipped: u64,
    #[serde(default)]
    message: Option<String>,
}

/// Reads a notebook's exit value; `None` if it is no verdict. A value that begins like a verdict and can't be read is a failure.
#[must_use]
pub fn read(value: &str) -> Option<Findings> {
    let Ok(json) = serde_json::from_str::<Value>(value) else {
        return value.trim_start().starts_with("{\"tests\"").then(|| broken("the exit value is cut or not JSON"));
    };
    let object = json.as_object()?;
    if object.get("tests").is_some_and(Value::is_array) {
        let listed = serde_json::from_value::<Listed>(json).ok();
        return Some(listed.map_or_else(|| broken("a test needs a name and an outcome"), listed_tests));
    }
    if !["passed", "failed"].iter().any(|key| object.get(*key).is_some_and(Value::is_number)) {
        return None;
    }
    Some(
        serde_json::from_value::<Counts>(json)
            .map_or_else(|_| broken("the counts are not numbers"), |counts| counted(&counts)),
    )
}

fn broken(message: &str) -> Findings {
    let mut findings = Findings::default();
    findings.push(TestCase::new("exit value", Outcome::Error, message, ""));
    findings
}

fn listed_tests(listed: Listed) -> Findings {
    let mut findings = Findings::default();
    for Test { name, outcome, message } in listed.tests {
        let outcome = match outcome.to_lowercase().as_str() {
            "passed" => Outcome::Passed,
            "skipped" => Outcome::Skipped,
            "error" => Outcome::Error,
            _ => Outcome::Failed,
        };
        findings.push(TestCase::new(&name, outcome, message.as_deref().unwrap_or_default(), ""));
    }
    findings
}

fn counted(counts: &Counts) -> Findings {
    let size = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    let failed = counts.failed.unwrap_or(0).saturating_add(counts.errors);
    let mut findings = Findings::default();
    if failed > 0 {
        let message = counts.message.as_deref().unwrap_or("counted as failed by the exit value");
        findings.push(TestCase::new("(failed 1)", Outcome::Failed, message, ""));
        findings.fill(Outcome::Failed, size(failed - 1), 0);
    }
    findings.fill(Outcome::Passed, size(counts.passed.unwrap_or(0)), 0);
    findings.fill(Outcome::Skipped, size(counts.skipped), 0);
    findings
}
