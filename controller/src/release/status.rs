//! Everything in a status that follows from `phases[]`: conditions, phase, result, summary. One function, pure.

use std::time::Duration;

use brickline_crds::condition::{SUCCEEDED, Status, Summary};
use brickline_crds::{
    DatabricksRelease, DatabricksReleaseStatus, PhaseState, PhaseStatus, Reason, ReleaseResult, ReleaseState,
    TestCounts, condition, labels,
};
use jiff::Timestamp;

use super::decide::current;
use crate::phase::finish::{result, was_not_due};

/// The longest message of a phase's condition, in characters: all of them together must leave room in the status.
const PHASE_MESSAGE: usize = 512;

/// Brings the derived parts of `status` up to date with its phases.
pub(crate) fn derive(release: &DatabricksRelease, status: &mut DatabricksReleaseStatus, now: Timestamp) {
    status.observed_generation = release.metadata.generation.unwrap_or(0);
    status.state = state(status);
    status.phase = speaking(status).map(|phase| phase.name);
    status.tests.summary = summary(status);
    status.branch = branch(release, status);
    let finished = status.state == ReleaseState::Finished;
    status.result = if finished { result(status) } else { ReleaseResult::None };
    // Neither time that it waited for the first phase nor a release that never began counts.
    // Set once: a clock that is set back must not move it.
    let first = || status.phases.iter().filter_map(|phase| phase.start_time.clone()).min();
    status.start_time = status.start_time.clone().or_else(first);
    status.duration = match (&status.start_time, &status.completion_time) {
        (Some(start), Some(end)) => Duration::try_from(end.0.duration_since(start.0)).ok().map(Into::into),
        _ => None,
    };
    for phase in status.phases.clone() {
        phase_condition(status, &phase, now);
    }
    summary_conditions(status, now);
}

fn state(status: &DatabricksReleaseStatus) -> ReleaseState {
    match status.state {
        ReleaseState::Finishing | ReleaseState::Finished => status.state,
        _ if status.waiting.is_some() => ReleaseState::Waiting,
        _ if status.phases.is_empty() => ReleaseState::Pending,
        _ => ReleaseState::Running,
    }
}

/// The branch of what is built, or of what the artifact was built from.
fn branch(release: &DatabricksRelease, status: &DatabricksReleaseStatus) -> String {
    let git = release.spec.source.git.as_ref().or(status.origin.as_ref());
    git.map(|git| labels::branch_of(&git.reference).to_owned()).unwrap_or_default()
}

/// The phase that tells most: one that went wrong, else the one under way, else the last that did something.
fn speaking(status: &DatabricksReleaseStatus) -> Option<&PhaseStatus> {
    let wrong = |p: &&PhaseStatus| (p.state.is_terminal() && !p.state.lets_pass()) || was_not_due(p);
    let worked = |p: &&PhaseStatus| p.state.is_good();
    status.phases.iter().find(wrong).or_else(|| current(status)).or_else(|| status.phases.iter().rfind(worked))
}

fn summary(status: &DatabricksReleaseStatus) -> String {
    let counts: Vec<TestCounts> = [status.tests.build, status.tests.notebooks].into_iter().flatten().collect();
    let total: u32 = counts.iter().map(|counts| counts.total).sum();
    let passed: u32 = counts.iter().map(|counts| counts.passed).sum();
    if counts.is_empty() { String::new() } else { format!("{passed}/{total}") }
}

fn phase_condition(status: &mut DatabricksReleaseStatus, phase: &PhaseStatus, now: Timestamp) {
    let holds = match phase.state {
        PhaseState::Succeeded | PhaseState::SucceededWithIssues => Status::True,
        PhaseState::Running => Status::Unknown,
        PhaseState::Failed | PhaseState::TimedOut | PhaseState::Canceled => Status::False,
        PhaseState::Pending | PhaseState::Skipped => {
            return condition::remove(&mut status.conditions, phase.name.condition());
        }
    };
    let reason = phase.reason.unwrap_or(Reason::Progressing);
    let generation = status.observed_generation;
    // The whole text is in the phase, and of the phase that counts in `Ready`.
    let message = condition::truncate(&phase.message, PHASE_MESSAGE);
    condition::set(&mut status.conditions, phase.name.condition(), holds, reason, &message, generation, now);
}

/// `Ready` and its kstatus companions, and `Succeeded`.
fn summary_conditions(status: &mut DatabricksReleaseStatus, now: Timestamp) {
    let (reason, message) = words(status);
    let good = status.result.is_good();
    let (summary, succeeded) = match (status.state == ReleaseState::Finished, good) {
        (false, _) => (Summary::Reconciling, Status::Unknown),
        (true, true) => (Summary::Ready, Status::True),
        (true, false) => (Summary::Stalled, Status::False),
    };
    let generation = status.observed_generation;
    condition::summarize(&mut status.conditions, summary, reason, &message, generation, now);
    condition::set(&mut status.conditions, SUCCEEDED, succeeded, reason, &message, generation, now);
}

/// The reason and message of the summary: what the speaking phase says.
fn words(status: &DatabricksReleaseStatus) -> (Reason, String) {
    let phase = speaking(status);
    let of_phase = |p: &PhaseStatus| format!("{}: {}", p.name, p.message);
    match (status.state, status.result, &status.waiting) {
        (_, _, Some(waiting)) => (waiting.reason, waiting.message.clone()),
        (ReleaseState::Finished, ReleaseResult::Succeeded, _) => (Reason::Succeeded, success(status)),
        (ReleaseState::Finished, ReleaseResult::SucceededWithIssues, _) => {
            (Reason::SucceededWithIssues, with_issues(status))
        }
        _ => match phase {
            Some(phase) => {
                let busy = !matches!(status.state, ReleaseState::Finished) && phase.state.is_good();
                let reason = if busy { Reason::Progressing } else { phase.reason.unwrap_or(Reason::Progressing) };
                (reason, of_phase(phase))
            }
            None => match status.phases.first() {
                Some(build) => (build.reason.unwrap_or(Reason::Progressing), of_phase(build)),
                None => (Reason::Progressing, "seen".to_owned()),
            },
        },
    }
}

fn with_issues(status: &DatabricksReleaseStatus) -> String {
    let first = status.issues.first().map(|issue| format!(": {}: {}", issue.name, issue.message));
    format!("{}, with {} issues{}", success(status), status.issue_count, first.unwrap_or_default())
}

fn success(status: &DatabricksReleaseStatus) -> String {
    let good = |p: &&PhaseStatus| p.state.is_good();
    let done = status.phases.iter().filter(good);
    let names: Vec<String> = done.map(|phase| phase.name.to_string()).collect();
    match status.tests.summary.as_str() {
        "" => format!("{} succeeded", names.join(", ")),
        tests => format!("{} succeeded, {tests} tests passed", names.join(", ")),
    }
}
