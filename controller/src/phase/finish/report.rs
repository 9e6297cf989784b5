//! What the forge is told of a commit: pure.

use brickline_crds::{DatabricksRelease, DatabricksReleaseStatus, Phase, PhaseState, Provider, condition::truncate};

use crate::forge::{Report, ReportState, origin};

/// The longest description forges show: GitHub takes 140 characters.
const DESCRIPTION: usize = 140;

/// Whether the release's forge is told at all.
pub(crate) fn is_reported(release: &DatabricksRelease) -> bool {
    let provider = origin(release).map(|git| git.provider);
    release.spec.reporting.commit_status && provider.is_some_and(|provider| provider != Provider::Generic)
}

/// What the forge is told when a release begins.
pub(crate) fn pending() -> Report {
    let description = "Brickline is releasing this commit".to_owned();
    Report { state: ReportState::Pending, description, link: None }
}

/// What the forge is told when a release is over: success, or the first failing test, or what failed.
pub(crate) fn verdict(status: &DatabricksReleaseStatus) -> Report {
    let bad = |state: PhaseState| matches!(state, PhaseState::Failed | PhaseState::TimedOut | PhaseState::Canceled);
    let Some(failed) = status.phases.iter().find(|phase| bad(phase.state)) else {
        return Report { state: ReportState::Success, description: success(status), link: None };
    };
    let first = status.tests.first_failures.first().filter(|_| matches!(failed.name, Phase::Build | Phase::Test));
    let description = match first {
        Some(failure) => format!("{}: {}", failure.name, failure.message),
        None => format!("{}: {}", failed.name, failed.message),
    };
    let one_line = description.split_whitespace().collect::<Vec<_>>().join(" ");
    let link = first.and_then(|failure| failure.page.clone());
    Report { state: ReportState::Failure, description: truncate(&one_line, DESCRIPTION), link }
}

fn success(status: &DatabricksReleaseStatus) -> String {
    // A phase that was planned and turned out not to be due says why; one that was never asked for has no reason.
    if let Some(skipped) = status.phases.iter().find(|p| p.state == PhaseState::Skipped && p.reason.is_some()) {
        return truncate(&format!("not released: {}", skipped.message), DESCRIPTION);
    }
    let done: Vec<String> = status.phases.iter().filter(|p| p.state.is_good()).map(|p| p.name.to_string()).collect();
    let tests = match status.tests.summary.as_str() {
        "" => String::new(),
        tests => format!("; tests {tests}"),
    };
    let issues = match status.issues.first() {
        Some(first) => format!("; {} issues, the first: {}", status.issue_count, first.name),
        None => String::new(),
    };
    truncate(&format!("{}{tests}{issues}", done.join(", ")), DESCRIPTION)
}

#[cfg(test)]
mod tests {
    use brickline_crds::{FirstFailure, PhaseStatus, Reason};
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(Phase::Test, Some("https://page"))]
    #[case(Phase::Deploy, None)]
    fn the_page_of_the_first_failing_run_is_linked(#[case] failed: Phase, #[case] link: Option<&str>) {
        let mut status = DatabricksReleaseStatus::default();
        let page = Some("https://page".to_owned());
        let [name, message] = ["notebooks/a.py", "1 != 2"].map(str::to_owned);
        status.tests.first_failures.push(FirstFailure { name, message, page });
        let (state, reason) = (PhaseState::Failed, Some(Reason::NotebookFailed));
        status.phases.push(PhaseStatus { state, reason, ..PhaseStatus::pending(failed) });
        assert_eq!(verdict(&status).link.as_deref(), link);
        status.phases[0].state = PhaseState::Succeeded;
        assert_eq!(verdict(&status).link, None);
    }
}
