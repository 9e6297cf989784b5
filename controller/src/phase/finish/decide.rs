//! What is still owed: locks are given back, the forge is told when a release begins and when it is over, then the result
//! becomes a label and the finalizer goes.

use std::time::Duration;

use brickline_crds::{DatabricksRelease, DatabricksReleaseStatus, OnFailure, Phase, PhaseState, Reason, ReleaseState};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::Effect;
use super::report::{self, Report, ReportState};
use crate::phase::{Effect as AnyEffect, Outcome, Step};

/// The pause before Kubernetes is asked again.
const AGAIN: Duration = Duration::from_secs(2);

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
    if status.locks.iter().any(|lock| !lock.kept) {
        return unlock(release, status, outcome);
    }
    if report::is_reported(release) && !is_told(status) {
        return tell(status, outcome, report::verdict(status));
    }
    if outcome != Some(&Outcome::Done) {
        return Step::Act(AnyEffect::Finish(Effect::Settle));
    }
    let mut status = Box::new(status.clone());
    status.state = ReleaseState::Finished;
    status.completion_time = Some(Time(now));
    Step::Record(status)
}

/// First the locks: others wait for them. They are kept if work may still be alive, and for a rollback to take over.
fn unlock(release: &DatabricksRelease, status: &DatabricksReleaseStatus, outcome: Option<&Outcome>) -> Step {
    let keep = keeps(release, status);
    match outcome {
        Some(Outcome::Done) => {
            let mut status = Box::new(status.clone());
            if keep {
                status.locks.iter_mut().for_each(|lock| lock.kept = true);
            } else {
                status.locks.clear();
            }
            Step::Record(status)
        }
        // Kubernetes does not answer: until it does, nothing could be written down either.
        Some(Outcome::Trouble(_)) => Step::Wait(Some(AGAIN)),
        _ => Step::Act(AnyEffect::Finish(Effect::Unlock { keep })),
    }
}

/// Whether the locks outlive the release.
fn keeps(release: &DatabricksRelease, status: &DatabricksReleaseStatus) -> bool {
    let abandoned = status.phases.iter().any(|phase| phase.reason == Some(Reason::CancelTimedOut));
    abandoned || (release.spec.on_failure == OnFailure::Rollback && is_rolled_back(status))
}

/// Whether a release that ended like this is rolled back, if it asks for that: it failed after it began to change its
/// workspace.
pub(crate) fn is_rolled_back(status: &DatabricksReleaseStatus) -> bool {
    let failed = |state: PhaseState| matches!(state, PhaseState::Failed | PhaseState::TimedOut);
    status.phases.iter().any(|phase| phase.name > Phase::Build && phase.attempts > 0 && failed(phase.state))
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
