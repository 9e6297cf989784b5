//! What is still owed: the forge is told when a release begins and when it is over, then the result becomes a label.

use brickline_crds::{DatabricksRelease, DatabricksReleaseStatus, ReleaseState};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::Effect;
use super::report::{self, Report, ReportState};
use crate::phase::{Effect as AnyEffect, Outcome, Step};

/// What is owed before the first phase begins; none if nothing is.
pub(crate) fn begin(
    release: &DatabricksRelease,
    status: &DatabricksReleaseStatus,
    outcome: Option<&Outcome>,
) -> Option<Step> {
    let owed = report::is_reported(release) && status.reported.is_none();
    owed.then(|| tell(status, outcome, report::pending()))
}

/// Everything owed is done before the terminal write, which is the last one.
pub(crate) fn decide(
    release: &DatabricksRelease,
    status: &DatabricksReleaseStatus,
    outcome: Option<&Outcome>,
    now: Timestamp,
) -> Step {
    if report::is_reported(release) && !is_told(status) {
        return tell(status, outcome, report::verdict(status));
    }
    if outcome != Some(&Outcome::Done) {
        return Step::Act(AnyEffect::Finish(Effect::Label));
    }
    let mut status = Box::new(status.clone());
    status.state = ReleaseState::Finished;
    status.completion_time = Some(Time(now));
    Step::Record(status)
}

fn is_told(status: &DatabricksReleaseStatus) -> bool {
    let pending: &str = ReportState::Pending.into();
    status.reported.as_deref().is_some_and(|reported| !reported.starts_with(pending))
}

/// Tells the forge, then writes down that it was told. A forge that can't be told holds no release up.
fn tell(status: &DatabricksReleaseStatus, outcome: Option<&Outcome>, report: Report) -> Step {
    let reported = match outcome {
        Some(Outcome::Done) => report.state.to_string(),
        Some(Outcome::Trouble(_)) => format!("{} unsent", report.state),
        _ => return Step::Act(AnyEffect::Finish(Effect::Report(report))),
    };
    Step::Record(Box::new(DatabricksReleaseStatus { reported: Some(reported), ..status.clone() }))
}
