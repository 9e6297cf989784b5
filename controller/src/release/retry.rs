//! What becomes of a fault: another attempt after a pause, or the end of the phase.

use std::time::Duration;

use brickline_crds::{Phase, PhaseStatus, Reason};
use jiff::Timestamp;

use super::timeout::worked;
use crate::phase::{self, Ending, Step, Trouble, Turn, backoff, left};

/// How often a suspended workspace or a Kubernetes that does not answer is tried again, and refused credentials at last:
/// they wait for people.
const UNCOUNTED: [Duration; 2] = [Duration::from_secs(15), Duration::from_mins(5)];

/// How long the phase still has to wait before its next attempt.
pub(super) fn pause(phase: &PhaseStatus, now: Timestamp) -> Option<Duration> {
    left(phase.retry_at.as_ref(), now)
}

/// A fault that can heal is waited out within the limit; any other ends the phase.
pub(super) fn after(turn: &Turn, trouble: &Trouble) -> Step {
    let limit = turn.spec().retries.limit_of(turn.phase.name);
    if trouble.is_not_counted() {
        let [first, last] = UNCOUNTED;
        let longest = if trouble.reason == Reason::AuthenticationFailed { last } else { first };
        let pause = worked(turn.phase, turn.now).clamp(first, longest);
        // It is written down once: what lasts costs no writes.
        if turn.phase.reason == Some(trouble.reason) && turn.phase.retry_at.is_some() {
            return Step::Wait(Some(pause));
        }
        return Step::Record(turn.with_phase(|phase| {
            phase.retry_at = phase::after(turn.now, pause);
            phase.reason = Some(trouble.reason);
            phase.message.clone_from(&trouble.message);
        }));
    }
    let trouble = &Trouble { reason: reason(turn, trouble.reason), ..trouble.clone() };
    let faults = turn.phase.faults + 1;
    if !trouble.transient {
        return Step::Ended(Box::new(turn.status.clone()), Ending::failed(trouble.reason, trouble.message.clone()));
    }
    if faults > limit {
        let message = format!("{} (tried {faults} times in a row)", trouble.message);
        return Step::Ended(Box::new(turn.status.clone()), Ending::failed(trouble.reason, message));
    }
    let pause = backoff(turn.release, &turn.phase.name.to_string(), faults);
    let message = format!("{}; attempt {} of {} follows", trouble.message, faults + 1, limit + 1);
    Step::Record(turn.with_phase(|phase| {
        phase.faults = faults;
        phase.retries = phase.retries.saturating_add(1);
        phase.retry_at = phase::after(turn.now, pause);
        phase.reason = Some(Reason::ProgressingWithRetry);
        phase.message = message;
    }))
}

/// What Databricks refuses is the failure of the phase that asked.
fn reason(turn: &Turn, reason: Reason) -> Reason {
    match (reason, turn.phase.name) {
        (Reason::DeployFailed, Phase::Install) => Reason::InstallFailed,
        (Reason::DeployFailed, Phase::Test) => Reason::NotebookFailed,
        (Reason::DeployFailed, Phase::Operate) => Reason::OperateFailed,
        (reason, _) => reason,
    }
}
