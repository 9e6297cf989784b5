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

#[cfg(test)]
mod tests {
    use brickline_crds::{Phase, Reason};
    use rstest::rstest;

    use super::*;

    /// What was never asked for is neutral; what was, and turned out not to be due, says that nothing reached its stage.
    #[rstest]
    #[case(PhaseState::SucceededWithIssues, None, ReleaseResult::SucceededWithIssues)]
    #[case(PhaseState::SucceededWithIssues, Some(Reason::OutOfDate), ReleaseResult::Skipped)]
    #[case(PhaseState::Succeeded, None, ReleaseResult::Succeeded)]
    #[case(PhaseState::Succeeded, Some(Reason::Superseded), ReleaseResult::Skipped)]
    #[case(PhaseState::Canceled, Some(Reason::Superseded), ReleaseResult::Canceled)]
    fn a_skipped_phase_decides_only_if_it_was_asked_for(
        #[case] build: PhaseState,
        #[case] skipped: Option<Reason>,
        #[case] expected: ReleaseResult,
    ) {
        let mut status = DatabricksReleaseStatus::default();
        status.phases.push(PhaseStatus { state: build, ..PhaseStatus::pending(Phase::Build) });
        let deploy = PhaseStatus { state: PhaseState::Skipped, reason: skipped, ..PhaseStatus::pending(Phase::Deploy) };
        status.phases.push(deploy);
        assert_eq!(result(&status), expected);
    }
}
