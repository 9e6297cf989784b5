//! What the controller knows of a release. Conditions, columns and result are derived from `phases`.

mod phase;
mod ticket;
mod waited;

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::source::GitSource;
use crate::{Decision, GoDuration, Phase, Reason};

pub use phase::{BuildJobStatus, PhaseStatus, Stopping};
pub use ticket::{BundleTicket, DeployTicket, RestartTicket, RunTicket, StartTicket, TestVerdict, Ticket};
pub use waited::Waited;

/// A release's status. Small by design: counts, first failures, digests and places; the rest is in the artifact store.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DatabricksReleaseStatus {
    /// The generation last looked at; -1 until then.
    pub observed_generation: i64,
    /// The pipeline's number for this run: day in UTC and a counter. Example: `20261121.1`.
    #[schemars(length(max = 20))]
    pub run: String,
    /// Where the release is.
    pub state: ReleaseState,
    /// What it waits for; absent while it works.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// How long it has waited for other things at the same gate: no limit of `spec.waiting` begins anew after an
    /// interruption.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["reason"]))]
    pub waited: Vec<Waited>,
    /// The phase under way, or the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// How it ended; empty until then.
    pub result: ReleaseResult,
    /// When the first phase began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Time>,
    /// When it ended; set exactly once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completion_time: Option<Time>,
    /// From start to end, filled at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<GoDuration>,
    /// How long its phases worked, waiting left out; filled as phases end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_seconds: Option<u64>,
    /// The branch or tag that it is of, without `refs/heads/`; empty if nobody knows. Example: `release/1.2`.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 512))]
    pub branch: String,
    /// What the artifact was built from, if the release took it from others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<GitSource>,
    /// What the spec's `$(...)` stood for when the release began. Values from Secrets are never here.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 192), extend("additionalProperties" = {"type": "string", "maxLength": 4096}))]
    pub variables: BTreeMap<String, String>,
    /// Who approved or rejected it, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["approver"]))]
    pub approvals: Vec<ApprovalRecord>,
    /// The clusters and target folders it holds, or is about to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 120))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub locks: Vec<LockTicket>,
    /// Every phase, in the order of the road.
    #[schemars(length(max = 8))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub phases: Vec<PhaseStatus>,
    /// What the build left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Artifact>,
    /// What Deploy changes in the workspace, or has changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<Changes>,
    /// Test counts and the first failures.
    pub tests: Tests,
    /// The jobs that Operate has left.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub jobs: Vec<JobStatus>,
    /// What went wrong without failing the release: flaky tests, failures that `continueOnError` lets pass. The first
    /// twenty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub issues: Vec<Issue>,
    /// How many issues there are.
    #[serde(skip_serializing_if = "is_zero")]
    pub issue_count: u32,
    /// The value of annotation `brickline.dev/requestedAt` last acted on.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 256))]
    pub last_handled_requested_at: String,
    /// The commit status last sent to the forge.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20))]
    pub reported: Option<String>,
    /// The trace of this release, 32 hex characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub trace_id: Option<String>,
    /// `Ready`, `Reconciling`, `Stalled`, `Succeeded` and one for each phase (`Built`, `Deployed`, ...).
    #[schemars(schema_with = "crate::condition::schema")]
    pub conditions: Vec<Condition>,
}

impl Default for DatabricksReleaseStatus {
    fn default() -> Self {
        Self {
            observed_generation: -1,
            run: String::new(),
            state: ReleaseState::default(),
            waiting: None,
            waited: Vec::new(),
            phase: None,
            result: ReleaseResult::default(),
            start_time: None,
            completion_time: None,
            duration: None,
            active_seconds: None,
            branch: String::new(),
            origin: None,
            variables: BTreeMap::new(),
            approvals: Vec::new(),
            locks: Vec::new(),
            phases: Vec::new(),
            artifact: None,
            changes: None,
            tests: Tests::default(),
            jobs: Vec::new(),
            issues: Vec::new(),
            issue_count: 0,
            last_handled_requested_at: String::new(),
            reported: None,
            trace_id: None,
            conditions: Vec::new(),
        }
    }
}

impl DatabricksReleaseStatus {
    /// The status of one phase, if the release has come to know it.
    #[must_use]
    pub fn phase(&self, phase: Phase) -> Option<&PhaseStatus> {
        self.phases.iter().find(|p| p.name == phase)
    }

    /// The same, to change it.
    pub fn phase_mut(&mut self, phase: Phase) -> Option<&mut PhaseStatus> {
        self.phases.iter_mut().find(|p| p.name == phase)
    }
}

/// Where a release is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::Display)]
pub enum ReleaseState {
    /// Not begun.
    #[default]
    Pending,
    /// Waits for something outside: a slot, a cluster, an approval, or its own `suspend`.
    Waiting,
    /// A phase is under way.
    Running,
    /// What is owed to others is being done: commit status, labels.
    Finishing,
    /// Nothing more will happen.
    Finished,
}

/// How a release ended.
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
    strum::Display,
    strum::IntoStaticStr,
    strum::EnumIter,
)]
pub enum ReleaseResult {
    /// It has not ended.
    #[default]
    #[serde(rename = "")]
    #[strum(serialize = "")]
    None,
    /// Every phase that was asked for succeeded.
    Succeeded,
    /// It succeeded, but something went wrong on the way that `status.issues` names.
    SucceededWithIssues,
    /// A phase failed.
    Failed,
    /// A phase took too long.
    TimedOut,
    /// A user canceled it.
    Canceled,
    /// The build found that nothing was due.
    Skipped,
}

impl ReleaseResult {
    /// Whether it ended as it should: well, with or without issues, or because nothing was due.
    #[must_use]
    pub fn is_good(self) -> bool {
        matches!(self, Self::Succeeded | Self::SucceededWithIssues | Self::Skipped)
    }
}

/// What a release waits for. The time doesn't count as active.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// `WaitingForSlot`, `WaitingForCluster`, `WaitingForApproval`, `WaitingForWindow`, `Suspended`,
    /// `DependencyNotReady`, `NotAuthorized`, `AuthenticationFailed` or `InternalError`.
    pub reason: Reason,
    /// The same for people. Example: `cluster main, held by data/dbxdemo-99a2f1c0de42`.
    #[schemars(length(max = 4096))]
    pub message: String,
    /// Since when: `spec.waiting` counts from here. Earlier waits for the same at this gate move it back.
    pub since: Time,
    /// When it ends without anybody's doing: a window opens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}

/// A cluster or a target folder that one release at a time works on: a Lease in the controller's namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct LockTicket {
    /// The Lease's name.
    #[schemars(length(max = 63))]
    pub name: String,
    /// What it stands for. Example: `cluster 0123-456789-abc of https://adb-123.4.azuredatabricks.net`.
    #[schemars(length(max = 1024))]
    pub target: String,
    /// It is kept although the release has ended: work may still be alive, or a rollback takes it over.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub kept: bool,
}

/// One person's decision on this release.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalRecord {
    /// Who, as Kubernetes knows them.
    #[schemars(length(max = 320))]
    pub approver: String,
    /// What they decided.
    pub decision: Decision,
    /// Why, in their words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub comment: String,
    /// When.
    pub time: Time,
}

/// A job of Databricks that runs what the release tested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobStatus {
    /// Its name. Example: `dbxdemo nightly`.
    #[schemars(length(max = 128))]
    pub name: String,
    /// Databricks' id for it.
    pub id: i64,
    /// When it comes next, as seen when it was left; none without a schedule that counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_run: Option<Time>,
}

/// Something that went wrong without failing the release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Issue {
    /// What kind of trouble.
    pub reason: Reason,
    /// The notebook or test. Example: `notebooks/dbxdemo-notebook.py`.
    #[schemars(length(max = 512))]
    pub name: String,
    /// What happened.
    #[schemars(length(max = 1024))]
    pub message: String,
}

/// What a deployment changes, in numbers. Its lists are in the artifact store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Changes {
    /// Notebooks and files that were not there before.
    pub added: u32,
    /// Those with another content than the last release left.
    pub changed: u32,
    /// Those that the repository no longer has.
    pub removed: u32,
    /// Those that somebody else changed.
    pub drifted: u32,
    /// Those that are as they should be.
    pub unchanged: u32,
    /// Wheels and other libraries that are put to the library root.
    pub libraries: u32,
    /// Where the lists are in the artifact store.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 512))]
    pub report: String,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // the shape serde asks for
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// What the build left in the artifact store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Artifact {
    /// `sha256:` and 64 hex characters.
    #[schemars(length(max = 80))]
    pub digest: String,
    /// Bytes.
    pub size: i64,
    /// Where it is in the artifact store.
    #[schemars(length(max = 512))]
    pub uri: String,
}

/// Test counts and the first failures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Tests {
    /// Passed and all, of every phase so far. Example: `3/4`.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 24))]
    pub summary: String,
    /// The tests of the build.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build: Option<TestCounts>,
    /// The tests in notebooks; a notebook without tests of its own counts as one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notebooks: Option<TestCounts>,
    /// The first failures, at most ten.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub first_failures: Vec<FirstFailure>,
    /// Where the JUnit report of the last phase with tests is in the artifact store.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub report: Option<String>,
}

/// How many tests there were and how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TestCounts {
    /// All.
    pub total: u32,
    /// Passed.
    pub passed: u32,
    /// Failed, errors included.
    pub failed: u32,
    /// Skipped.
    pub skipped: u32,
}

/// One failing test.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FirstFailure {
    /// The test's name. Example: `notebooks/dbxdemo-notebook.py: TestNotebook.test_with_status`.
    #[schemars(length(max = 512))]
    pub name: String,
    /// The assertion or error.
    #[schemars(length(max = 1024))]
    pub message: String,
    /// The page of its run in the workspace. Absent for tests of the build.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub page: Option<String>,
}
