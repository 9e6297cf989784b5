//! What every release of a pipeline is made from.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::release::{same_cluster, within};
use crate::{Build, Deploy, Install, OnFailure, Operate, Retries, Test, Timeouts, WaitLimits, pattern};

/// What every release of a pipeline is made from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ReleaseTemplate {
    /// Labels and annotations for every release.
    pub metadata: TemplateMetadata,
    /// A release's spec without source and workspace.
    pub spec: TemplateSpec,
}

/// Labels and annotations a pipeline puts on its releases.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TemplateMetadata {
    /// Labels. Those of `brickline.dev` are set by the controller. Example: `{team: data}`. Default: none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32), extend("additionalProperties" = {"type": "string", "maxLength": 63}), extend("x-kubernetes-validations" = [{
        "rule": pattern::KEYS,
        "message": pattern::KEYS_MESSAGE,
    }, {
        "rule": "self.all(name, self[name].matches('^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$'))",
        "message": "label values are letters, digits, '-', '_' and '.', and begin and end with a letter or digit",
    }]))]
    pub labels: BTreeMap<String, String>,
    /// Annotations. Example: `{example.com/contact: data@example.com}`. Default: none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32), extend("additionalProperties" = {"type": "string", "maxLength": 1024}))]
    #[schemars(extend("x-kubernetes-validations" = [{"rule": pattern::KEYS, "message": pattern::KEYS_MESSAGE}]))]
    pub annotations: BTreeMap<String, String>,
}

/// The parts of a release's spec that a pipeline decides.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": same_cluster::RELEASE, "message": same_cluster::MESSAGE},
    {"rule": same_cluster::JOBS, "message": same_cluster::JOBS_MESSAGE},
    {"rule": same_cluster::CONNECT_OF_TEMPLATE, "message": same_cluster::CONNECT_MESSAGE},
    {"rule": within::TESTS, "message": within::TESTS_MESSAGE},
    {"rule": within::JOBS_OF_TEMPLATE, "message": within::JOBS_MESSAGE},
]))]
pub struct TemplateSpec {
    /// How the artifact is built.
    pub build: Build,
    /// What goes where in the workspace.
    pub deploy: Deploy,
    /// Libraries on clusters.
    pub install: Install,
    /// Notebooks that are run as tests.
    pub test: Test,
    /// The jobs that run what was tested.
    pub operate: Operate,
    /// How long the release, each phase and each attempt may take.
    pub timeouts: Timeouts,
    /// How long a release may wait for what others hold.
    pub waiting: WaitLimits,
    /// How often a fault that can heal is tried again.
    pub retries: Retries,
    /// What follows when a release fails after Deploy began. Default: `None`.
    pub on_failure: OnFailure,
    /// Words to find the releases by: each becomes a label `tags.brickline.dev/<tag>`. Default: none. Example:
    /// `[nightly]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 63)))]
    #[schemars(extend("x-kubernetes-list-type" = "set", "x-kubernetes-validations" = [{"rule": "self.all(tag, tag.matches('^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$'))", "message": "tags are words of letters, digits, '-', '_' and '.', at most 63 characters"}]))]
    pub tags: Vec<String>,
}
