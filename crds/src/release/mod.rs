//! `DatabricksRelease`: one run, immutable in what it releases.

mod artifact;
mod build;
mod bundle;
mod compute;
pub(crate) mod connect;
mod deploy;
mod install;
mod job;
mod limits;
mod operate;
mod rules;
pub(crate) mod same_cluster;
mod source;
mod status;
mod task;
mod test;
pub(crate) mod within;

use std::collections::{BTreeMap, BTreeSet};

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::{ExtraApprovals, LocalRef, Phase, Reporting, annotations, pattern};

pub use artifact::RemoteArtifact;
pub use build::{Build, BuildOnly, BuildTests, Required, Resources};
pub use bundle::Bundle;
pub use compute::{Autoscale, Compute, ComputeKind, DataSecurityMode, NewCluster, RuntimeEngine, Serverless};
pub use connect::DatabricksConnect;
pub use deploy::{Deploy, DeployItem, DeployLibraries, Drift, ItemKind, OnDrift};
pub use install::{Install, InstallLibrary, MavenLibrary, PackageLibrary, Restart, WhenIdle};
pub use job::{BuildJob, BuildStep, MatrixCopy, PlannedJob, StepCondition, Strategy};
pub use limits::{Backoff, OnFailure, PhaseRetries, Retries, Timeouts, WaitLimits};
pub use operate::{DatabricksJob, JobSchedule, JobTask, Operate};
pub use rules::{MaxDuration, Regression, Rules};
pub use source::{ArtifactFrom, Cause, GitSource, ReleaseReason, Source};
pub use status::{
    ApprovalRecord, Artifact, BuildJobStatus, BundleTicket, Changes, DatabricksReleaseStatus, DeployTicket,
    FirstFailure, Issue, JobStatus, LockTicket, PhaseStatus, ReleaseResult, ReleaseState, RestartTicket, RunTicket,
    StartTicket, Stopping, TestCounts, TestVerdict, Tests, Ticket, Waited, Waiting,
};
pub use task::{NotebookSource, PythonWheel, Runs, SparkPython};
pub use test::{Fixture, Framework, GitProvider, InnerTests, NotebookTest, Select, TaskTest, Test, TestSource};

/// What is over is not looked at again: nobody would tell that it was changed, and whoever waits for it would wait for ever.
const FINISHED: &str = "!has(oldSelf.status) || !has(oldSelf.status.state) || oldSelf.status.state != 'Finished' || \
    (self.spec.suspend == oldSelf.spec.suspend && self.spec.cancel == oldSelf.spec.cancel)";
const FINISHED_MESSAGE: &str = "this release has finished: there is nothing left to suspend, resume or cancel";

/// One run: one commit to one workspace. Everything but `suspend` and `cancel` is immutable.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "brickline.dev",
    version = "v1alpha1",
    kind = "DatabricksRelease",
    namespaced,
    status = "DatabricksReleaseStatus",
    shortname = "dbrel",
    category = "brickline",
    derive = "PartialEq",
    doc = "One run: one commit, built, deployed, installed and tested in one workspace.",
    selectable = ".status.result",
    selectable = ".spec.workspaceRef.name",
    selectable = ".spec.source.git.ref",
    selectable = ".spec.source.git.commit",
    selectable = ".status.branch",
    printcolumn(name = "Pipeline", type_ = "string", json_path = ".metadata.labels.brickline\\.dev/pipeline"),
    printcolumn(name = "Run", type_ = "string", json_path = ".status.run"),
    printcolumn(name = "Commit", type_ = "string", json_path = ".metadata.labels.brickline\\.dev/commit"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Tests", type_ = "string", json_path = ".status.tests.summary"),
    printcolumn(name = "Started", type_ = "date", json_path = ".status.startTime"),
    printcolumn(name = "Duration", type_ = "string", json_path = ".status.duration"),
    printcolumn(name = "Branch", type_ = "string", json_path = ".status.branch", priority = 1),
    printcolumn(name = "Result", type_ = "string", json_path = ".status.result", priority = 1),
    printcolumn(name = "Reason", type_ = "string", json_path = ".spec.reason", priority = 1),
    printcolumn(name = "Queued", type_ = "date", json_path = ".metadata.creationTimestamp", priority = 1),
    printcolumn(name = "Requested-For", type_ = "string", json_path = ".spec.requestedFor", priority = 1),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].message", priority = 1),
    validation = Rule::new("size(self.metadata.name) <= 63").message("metadata.name may have at most 63 characters: it is a label of the build's Job"),
    validation = Rule::new(FINISHED).message(FINISHED_MESSAGE)
)]
#[cfg_attr(test, kube(cel))]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.workspaceRef) == has(oldSelf.workspaceRef) && has(self.stage) == has(oldSelf.stage) && has(self.requestedBy) == has(oldSelf.requestedBy) && has(self.requestedFor) == has(oldSelf.requestedFor) && has(self.cause) == has(oldSelf.cause) && has(self.startAt) == has(oldSelf.startAt) && has(self.parameters) == has(oldSelf.parameters) && has(self.tags) == has(oldSelf.tags) && has(self.approvals) == has(oldSelf.approvals)").message("a release is immutable but for suspend and cancel: create another one"))]
#[x_kube(validation = Rule::new("!has(self.startAt) || (has(self.source.artifactFrom) && has(self.workspaceRef))").message("startAt needs source.artifactFrom and workspaceRef: what is not built must come from another release"))]
#[x_kube(validation = Rule::new("!(self.reason in ['promotion', 'rollback', 'buildCompletion']) || has(self.source.artifactFrom)").message("reasons promotion, rollback and buildCompletion need source.artifactFrom: they release what another release built"))]
#[x_kube(validation = Rule::new("(self.reason == 'pullRequest') == (has(self.source.git) && self.source.git.ref.matches('^refs/(pull|merge-requests)/'))").message("reason pullRequest and the ref of a pull request, such as refs/pull/12/head, go together: what nobody has merged is released nowhere else"))]
#[x_kube(validation = Rule::new("self.reason != 'pullRequest' || (!has(self.stage) && self.install.clusters.size() == 0)").message("a release of a pull request has no stage, and installs nothing on clusters that others use"))]
#[x_kube(validation = Rule::new(same_cluster::RELEASE).message(same_cluster::MESSAGE))]
#[x_kube(validation = Rule::new(same_cluster::JOBS).message(same_cluster::JOBS_MESSAGE))]
#[x_kube(validation = Rule::new(same_cluster::CONNECT).message(same_cluster::CONNECT_MESSAGE))]
#[x_kube(validation = Rule::new(within::TESTS).message(within::TESTS_MESSAGE))]
#[x_kube(validation = Rule::new(within::JOBS).message(within::JOBS_MESSAGE))]
#[x_kube(validation = Rule::new(connect::WORKSPACE).message(connect::WORKSPACE_MESSAGE))]
#[x_kube(validation = Rule::new("has(self.workspaceRef) || !has(self.operate) || ((!has(self.operate.jobs) || size(self.operate.jobs) == 0) && (!has(self.operate.prune) || !self.operate.prune))").message("operate needs workspaceRef: a job belongs to a workspace"))]
pub struct DatabricksReleaseSpec {
    /// What is released: exactly one source.
    #[x_kube(validation = Rule::new("self == oldSelf").message("source is immutable: create another release"))]
    #[x_kube(validation = Rule::new("[has(self.git), has(self.artifactFrom), has(self.artifact)].filter(x, x).size() == 1").message("source needs exactly one of git (a repository, ref and commit to build), artifactFrom (releases whose artifacts are deployed) or artifact (the url and digest of one that was built elsewhere)"))]
    pub source: Source,
    /// The pipeline's stage it releases to. None: it belongs to no stage. Example: `staging`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 40))]
    #[x_kube(validation = Rule::new(pattern::WORD).message("stage is a lower-case word of a-z, 0-9 and '-'"))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("stage is immutable: create another release"))]
    pub stage: Option<String>,
    /// Why the release exists. Default: `manual`.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self == oldSelf").message("reason is immutable"))]
    pub reason: ReleaseReason,
    /// The release this one follows from: promoted from it, rolled back because of it, or run again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self == oldSelf").message("cause is immutable"))]
    pub cause: Option<Cause>,
    /// Words to find releases by: each becomes a label `tags.brickline.dev/<tag>`. Example: `[nightly]`. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 63)))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("tags are immutable"))]
    #[x_kube(validation = Rule::new("self.all(tag, tag.matches('^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$'))").message("tags are words of letters, digits, '-', '_' and '.', at most 63 characters"))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub tags: Vec<String>,
    /// Who created it, as Kubernetes knows them. The admission policy takes nothing but the caller's own name. None:
    /// the controller, on somebody's merge. Example: `ana@example.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 320))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("requestedBy is immutable"))]
    pub requested_by: Option<String>,
    /// Who merged or pushed, as the forge knows them. None: nobody is known. Example: `ana@example.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 320))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("requestedFor is immutable"))]
    pub requested_for: Option<String>,
    /// The workspace to release to. None: the release ends after Build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self == oldSelf").message("workspaceRef is immutable: create another release"))]
    pub workspace_ref: Option<LocalRef>,
    /// Values for `$(params.NAME)` in the strings of this spec. What is missing has the pipeline's default. Example:
    /// `{env: staging}`. Default: none of its own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64), extend("additionalProperties" = {"type": "string", "maxLength": 4096}))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("parameters are immutable: create another release"))]
    #[x_kube(validation = Rule::new("self.all(name, name.matches('^[A-Za-z_][A-Za-z0-9_]{0,62}$'))").message("parameter names are words of letters, digits and '_', at most 63 characters"))]
    pub parameters: BTreeMap<String, String>,
    /// The phase to begin with; the ones before it are skipped. Default: the first. For running a release again from
    /// one phase on, with the artifact it built before. Example: `Test`.
    // The field's own words, not those of its type.
    #[schemars(with = "Phase")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self == oldSelf").message("startAt is immutable: create another release"))]
    #[x_kube(validation = Rule::new("self in ['Deploy', 'Install', 'Test', 'Operate']").message("startAt is Deploy, Install, Test or Operate"))]
    pub start_at: Option<Phase>,
    /// Approvals that the pipeline's stage asks for beyond the workspace's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self == oldSelf").message("approvals are immutable: create another release"))]
    pub approvals: Option<ExtraApprovals>,
    /// How the artifact is built.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self == oldSelf").message("build is immutable: create another release"))]
    pub build: Build,
    /// What goes where in the workspace.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self == oldSelf").message("deploy is immutable: create another release"))]
    pub deploy: Deploy,
    /// Libraries on clusters.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self == oldSelf").message("install is immutable: create another release"))]
    pub install: Install,
    /// Notebooks that are run as tests.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self == oldSelf").message("test is immutable: create another release"))]
    pub test: Test,
    /// The jobs that run what was tested.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self == oldSelf").message("operate is immutable: create another release"))]
    pub operate: Operate,
    /// What the forge is told.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self == oldSelf").message("reporting is immutable"))]
    pub reporting: Reporting,
    /// How long the release, each phase and each attempt may take.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self == oldSelf").message("timeouts are immutable: create another release"))]
    pub timeouts: Timeouts,
    /// How long it may wait for what others hold.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self == oldSelf").message("waiting is immutable: create another release"))]
    pub waiting: WaitLimits,
    /// How often a fault that can heal is tried again.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self == oldSelf").message("retries are immutable: create another release"))]
    pub retries: Retries,
    /// What follows when it fails after Deploy began. Default: `None`.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self == oldSelf").message("onFailure is immutable: create another release"))]
    pub on_failure: OnFailure,
    /// Starts no new phase while true; work under way goes on. Default: false.
    #[serde(default)]
    pub suspend: bool,
    /// Asks the work to stop. Can't be taken back. Default: false.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self || !oldSelf").message("cancel can't be taken back: create another release"))]
    pub cancel: bool,
}

impl DatabricksRelease {
    /// Why a user wants the release to stop, in words; none if nobody does.
    #[must_use]
    pub fn is_canceled(&self) -> Option<&'static str> {
        if self.metadata.deletion_timestamp.is_some() {
            return Some("the release was deleted");
        }
        self.spec.cancel.then_some("canceled by spec.cancel")
    }

    /// Everybody who asked for it: for this release, and for those that led to it.
    #[must_use]
    pub fn requesters(&self) -> BTreeSet<String> {
        let before = self.metadata.annotations.as_ref().map(annotations::requesters).unwrap_or_default();
        [&self.spec.requested_by, &self.spec.requested_for].into_iter().flatten().cloned().chain(before).collect()
    }
}

#[cfg(test)]
mod tests;
