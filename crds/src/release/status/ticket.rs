//! Tickets: what lets a phase find work it already started. Written before the work starts.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::is_zero;
use crate::Reason;

/// What lets a phase find work it already started. Written before the work starts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Ticket {
    /// Build: the name of the Job that makes the artifact.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub job: Option<String>,
    /// Deploy: what it was planned on. Absent until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deploy: Option<DeployTicket>,
    /// Deploy: the Job of the asset bundle. Absent until the files are written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bundle: Option<BundleTicket>,
    /// Install: the clusters that must be restarted, with their Spark context before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub restarts: Vec<RestartTicket>,
    /// Install: the clusters that were down and are started.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub starts: Vec<StartTicket>,
    /// Install: the clusters that need no restart, since libraries are only added. By Databricks' ids.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(max = 100)))]
    pub additions: Vec<String>,
    /// Install: since when it waits for other runs on the clusters; `install.whenIdle.timeout` counts from here. Test: since
    /// when it waits, without a run of its own, for one that the workspace's `limits.runs` allows; `waiting.slot` counts
    /// from here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_since: Option<Time>,
    /// Build, Install, Test: how long it waited before that, in seconds. None of it counts as active.
    #[serde(skip_serializing_if = "is_zero")]
    pub idle_seconds: u32,
    /// Test: how many runs there are, one for each notebook or task, setup and teardown among them; 0 until they are known.
    #[serde(skip_serializing_if = "is_zero")]
    pub notebooks: u32,
    /// Test: how many of them have a verdict, or will have none. They are taken in order, so the next one's index is
    /// `done + inFlight`.
    #[serde(skip_serializing_if = "is_zero")]
    pub done: u32,
    /// Build: the first failure of a job. Test: the first verdict against a notebook.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<TestVerdict>,
    /// Test: runs that were submitted, or are about to be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 51))]
    pub in_flight: Vec<RunTicket>,
}

/// What a deployment was planned on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DeployTicket {
    /// The sequence of the state file then; 0 if there was none.
    pub sequence: u64,
}

/// The Job that deploys an asset bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BundleTicket {
    /// Its name.
    #[schemars(length(max = 63))]
    pub job: String,
    /// Whether it was created: one that is gone then was taken away, and its pod may have done anything.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub created: bool,
}

/// A cluster to restart. The restart is done when the cluster's Spark context is another one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RestartTicket {
    /// The cluster's id.
    #[schemars(length(max = 100))]
    pub cluster: String,
    /// `spark_context_id` before the restart.
    #[schemars(length(max = 64))]
    pub context_before: String,
    /// When the restart was decided: `timeouts.restart` counts from here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
}

/// A cluster that was down. It is started when it runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct StartTicket {
    /// The cluster's id.
    #[schemars(length(max = 100))]
    pub cluster: String,
    /// When the start was decided: `timeouts.restart` counts from here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
}

/// The run of a notebook or task. Its idempotency token is derived from the release's uid, the attempt, the index
/// and the try.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RunTicket {
    /// Its place in the list of runs.
    pub index: u32,
    /// Which try of `test.retryFailed`; 0 is the first.
    #[serde(rename = "try", skip_serializing_if = "is_zero")]
    pub try_: u32,
    /// What the try before this one failed with.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 512))]
    pub failed: String,
    /// Databricks' run id, once it answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<i64>,
}

/// The first verdict against a job or a notebook: what the Build or the Test phase will end with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TestVerdict {
    /// Why, in one word.
    pub reason: Reason,
    /// The job or notebook, the test and the assertion.
    #[schemars(length(max = 4096))]
    pub message: String,
}
