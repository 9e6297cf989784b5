//! How much the controller asks of a workspace.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much the controller asks of a workspace at once, all releases together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Limits {
    /// Requests per second, over all of Databricks' APIs; the limits that Databricks publishes for each hold besides, and
    /// an answer "too many" slows down further. Less than 30 slows imports of notebooks down. Default: 100.
    #[schemars(range(min = 1, max = 1000))]
    pub requests_per_second: u32,
    /// Limits of single APIs that differ from the published ones. The controller stays a tenth below them.
    #[serde(skip_serializing_if = "FamilyLimits::is_empty")]
    pub families: FamilyLimits,
    /// Files, notebooks and wheels that one release writes at the same time; the Files API takes ten. Default: 5.
    #[schemars(range(min = 1, max = 10))]
    pub uploads: u32,
    /// Runs that all releases to this address have at the same time: notebooks and tasks of Test. Who finds all of them
    /// taken waits, first come, first served. Runs that Databricks starts by itself for the jobs of Operate don't count.
    /// Default: 20.
    #[schemars(range(min = 1, max = 200))]
    pub runs: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { requests_per_second: 100, families: FamilyLimits::default(), uploads: 5, runs: 20 }
    }
}

/// Limits of single APIs, in requests per second. Raise one here if Databricks raised it for the workspace; lower it if
/// others use the same workspace much.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FamilyLimits {
    /// `workspace/import`: notebooks. Published: 30. Default: what is published. Example: 20.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub import: Option<u32>,
    /// `workspace/export`: looks at what notebooks hold. Published: 60. Default: what is published. Example: 20.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub export: Option<u32>,
    /// `dbfs`: files and wheels below `dbfs:/`. Published: 30. Default: what is published. Example: 20.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub dbfs: Option<u32>,
    /// `fs/files`: files and wheels in volumes. Published: 100. Default: what is published. Example: 20.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub files: Option<u32>,
    /// `jobs/runs/submit`: starts of notebooks. Published: 35. Default: what is published. Example: 20.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub runs_submit: Option<u32>,
    /// `jobs/runs/get`: looks at runs. Published: 100. Default: what is published. Example: 20.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub runs_get: Option<u32>,
}

impl FamilyLimits {
    /// Whether all limits are the published ones.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
