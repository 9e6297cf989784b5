//! A commit status, whatever the forge.

/// What the forge is told of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) state: ReportState,
    pub(crate) description: String,
    /// Where to look: the page of the run that failed first.
    pub(crate) link: Option<String>,
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
