//! What people are told of a deployment: pure.

use brickline_crds::{Issue, Reason};

use super::plan::Plan;
use super::report::{Done, Report};
use crate::trouble::Trouble;

/// How many drifted places a message names.
const NAMED: usize = 10;
/// How many files that stay as they are a log names: it has room for other lines too.
const UNCHANGED: usize = 1_000;

/// What somebody else had changed, as issues of the release.
pub(super) fn issues(planned: &Report) -> Vec<Issue> {
    let issues = planned.drifted.iter().map(|(place, what)| {
        let done = if planned.removed.contains(place) { "removed" } else { "written again" };
        let message = format!("not as Brickline left it: it {what}. It was {done}");
        Issue { reason: Reason::Drifted, name: place.clone(), message }
    });
    issues.collect()
}

/// What a deployment is about to do, for its log.
pub(super) fn planned(report: &Report, uri: &str) -> String {
    let Report { added, changed, removed, drifted, libraries, unchanged, .. } = report;
    format!(
        "planned: {} added, {} changed, {} changed by others, {} removed, {} libraries, {unchanged} unchanged: {uri}",
        added.len(),
        changed.len(),
        drifted.len(),
        removed.len(),
        libraries.len()
    )
}

/// What stays as it is, for the log of a deployment.
pub(super) fn unchanged<'a>(plan: &Plan, places: impl Iterator<Item = &'a String>) -> Vec<String> {
    let same = places.filter(|place| !plan.write.contains_key(*place));
    let mut lines: Vec<String> = same.take(UNCHANGED).map(|place| format!("unchanged: {place}")).collect();
    if plan.unchanged > lines.len() {
        lines.push(format!("unchanged: {} more", plan.unchanged - lines.len()));
    }
    lines
}

/// Why nothing is written although something differs.
pub(super) fn forbidden(report: &Report, uri: &str) -> Trouble {
    let named: Vec<String> = report.drifted.iter().take(NAMED).map(|(place, what)| format!("{place} {what}")).collect();
    let message = format!(
        "somebody else changed {} of what this release would write, keep or remove, onDrift is Fail, and nothing was \
         written: {}; all of them: {uri}",
        report.drifted.len(),
        named.join(", ")
    );
    Trouble::lasting(Reason::Drifted, message)
}

/// What went wrong, and how far it came.
pub(super) fn failed(trouble: &Trouble, plan: &Plan, done: &Done, settled: bool, uri: &str) -> Trouble {
    let all = plan.len();
    let (made, unknown, untouched) =
        (done.written.len() + done.removed.len(), done.unknown.len(), done.untouched.len());
    let listed =
        if settled { format!("the lists are in {uri}") } else { "and that could not be written down".to_owned() };
    let message = format!(
        "{}; of {all} changes {made} were made, {untouched} were not, and of {unknown} it is not known; {listed}",
        trouble.message
    );
    Trouble { message, ..trouble.clone() }
}
