//! What is still owed: locks are given back, the forge is told when a release begins and when it is over, then the result
//! becomes a label and the finalizer goes.

use std::time::Duration;

use brickline_crds::{
    DatabricksRelease, DatabricksReleaseStatus, OnFailure, Phase, PhaseState, Reason, ReleaseState, labels,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use super::Effect;
use super::report;
use crate::forge::ReportState;
use crate::phase::{Effect as AnyEffect, Outcome, Step, is_let_go, is_ours};

/// The pause before Kubernetes is asked again, at first and at last: what it refuses stays refused until people mend it.
const AGAIN: [Duration; 2] = [Duration::from_secs(2), Duration::from_mins(5)];

/// What the forge is to be told before the first phase begins; none if it knows, or is not told at all.
pub(crate) fn pending(release: &DatabricksRelease, status: &DatabricksReleaseStatus) -> Option<Effect> {
    let owed = report::is_reported(release) && status.reported.is_none();
    owed.then(|| Effect::Report(report::pending()))
}

/// What is written down of having told the forge.
pub(crate) fn reported(state: ReportState, sent: bool) -> String {
    if sent { state.to_string() } else { format!("{state} unsent") }
}

/// Everything owed is done before the terminal write, which is the last one. First the locks, since others wait for them;
/// the forge is told at once after them, and one write tells of both.
pub(crate) fn decide(
    release: &DatabricksRelease,
    status: &DatabricksReleaseStatus,
    outcome: Option<&Outcome>,
    now: Timestamp,
) -> Step {
    let keep = keeps(release, status);
    let is_locked = status.locks.iter().any(|lock| !lock.kept);
    let verdict = report::verdict(status);
    let untold = report::is_reported(release) && !is_told(status);
    match outcome {
        Some(Outcome::Told { sent }) if untold => {
            let mut status = unlocked(status, keep);
            status.reported = Some(reported(verdict.state, *sent));
            Step::Record(status)
        }
        Some(Outcome::Unlocked) if untold => act(Effect::Report(verdict)),
        Some(Outcome::Unlocked) if is_locked => Step::Record(unlocked(status, keep)),
        // Whoever wants the locks of a release that is gone takes them over.
        Some(Outcome::Trouble(_)) if is_locked && is_let_go(release, ended(status, now), now) => {
            Step::Record(unlocked(status, keep))
        }
        // Kubernetes does not answer: until it does, nothing could be written down either.
        Some(Outcome::Trouble(_)) => Step::Wait(Some(again(ended(status, now), now))),
        _ if is_locked => act(Effect::Unlock { keep }),
        _ if untold => act(Effect::Report(verdict)),
        Some(Outcome::Done) if is_settled(release) => {
            let mut status = Box::new(status.clone());
            status.state = ReleaseState::Finished;
            status.completion_time = Some(Time(now));
            Step::Record(status)
        }
        // Somebody changed the release at that moment, and theirs was the newer version.
        Some(Outcome::Done) => Step::Wait(Some(AGAIN[0])),
        _ => act(Effect::Settle),
    }
}

/// What goes on for long is asked about ever more rarely.
fn again(since: Timestamp, now: Timestamp) -> Duration {
    let [first, last] = AGAIN;
    Duration::try_from(now.duration_since(since)).map_or(first, |waited| (waited / 10).clamp(first, last))
}

/// When the last of its phases was over.
fn ended(status: &DatabricksReleaseStatus, now: Timestamp) -> Timestamp {
    status.phases.iter().filter_map(|phase| Some(phase.completion_time.as_ref()?.0)).max().unwrap_or(now)
}

/// Whether the release has its label and is ours no more. Once it is finished nobody looks at it again.
fn is_settled(release: &DatabricksRelease) -> bool {
    !is_ours(release) && release.labels().contains_key(labels::RESULT)
}

fn act(effect: Effect) -> Step {
    Step::Act(AnyEffect::Finish(effect))
}

/// The locks are kept if work may still be alive, and for a rollback to take over.
fn unlocked(status: &DatabricksReleaseStatus, keep: bool) -> Box<DatabricksReleaseStatus> {
    let mut status = Box::new(status.clone());
    if keep {
        status.locks.iter_mut().for_each(|lock| lock.kept = true);
    } else {
        status.locks.clear();
    }
    status
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

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::ToSpan;
    use rstest::rstest;

    #[rstest]
    #[case::at_once(0, 2)]
    #[case::a_clock_that_went_back(-60, 2)]
    #[case::after_ten_minutes(600, 60)]
    #[case::after_a_day(86_400, 300)]
    fn what_is_refused_for_long_is_asked_for_ever_more_rarely(#[case] seconds: i64, #[case] expected: u64) {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        assert_eq!(again(now - seconds.seconds(), now), Duration::from_secs(expected));
    }
}
