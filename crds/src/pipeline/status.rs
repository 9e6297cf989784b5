//! What the controller knows of a pipeline.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the controller knows of the pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ReleasePipelineStatus {
    /// The generation last looked at; -1 until then.
    pub observed_generation: i64,
    /// Where to point the forge's webhook: paths on the controller's webhook address.
    #[schemars(length(max = 4), inner(length(max = 600)))]
    pub webhook_paths: Vec<String>,
    /// The commits its branches were last seen at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["ref"]))]
    pub observed_commits: Vec<ObservedCommit>,
    /// What each stage has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub stages: Vec<StageStatus>,
    /// The generation whose branches `observedCommits` holds. A branch that is first seen later is a new one, and
    /// released.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub polled_generation: Option<i64>,
    /// What was last taken over from each pipeline of `trigger.artifacts`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["pipeline"]))]
    pub observed_artifacts: Vec<ObservedArtifact>,
    /// When a schedule last came due and was acted on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_schedule_time: Option<Time>,
    /// When a schedule comes next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_schedule_time: Option<Time>,
    /// The newest release. Example: `promotion dbxdemo-4f2c91d0a7be to production`.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 512))]
    pub last: String,
    /// The value of annotation `brickline.dev/requestedAt` last acted on.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 256))]
    pub last_handled_requested_at: String,
    /// The last run number given out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_counter: Option<RunCounter>,
    /// `Ready`: the pipeline is valid and its webhook's secret is there.
    #[schemars(schema_with = "crate::condition::schema")]
    pub conditions: Vec<Condition>,
}

impl Default for ReleasePipelineStatus {
    fn default() -> Self {
        Self {
            observed_generation: -1,
            webhook_paths: Vec::new(),
            observed_commits: Vec::new(),
            stages: Vec::new(),
            polled_generation: None,
            observed_artifacts: Vec::new(),
            last_schedule_time: None,
            next_schedule_time: None,
            last: String::new(),
            last_handled_requested_at: String::new(),
            run_counter: None,
            conditions: Vec::new(),
        }
    }
}

/// The last run number given out: `20261121.4` is day `20261121`, run 4.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RunCounter {
    /// The day in UTC, `YYYYMMDD`.
    #[schemars(length(max = 8))]
    pub date: String,
    /// The number of the last run of that day.
    pub last: u32,
}

/// Where a branch was last seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ObservedCommit {
    /// The full ref. Example: `refs/heads/release`.
    #[serde(rename = "ref")]
    #[schemars(length(max = 512))]
    pub reference: String,
    /// The commit's full id.
    #[schemars(length(max = 64))]
    pub commit: String,
}

/// What was last taken over from another pipeline.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ObservedArtifact {
    /// The other pipeline's name.
    #[schemars(length(max = 63))]
    pub pipeline: String,
    /// Its newest release that was taken over; without a name and an artifact at first. Older ones never are.
    pub newest: StoredArtifact,
}

/// What a stage has: the artifact its workspace holds now, and the last one that ended well.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct StageStatus {
    /// The stage's name.
    #[schemars(length(max = 40))]
    pub name: String,
    /// What was deployed last, however the release ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployed: Option<StoredArtifact>,
    /// What was released well last: a rollback deploys it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_good: Option<StoredArtifact>,
    /// The newest artifact that was promoted here, by the release that built it; at first only the time when the stage
    /// was first seen. Artifacts whose release is older are history, and never promoted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promoted: Option<StoredArtifact>,
}

/// One artifact and the release it came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct StoredArtifact {
    /// The release's name.
    #[schemars(length(max = 253))]
    pub release: String,
    /// The pipeline's number for that run.
    #[schemars(length(max = 20))]
    pub run: String,
    /// The commit's full id.
    #[schemars(length(max = 64))]
    pub commit: String,
    /// The ref that the commit was on. Example: `refs/heads/release`.
    #[serde(rename = "ref", skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 512))]
    pub reference: String,
    /// The commit that the branch was at before, as the forge told it: which of two merges is newer shows in it.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 64))]
    pub before: String,
    /// The artifact's digest.
    #[schemars(length(max = 80))]
    pub artifact: String,
    /// When that release was created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Time>,
}
