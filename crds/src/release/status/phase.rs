//! The phases of a release, and the jobs of its build.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Ticket;
use super::is_zero;
use crate::{Phase, PhaseState, Reason};

/// One phase of the road.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PhaseStatus {
    /// Which phase.
    pub name: Phase,
    /// Where it is.
    #[serde(default)]
    pub state: PhaseState,
    /// How often it was begun.
    #[serde(default)]
    pub attempts: u32,
    /// Faults in a row that were waited out; 0 again after any progress.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub faults: u32,
    /// Faults that were waited out, all together.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retries: u32,
    /// When the first attempt began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Time>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion_time: Option<Time>,
    /// When the next attempt begins, if a fault or the loss of a pod is waited out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Time>,
    /// Why it is where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The same for people: what happened and where to look.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 4096))]
    pub message: String,
    /// Build: its jobs, if there are further ones beside the artifact's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 13))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub jobs: Vec<BuildJobStatus>,
    /// How the phase finds work it already started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Ticket>,
    /// How the phase will end once its work has been asked to stop. Written before it is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopping: Option<Stopping>,
}

/// The end of a phase whose work has still to be stopped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stopping {
    /// The state it will end in.
    pub state: PhaseState,
    /// Why, in one word.
    pub reason: Reason,
    /// Why, for people.
    #[schemars(length(max = 4096))]
    pub message: String,
    /// When the work was first asked to stop: `timeouts.cancelGracePeriod` counts from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// Test: when the teardown notebook was begun, or was seen to run. Its own timeout counts from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teardown: Option<Time>,
    /// Whether the work was asked to stop. From then on it is only watched.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asked: bool,
}

impl PhaseStatus {
    /// A phase that has not begun.
    #[must_use]
    pub fn pending(name: Phase) -> Self {
        Self {
            name,
            state: PhaseState::Pending,
            attempts: 0,
            faults: 0,
            retries: 0,
            start_time: None,
            completion_time: None,
            retry_at: None,
            reason: None,
            message: String::new(),
            jobs: Vec::new(),
            ticket: None,
            stopping: None,
        }
    }
}

/// One job of a build. While it runs, this is its ticket too: its Job is named after it and its attempt.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BuildJobStatus {
    /// Its name: `artifact`, `<job>` or `<job>.<copy of the matrix>`.
    #[schemars(length(max = 41))]
    pub name: String,
    /// Where it is.
    pub state: PhaseState,
    /// How often it was begun.
    pub attempts: u32,
    /// When the first attempt began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Time>,
    /// When the next attempt begins, if the one before it was lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Time>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completion_time: Option<Time>,
    /// Why it ended as it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The same for people. The first failure is in the phase's message at full length.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 64))]
    pub message: String,
}

impl BuildJobStatus {
    /// A job that has not begun.
    #[must_use]
    pub fn pending(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }
}
