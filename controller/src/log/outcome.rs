//! What an effect brought back, in the log of its phase.

use brickline_crds::{DatabricksRelease, Phase};

use super::Logs;
use crate::phase::{Outcome, test};

/// Writes down what was done, if its phase doesn't tell it itself.
pub(crate) fn outcome(release: &DatabricksRelease, outcome: &Outcome, logs: &Logs) {
    let test = |line: String| logs.line(release, Phase::Test, format_args!("{line}"));
    match outcome {
        Outcome::Submitted { index, run_id } => test(format!("test {}: run {run_id} was submitted", index + 1)),
        Outcome::Collected { index, collected } => lines(index + 1, collected).into_iter().for_each(test),
        Outcome::Published { uri } => test(format!("the report is {uri}")),
        _ => {}
    }
}

/// The failures that a run's tests have, and how it ended.
fn lines(number: u32, collected: &test::Collected) -> Vec<String> {
    let counts = &collected.counts;
    let failures = collected.failures.iter().map(|failure| format!("{} failed: {}", failure.name, failure.message));
    let ended = collected.verdict.as_ref().map_or_else(
        || format!("test {number} passed"),
        |(reason, message)| format!("test {number} failed ({reason}): {message}"),
    );
    let (passed, total, skipped) = (counts.passed, counts.total, counts.skipped);
    failures.chain([format!("{ended}; {passed} of {total} inner tests passed, {skipped} skipped")]).collect()
}
