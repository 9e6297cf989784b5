//! What becomes of a Job whose pod is gone without a verdict: pure.

use brickline_crds::{Reason, Ticket};

use crate::phase::{Ending, Step, Turn, after, backoff};

/// Another attempt after a pause, with the ticket that `next` makes of the one before, within the phase's limit. `again` says what is
/// done once more. Example: `building again`.
pub(crate) fn lost(turn: &Turn, job: &str, why: &str, again: &str, next: impl FnOnce(Ticket, u32) -> Ticket) -> Step {
    let limit = turn.spec().retries.limit_of(turn.phase.name);
    if turn.phase.attempts > limit {
        let message = format!("Job {job} was lost ({why}), as were the {limit} attempts before it");
        return Step::Ended(Box::new(turn.status.clone()), Ending::failed(Reason::RunnerLost, message));
    }
    let message = format!("Job {job} was lost ({why}); {again}");
    let pause = backoff(turn.release, job, turn.phase.attempts);
    Step::Record(turn.with_phase(|phase| {
        phase.attempts += 1;
        phase.retry_at = after(turn.now, pause);
        phase.ticket = Some(next(phase.ticket.take().unwrap_or_default(), phase.attempts));
        phase.reason = Some(Reason::ProgressingWithRetry);
        phase.message = message;
    }))
}
