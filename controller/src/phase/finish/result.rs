//! How a release ended: pure.

use brickline_crds::{DatabricksReleaseStatus, PhaseState, PhaseStatus, ReleaseResult};

/// Whether a phase that was planned turned out not to be due: out of date, superseded. One that was never asked for has
/// no reason.
pub(crate) fn was_not_due(phase: &PhaseStatus) -> bool {
    phase.state == PhaseState::Skipped && phase.reason.is_some()
}

/// How a release whose phases are all over ended: the worst wins.
pub(crate) fn result(status: &DatabricksReleaseStatus) -> ReleaseResult {
    let any = |state: PhaseState| status.phases.iter().any(|phase| phase.state == state);
    if any(PhaseState::Failed) {
        ReleaseResult::Failed
    } else if any(PhaseState::TimedOut) {
        ReleaseResult::TimedOut
    } else if any(PhaseState::Canceled) {
        ReleaseResult::Canceled
    } else if status.phases.iter().any(was_not_due) {
        ReleaseResult::Skipped
    } else if any(PhaseState::SucceededWithIssues) {
        ReleaseResult::SucceededWithIssues
    } else if any(PhaseState::Succeeded) {
        ReleaseResult::Succeeded
    } else {
        ReleaseResult::Skipped
    }
}
