//! An asset bundle that a release deploys.

use std::collections::BTreeMap;

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::Resources;
use super::build::{IMAGE, IMAGE_MESSAGE};

/// An asset bundle of the repository, and what the Databricks CLI is told of it.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bundle {
    /// The folder of `databricks.yml` in the repository. The wheels that the build made lie in its folder `dist`. Default:
    /// `.`, the repository's root. Example: `bundles/etl`.
    #[serde(default = "root")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = Rule::new("self == '.' || (self.matches('^[^/]+(/[^/]+)*$') && !self.matches('(^|/)[.][.]?(/|$)'))").message("bundle.path is a folder of the repository such as bundles/etl, or '.' for its root, without '..' and without slashes at its ends"))]
    pub path: String,
    /// The target in `databricks.yml`. Example: `staging`, or `$(params.env)`.
    #[schemars(length(min = 1, max = 128))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z0-9_$(][A-Za-z0-9_.$()-]*$')").message("bundle.target is the name of a target in databricks.yml: letters, digits, '-', '_' and '.'"))]
    pub target: String,
    /// The image with the Databricks CLI as `databricks`. The workspace's `bundles.images` must allow it. Default: the
    /// chart's `images.bundle`. Example: `registry.example.com/databricks-cli:0.270`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = Rule::new(IMAGE).message(IMAGE_MESSAGE))]
    pub image: Option<String>,
    /// Values of the bundle's variables, by name: each becomes `BUNDLE_VAR_<name>`. Example: `catalog:
    /// $(workspace.vars.catalog)`. Default: none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64), extend("additionalProperties" = {"type": "string", "maxLength": 4096}))]
    #[x_kube(validation = Rule::new("self.all(name, name.matches('^[A-Za-z_][A-Za-z0-9_]{0,62}$'))").message("names of bundle.variables are words of letters, digits and '_', at most 63 characters"))]
    pub variables: BTreeMap<String, String>,
    /// CPU and memory of the CLI's container. Example: `{requests: {memory: 256Mi}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Whether a deployment lock is broken that somebody left in the workspace (`--force-lock`). An attempt after one of
    /// this release that was lost does so in any case. Default: false.
    #[serde(default)]
    pub force_lock: bool,
}

fn root() -> String {
    ".".to_owned()
}
