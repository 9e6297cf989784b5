//! What a release installs on clusters.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::pattern;

/// Libraries on clusters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Install {
    /// Clusters by the workspace's names. Empty: nothing is installed. Default: `[main]`.
    #[schemars(length(max = 8), inner(length(min = 1, max = 63)))]
    #[schemars(extend("x-kubernetes-list-type" = "set", "x-kubernetes-validations" = [{"rule": pattern::CLUSTERS, "message": pattern::CLUSTERS_MESSAGE}]))]
    pub clusters: Vec<String>,
    /// What is installed. Default: the artifact's wheels.
    #[schemars(length(max = 32))]
    pub libraries: Vec<InstallLibrary>,
    /// When a cluster is restarted. Default: `IfNeeded`.
    pub restart: Restart,
    /// Start a cluster that is terminated. Default: true; false fails the phase instead.
    pub start_if_terminated: bool,
}

impl Default for Install {
    fn default() -> Self {
        Self {
            clusters: vec!["main".to_owned()],
            libraries: vec![InstallLibrary { wheels_from_artifact: true }],
            restart: Restart::default(),
            start_if_terminated: true,
        }
    }
}

/// One library, or several from the artifact.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct InstallLibrary {
    /// Every wheel of the artifact.
    pub wheels_from_artifact: bool,
}

/// When a cluster is restarted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Restart {
    /// When a library was replaced: it takes effect only then.
    #[default]
    IfNeeded,
    /// In every release.
    Always,
}
