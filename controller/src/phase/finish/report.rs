//! What the forge is told of a commit: pure.

use brickline_crds::{DatabricksRelease, DatabricksReleaseStatus, Phase, PhaseState, Provider, condition::truncate};

use crate::phase::origin;

/// The longest description forges show: GitHub takes 140 characters.
const DESCRIPTION: usize = 140;

/// What the forge is told of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) state: ReportState,
    pub(crate) description: String,
}

/// A commit status, in the words of GitHub and Gitea.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub(crate) enum ReportState {
    /// Under way.
    Pending,
    /// Ended well.
    Success,
    /// Ended badly.
    Failure,
}

/// Whether the release's forge is told at all.
pub(crate) fn is_reported(release: &DatabricksRelease) -> bool {
    let provider = origin(release).map(|git| git.provider);
    release.spec.reporting.commit_status && provider.is_some_and(|provider| provider != Provider::Generic)
}

/// What the forge is told when a release begins.
pub(crate) fn pending() -> Report {
    Report { state: ReportState::Pending, description: "Brickline is releasing this commit".to_owned() }
}

/// What the forge is told when a release is over: success, or the first failing test, or what failed.
pub(crate) fn verdict(status: &DatabricksReleaseStatus) -> Report {
    let bad = |state: PhaseState| matches!(state, PhaseState::Failed | PhaseState::TimedOut | PhaseState::Canceled);
    let Some(failed) = status.phases.iter().find(|phase| bad(phase.state)) else {
        return Report { state: ReportState::Success, description: success(status) };
    };
    let first = status.tests.first_failures.first().filter(|_| matches!(failed.name, Phase::Build | Phase::Test));
    let description = match first {
        Some(failure) => format!("{}: {}", failure.name, failure.message),
        None => format!("{}: {}", failed.name, failed.message),
    };
    let one_line = description.split_whitespace().collect::<Vec<_>>().join(" ");
    Report { state: ReportState::Failure, description: truncate(&one_line, DESCRIPTION) }
}

fn success(status: &DatabricksReleaseStatus) -> String {
    let done: Vec<String> =
        status.phases.iter().filter(|p| p.state == PhaseState::Succeeded).map(|p| p.name.to_string()).collect();
    if done.is_empty() {
        let why = status.phases.first().map(|build| build.message.as_str()).unwrap_or_default();
        return truncate(&format!("not released: {why}"), DESCRIPTION);
    }
    match status.tests.summary.as_str() {
        "" => done.join(", "),
        tests => format!("{}; tests {tests}", done.join(", ")),
    }
}
