//! Databricks Connect for a build's tests.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Build;
use crate::pattern;

/// Versions as Databricks numbers them: those of the runtime. Those before 13 are another product.
/// <https://docs.databricks.com/aws/en/dev-tools/databricks-connect/requirements>
const VERSION: &str = "self.matches('^(1[3-9]|[2-9][0-9])[.][0-9]{1,2}[.]([0-9]{1,4}|[*])$')";
const VERSION_MESSAGE: &str = "databricksConnect.version is a version of databricks-connect from 13.0 on, such as \"15.4.*\" or \"15.4.26\", \
     without $(...): what a release may use is known when it is created";

/// Databricks Connect for the build's tests: the package, and who and where they are at Databricks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DatabricksConnect {
    /// Whether the build's steps get the workspace's credentials and the package. The workspace's `databricksConnect` must
    /// allow it, since the repository's code runs with them. Default: false.
    pub enabled: bool,
    /// The version of `databricks-connect` that is installed before the tests, in the place of `pyspark`; `*` is the newest
    /// patch. It may not be newer than the cluster's runtime, and wants the Python of that runtime: 3.11 for 15.4. Default:
    /// `15.4.*`.
    #[schemars(length(min = 1, max = 16))]
    #[schemars(extend("x-kubernetes-validations" = [{"rule": VERSION, "message": VERSION_MESSAGE}]))]
    pub version: String,
    /// The cluster of the sessions, by the workspace's name for it. None: serverless. Example: `main`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    #[schemars(extend("x-kubernetes-validations" = [{"rule": pattern::WORD, "message": pattern::CLUSTERS_MESSAGE}]))]
    pub cluster: Option<String>,
    /// Whether `cluster` may be another one than those of `install.clusters` and `test.compute.cluster`. Default: false.
    pub allow_other_cluster: bool,
}

impl Default for DatabricksConnect {
    fn default() -> Self {
        Self { enabled: false, version: "15.4.*".to_owned(), cluster: None, allow_other_cluster: false }
    }
}

impl Build {
    /// Databricks Connect, if its tests are to have it.
    #[must_use]
    pub fn connect(&self) -> Option<&DatabricksConnect> {
        self.databricks_connect.as_deref().filter(|connect| connect.enabled)
    }
}

/// Whether the build of `$spec` has none.
macro_rules! has_none {
    ($spec:literal) => {
        concat!("!has(", $spec, ".build.databricksConnect) || !", $spec, ".build.databricksConnect.enabled")
    };
}

/// A release that builds with it goes to a workspace.
pub(crate) const WORKSPACE: &str = concat!("has(self.workspaceRef) || !has(self.source.git) || ", has_none!("self"));
/// What a user reads whose release goes nowhere.
pub(crate) const WORKSPACE_MESSAGE: &str = "build.databricksConnect needs workspaceRef: the build's tests are that workspace's service principal, on its cluster";

/// A pipeline that builds with it builds in a stage: `creation/stages.rs` of the controller says where.
pub(crate) const STAGE: &str = concat!(
    has_none!("self.template.spec"),
    " || (has(self.stages) && self.stages.filter(s, !has(s.dependsOn) || s.dependsOn.size() == 0).size() == 1 && \
     self.stages.all(s, !has(s.condition) || (has(s.dependsOn) && s.dependsOn.size() > 0)))"
);
/// What a user reads whose pipeline builds on its own.
pub(crate) const STAGE_MESSAGE: &str = "build.databricksConnect needs exactly one stage that depends on none, without a condition: only there a build belongs \
     to a workspace; otherwise it is on its own and has no cluster";

/// Its pull requests go to a workspace, too. One that would only deploy a bundle deploys nothing, and goes to none.
pub(crate) const PULL_REQUESTS: &str = concat!(
    has_none!("self.template.spec"),
    " || !has(self.trigger.pullRequests) || !self.trigger.pullRequests.enabled || \
     (has(self.trigger.pullRequests.workspaceRef) && (!has(self.template.spec.deploy.bundle) || \
     has(self.template.spec.deploy.items)))"
);
/// What a user reads whose pull requests don't.
pub(crate) const PULL_REQUESTS_MESSAGE: &str = "pull requests of a pipeline with build.databricksConnect need trigger.pullRequests.workspaceRef, where their tests \
     run, and deploy.items beside a bundle: a bundle of a pull request is not deployed";
