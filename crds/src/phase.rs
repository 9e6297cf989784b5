//! The phases of a release, their states, and the reasons that conditions, events and metrics share.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumIter, IntoStaticStr};

/// One part of a release's road, always in this order.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    Display,
    EnumIter,
    IntoStaticStr,
)]
pub enum Phase {
    /// A Job: checkout, steps, pytest, wheel, collect. Leaves the artifact.
    Build,
    /// Artifact into the workspace: notebooks, files, wheels.
    Deploy,
    /// Libraries on the cluster.
    Install,
    /// Notebooks as one-time runs.
    Test,
    /// The jobs that run what was tested.
    Operate,
}

impl Phase {
    /// The condition type that says this phase succeeded.
    #[must_use]
    pub fn condition(self) -> &'static str {
        match self {
            Self::Build => "Built",
            Self::Deploy => "Deployed",
            Self::Install => "Installed",
            Self::Test => "Tested",
            Self::Operate => "Operated",
        }
    }
}

/// Where a phase is.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    Display,
    EnumIter,
    IntoStaticStr,
)]
pub enum PhaseState {
    /// Not begun.
    #[default]
    Pending,
    /// Begun; its ticket says where its work is.
    Running,
    /// Ended well.
    Succeeded,
    /// Ended well, but with issues that the release's status names.
    SucceededWithIssues,
    /// Ended badly; `reason` and `message` say why.
    Failed,
    /// Took longer than its timeout.
    TimedOut,
    /// Stopped because a user canceled the release.
    Canceled,
    /// Not asked for, or an earlier phase did not succeed.
    Skipped,
}

impl PhaseState {
    /// Whether nothing more will happen in this phase.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }

    /// Whether it was asked for and ended well, with or without issues.
    #[must_use]
    pub fn is_good(self) -> bool {
        matches!(self, Self::Succeeded | Self::SucceededWithIssues)
    }

    /// Whether the release may go on to the next phase.
    #[must_use]
    pub fn lets_pass(self) -> bool {
        matches!(self, Self::Succeeded | Self::SucceededWithIssues | Self::Skipped)
    }
}

/// Why a condition has its status: the one vocabulary of conditions, events, logs and metrics.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    Display,
    EnumIter,
    IntoStaticStr,
    strum::EnumString,
)]
pub enum Reason {
    /// Work is under way.
    Progressing,
    /// A fault that can heal; another attempt will follow.
    ProgressingWithRetry,
    /// Ended well.
    Succeeded,
    /// Ended well, with issues that are named.
    SucceededWithIssues,
    /// Nothing to do by the object's own wish.
    Suspended,
    /// Waits for its turn among the pipeline's releases, or for a free build slot.
    WaitingForSlot,
    /// Waits for a cluster or a target folder that another release works on.
    WaitingForCluster,
    /// Waits for people to approve it.
    WaitingForApproval,
    /// Waits for a release window of the workspace to open.
    WaitingForWindow,
    /// Something the object refers to is missing or not ready.
    DependencyNotReady,
    /// The spec can't be carried out as written.
    InvalidSpec,
    /// A right is missing; the message names the binding to create.
    NotAuthorized,
    /// Databricks or the forge rejected the credentials.
    AuthenticationFailed,
    /// The workspace did not answer, or not as Databricks does.
    WorkspaceUnreachable,
    /// The repository could not be checked out at the commit.
    CheckoutFailed,
    /// A build step failed.
    BuildFailed,
    /// A test of the build failed.
    TestsFailed,
    /// Tests were asked for and no report was found.
    NoTestReport,
    /// The build's pod was lost with its node, or evicted.
    RunnerLost,
    /// The image's Python is not the one asked for.
    RuntimeMismatch,
    /// The artifact could not be made, stored or read.
    ArtifactFailed,
    /// Something could not be written into the workspace.
    DeployFailed,
    /// Somebody else changed what a release had put into the workspace.
    Drifted,
    /// Another installation of the controller, or another release, deploys to the same place.
    TargetTaken,
    /// A library could not be installed.
    InstallFailed,
    /// A job could not be created, set right or deleted.
    OperateFailed,
    /// The cluster can't run.
    ClusterNotReady,
    /// A notebook's run did not succeed.
    NotebookFailed,
    /// A test inside a notebook failed.
    InnerTestsFailed,
    /// A notebook ran longer than its limit.
    DurationExceeded,
    /// The phase or the release took longer than its timeout.
    TimedOut,
    /// Work was asked to stop and did not within the grace: it may still be alive.
    CancelTimedOut,
    /// Canceled by a user.
    Canceled,
    /// An approver said no.
    Rejected,
    /// A newer commit took its place.
    Superseded,
    /// The stage's last good artifact was deployed again.
    RolledBack,
    /// The commit is no longer on its ref.
    OutOfDate,
    /// No changed path matches the trigger's.
    PathsNotMatched,
    /// Only merges are released, and the commit isn't one.
    NotAMerge,
    /// A fault of the controller itself.
    InternalError,
}

#[cfg(test)]
mod tests {
    use super::*;
    use strum::IntoEnumIterator;

    #[test]
    fn the_road_has_one_order() {
        let road: Vec<String> = Phase::iter().map(|phase| phase.to_string()).collect();
        assert_eq!(road, ["Build", "Deploy", "Install", "Test", "Operate"]);
        assert!(Phase::iter().is_sorted());
    }

    #[test]
    fn reasons_are_camel_case_words() {
        for reason in Reason::iter() {
            let word = reason.to_string();
            assert!(word.chars().all(char::is_alphabetic), "{word}: Kubernetes wants a CamelCase reason");
        }
    }
}
