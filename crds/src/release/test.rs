//! Which notebooks a release runs as tests.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Compute;
use crate::GoDuration;

/// Notebooks that are run as tests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Test {
    /// What the notebooks run on.
    pub compute: Compute,
    /// Test on a cluster that is none of `install.clusters`, where libraries are what somebody else installed. Default: false.
    pub allow_other_cluster: bool,
    /// Which of the deployed notebooks are run. Empty: none. Default: `notebooks/**`.
    #[schemars(length(max = 50))]
    pub notebooks: Vec<NotebookTest>,
    /// How many run at the same time. Default: 4.
    #[schemars(range(min = 1, max = 50))]
    pub max_parallel: u32,
    /// Whether a notebook in which no test was found fails. Default: false.
    pub inner_tests_required: bool,
    /// How often a notebook that failed is run again. One that passes then is flaky: the release ends
    /// `SucceededWithIssues` and names it. Default: 0.
    #[schemars(range(min = 0, max = 5))]
    pub retry_failed: u32,
    /// A failed notebook is an issue and not a failure: the release goes on and ends `SucceededWithIssues`. Default:
    /// false.
    pub continue_on_error: bool,
}

impl Default for Test {
    fn default() -> Self {
        Self {
            compute: Compute::default(),
            allow_other_cluster: false,
            notebooks: vec![NotebookTest::default()],
            max_parallel: 4,
            inner_tests_required: false,
            retry_failed: 0,
            continue_on_error: false,
        }
    }
}

/// The rule that a run lives long enough to be found too slow.
const LIMITS: &str = "duration(self.maxDuration) <= duration(self.timeout)";
const LIMITS_MESSAGE: &str = "maxDuration must be at most timeout: the run is stopped by then";

/// Notebooks that are run in the same way.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [{"rule": LIMITS, "message": LIMITS_MESSAGE}]))]
pub struct NotebookTest {
    /// Notebooks by their path in the repository, as a glob. Example: `notebooks/tests/**`.
    #[serde(rename = "match")]
    #[schemars(length(min = 1, max = 512))]
    #[schemars(extend("x-kubernetes-validations" = [{"rule": "!self.startsWith('/') && !self.contains('..')", "message": "match is a glob relative to the repository's root, without '..'"}]))]
    pub pattern: String,
    /// Parameters, read in the notebook with `dbutils.widgets.get`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64), extend("additionalProperties" = {"type": "string", "maxLength": 4096}))]
    pub parameters: BTreeMap<String, String>,
    /// A failure of these notebooks is an issue and not a failure. Default: that of the whole `test`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub continue_on_error: Option<bool>,
    /// When Databricks stops the run. Default: `1h`.
    pub timeout: GoDuration,
    /// The longest execution that still passes; queue, setup and cluster start don't count. Default: `100s`.
    pub max_duration: GoDuration,
}

impl Default for NotebookTest {
    fn default() -> Self {
        Self {
            pattern: "notebooks/**".to_owned(),
            parameters: BTreeMap::new(),
            continue_on_error: None,
            timeout: GoDuration::from_secs(3600),
            max_duration: GoDuration::from_secs(100),
        }
    }
}
