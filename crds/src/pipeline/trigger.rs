//! What starts releases.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PullRequests;
use crate::{GoDuration, LocalRef, Schedule, duration, pattern};

/// Which pushes become releases.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Trigger {
    /// Branches, as names or globs. Default: `release`. Example: `["release", "release/*"]`.
    #[schemars(length(min = 1, max = 50), inner(length(min = 1, max = 255)))]
    #[schemars(extend("x-kubernetes-list-type" = "set", "x-kubernetes-validations" = [{"rule": pattern::BRANCHES, "message": pattern::BRANCHES_MESSAGE}]))]
    pub branches: Vec<String>,
    /// The forge's push webhook.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Webhook>,
    /// Asks the repository itself for what a webhook did not say. None: only the webhook. Needs an https URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poll: Option<Poll>,
    /// Times at which the branch's newest commit is released, whether it moved or not. Needs an https URL. Default:
    /// none. Example: `[{cron: "0 3 * * 1-5", timeZone: Europe/Lisbon}]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    // One time may be for several branches, and a branch may be left out: the list is replaced as a whole.
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub schedules: Vec<Schedule>,
    /// Pipelines of this namespace whose good releases start one here, with the artifact they built. Default: none.
    /// Example: `[{pipeline: libs}]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["pipeline"]))]
    pub artifacts: Vec<ArtifactTrigger>,
    /// Pull requests into the branches. None: they are not built.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_requests: Option<PullRequests>,
    /// Which changed files a release needs: others end `Skipped` with `PathsNotMatched`.
    pub paths: Paths,
    /// Only merges are released: others end `Skipped` with `NotAMerge`. Default: false.
    pub merges_only: bool,
}

impl Default for Trigger {
    fn default() -> Self {
        Self {
            branches: vec!["release".to_owned()],
            webhook: None,
            poll: None,
            schedules: Vec::new(),
            artifacts: Vec::new(),
            pull_requests: None,
            paths: Paths::default(),
            merges_only: false,
        }
    }
}

/// Asking the repository which commits its branches are at. A branch that moved without a webhook is released, and one
/// that came back to an older commit again. The first time only writes down where the branches are.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Poll {
    /// How often. Default: `5m`; at least `30s`. Example: `1m`.
    #[schemars(extend("x-kubernetes-validations" = [
        {"rule": duration::RULE, "message": duration::MESSAGE},
        {"rule": "duration(self) >= duration('30s')", "message": "poll.interval is at least 30s"},
    ]))]
    pub interval: GoDuration,
}

impl Default for Poll {
    fn default() -> Self {
        Self { interval: GoDuration::from_secs(300) }
    }
}

/// Another pipeline whose releases start one here.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArtifactTrigger {
    /// The pipeline's name, in this namespace. Example: `libs`.
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = Rule::new(pattern::OBJECT).message(pattern::OBJECT_MESSAGE))]
    pub pipeline: String,
    /// Its branches that count, as names or globs. Empty: all of its own. Example: `[release]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(length(min = 1, max = 255)))]
    #[x_kube(validation = Rule::new(pattern::BRANCHES).message(pattern::BRANCHES_MESSAGE))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub branches: Vec<String>,
}

/// Changed files that count, as globs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Paths {
    /// One changed file must match one of them. Empty: any. Example: `["libraries/**", "notebooks/**"]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(length(min = 1, max = 512)))]
    #[schemars(extend("x-kubernetes-validations" = [{"rule": pattern::GLOBS, "message": pattern::GLOBS_MESSAGE}]))]
    pub include: Vec<String>,
    /// Files that don't count. Example: `["**/*.md"]`. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(length(min = 1, max = 512)))]
    #[schemars(extend("x-kubernetes-validations" = [{"rule": pattern::GLOBS, "message": pattern::GLOBS_MESSAGE}]))]
    pub exclude: Vec<String>,
}

/// How the forge's webhook proves itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// A Secret whose key `token` is the webhook's secret, and `previous-token` the old one while rotating.
    pub secret_ref: LocalRef,
}
