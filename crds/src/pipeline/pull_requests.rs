//! Whether pull requests are built and tested, and where.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::LocalRef;

/// Whether pull requests into the pipeline's branches are built and tested before they are merged. None of it reaches a
/// stage. The forge's webhook must tell of pull requests too: a poll doesn't see them.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PullRequests {
    /// Whether they are. Default: false.
    pub enabled: bool,
    /// A workspace to deploy and test them in; none of the stages'. None: they are only built, with the tests of Build.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace_ref: Option<LocalRef>,
    /// The folder there that each pull request has a folder of its own in: what the template deploys to
    /// `/Shared/dbxdemo` goes to `<target>/<number>/<pipeline>/Shared/dbxdemo`. Default: `/Shared/.pull-requests`.
    /// Example: `/Shared/.pull-requests`.
    #[schemars(length(min = 2, max = 200))]
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "self.matches('^/(Shared|Workspace|Users|Repos)(/[^/$]+)+$') && !self.matches('/[.][.]?(/|$)')",
        "message": "pullRequests.target is an absolute folder below /Shared, /Workspace, /Users or /Repos, without trailing slash, '..' or '$'",
    }]))]
    pub target: String,
    /// Whether pull requests from other repositories are built: their code would run with what the pipeline may do.
    /// Default: `Never`.
    pub forks: Forks,
}

impl Default for PullRequests {
    fn default() -> Self {
        Self {
            enabled: false,
            workspace_ref: None,
            target: "/Shared/.pull-requests".to_owned(),
            forks: Forks::default(),
        }
    }
}

/// Whether pull requests from other repositories are built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Forks {
    /// Only branches of the repository itself are built.
    #[default]
    Never,
}
