//! What people are told of a deployment: pure.

use brickline_crds::{Issue, Reason};

use super::plan::{Plan, Why};
use super::report::{Done, Report};
use crate::trouble::Trouble;

/// How many drifted places a message names.
const NAMED: usize = 10;
/// How many files that stay as they are a log names: it has room for other lines too.
const UNCHANGED: usize = 1_000;

/// What somebody else changed, as issues of the release.
pub(super) fn issues(plan: &Plan) -> Vec<Issue> {
    let issue = |place: &String, what: &str, done: &str| {
        let message = format!("not as Brickline left it: it {what}. {done}");
        Issue { reason: Reason::Drifted, name: place.clone(), message }
    };
    let written = plan.write.iter().filter_map(|(place, write)| match &write.why {
        Why::Drifted(what) => Some(issue(place, what, "It was written again")),
        _ => None,
    });
    let removed = plan.edited.iter().map(|(place, what)| issue(place, what, "It was removed"));
    written.chain(removed).collect()
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
