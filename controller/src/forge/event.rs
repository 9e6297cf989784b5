//! What happened in a repository, whoever told of it: a webhook, or the repository itself when it was asked.

use brickline_crds::labels;
use jiff::Timestamp;

/// A branch that moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Push {
    /// The forms of the repository's clone URL; empty if the repository itself was asked.
    pub(crate) repository_urls: Vec<String>,
    /// The full ref, always of a branch: `refs/heads/release`.
    pub(crate) reference: String,
    /// The commit the branch is at now: 40 or 64 hex characters in lower case.
    pub(crate) commit: String,
    /// The commit the branch was at before, as the forge tells it; none for a new branch, or if nobody told.
    pub(crate) before: Option<String>,
    /// Who pushed or merged, as the forge knows them: an address or a login.
    pub(crate) pusher: Option<String>,
}

impl Push {
    /// The branch's name, without `refs/heads/`.
    pub(crate) fn branch(&self) -> &str {
        labels::branch_of(&self.reference)
    }
}

/// What happened to a pull request that matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PullRequest {
    /// The forms of the clone URL of the repository that it is to be merged into.
    pub(crate) repository_urls: Vec<String>,
    /// Its number there.
    pub(crate) number: u64,
    pub(crate) action: Action,
    /// The branch it is to be merged into, in full: `refs/heads/release`.
    pub(crate) target: String,
    /// Its newest commit: 40 or 64 hex characters in lower case.
    pub(crate) commit: String,
    /// The commit before that one, if the forge tells.
    pub(crate) before: Option<String>,
    /// Whether its commits come from another repository.
    pub(crate) is_fork: bool,
    /// Who opened it, as the forge knows them.
    pub(crate) author: Option<String>,
    /// When it came to this commit, if it was open before: it may have been at it already.
    pub(crate) again: Option<Timestamp>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// It was opened, or has another commit.
    Build,
    /// It was closed, merged or not.
    Close,
}

impl PullRequest {
    /// The ref under which the repository itself has its newest commit.
    pub(crate) fn reference(&self) -> String {
        format!("refs/pull/{}/head", self.number)
    }

    /// The branch it is to be merged into, without `refs/heads/`.
    pub(crate) fn branch(&self) -> &str {
        labels::branch_of(&self.target)
    }
}
