//! `DatabricksWorkspace`: a place to release to.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Protection, SecretKeyRef};

mod auth;
mod limits;

pub use auth::{Auth, Azure, Federation, OAuth, Token};
pub use limits::{FamilyLimits, Limits};

/// A Databricks workspace: where it is, as whom the controller speaks to it, its clusters and variables by name, and what
/// it asks of releases.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "brickline.dev",
    version = "v1alpha1",
    kind = "DatabricksWorkspace",
    namespaced,
    status = "DatabricksWorkspaceStatus",
    shortname = "dbws",
    category = "brickline",
    derive = "PartialEq",
    doc = "A Databricks workspace to release to: host, credentials by reference, clusters and variables by name, limits and protection.",
    printcolumn(name = "Host", type_ = "string", json_path = ".spec.host"),
    printcolumn(name = "Identity", type_ = "string", json_path = ".status.identity.userName"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Since", type_ = "date", json_path = ".status.conditions[?(@.type==\"Ready\")].lastTransitionTime"),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].message"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Suspended", type_ = "boolean", json_path = ".spec.suspend", priority = 1),
    printcolumn(name = "Manual", type_ = "boolean", json_path = ".spec.protection.allowManual", priority = 1),
    printcolumn(name = "Approvals", type_ = "integer", json_path = ".spec.protection.approvals.required", priority = 1),
    printcolumn(name = "Branches", type_ = "string", json_path = ".spec.protection.allowedBranches", priority = 1),
    validation = Rule::new("size(self.metadata.name) <= 63").message("metadata.name may have at most 63 characters")
)]
#[cfg_attr(test, kube(cel))]
#[serde(rename_all = "camelCase")]
pub struct DatabricksWorkspaceSpec {
    /// The workspace's URL, without a trailing slash. Immutable: another host is another workspace. Example:
    /// `https://adb-123.4.azuredatabricks.net`. Plain `http` only works for hosts that the chart's
    /// `workspaces.allowedHosts` names with it.
    #[schemars(length(min = 8, max = 300))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("host is immutable: create another DatabricksWorkspace for another host"))]
    #[x_kube(validation = Rule::new("self.matches('^https?://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?$')").message("host is the workspace's URL alone, such as https://adb-123.4.azuredatabricks.net, without path or trailing slash"))]
    pub host: String,
    /// As whom the controller speaks to the workspace: exactly one way.
    #[x_kube(validation = Rule::new("[has(self.federation), has(self.oauth), has(self.azure), has(self.token)].filter(x, x).size() == 1").message("auth needs exactly one of federation, oauth, azure or token"))]
    pub auth: Auth,
    /// Clusters by the name releases use for them. Example: `main: {id: 0123-456789-abc}`. Default: none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    #[x_kube(validation = Rule::new("self.all(name, name.matches('^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'))").message("cluster names are lower-case words of a-z, 0-9 and '-', at most 63 characters"))]
    pub clusters: BTreeMap<String, Cluster>,
    /// Whether releases may make clusters of their own for their runs.
    #[serde(default)]
    pub new_clusters: NewClusters,
    /// Whether releases may deploy asset bundles. Their pods have the workspace's credentials and run what the commit says,
    /// so that whoever may write to the released branches, or create releases, can use these credentials;
    /// `protection.allowedPaths` can't bind a bundle.
    #[serde(default)]
    pub bundles: Bundles,
    /// Whether builds may have Databricks Connect. Their steps have the workspace's credentials then, so that whoever may
    /// write to a branch that is built, or create releases, can use these credentials, before anybody approved anything.
    #[serde(default)]
    pub databricks_connect: ConnectSessions,
    /// Values by the name releases use for them: `$(workspace.vars.catalog)`. Example: `catalog: {value:
    /// main_staging}`. Default: none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    #[x_kube(validation = Rule::new("self.all(name, name.matches('^[A-Za-z_][A-Za-z0-9_]{0,62}$'))").message("variable names are letters, digits and '_', begin with no digit, and have at most 63 characters"))]
    pub variables: BTreeMap<String, Variable>,
    /// How much the controller asks of the workspace at once, all releases together.
    #[serde(default)]
    pub limits: Limits,
    /// What is asked of every release to the workspace, however it was made. Stages of pipelines can only add to it.
    #[serde(default)]
    pub protection: Protection,
    /// Stops the controller from checking the workspace and from starting releases to it. Default: false.
    #[serde(default)]
    pub suspend: bool,
}

/// One cluster of the workspace.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cluster {
    /// The cluster's id. Example: `0123-456789-abcdefgh`.
    #[schemars(length(min = 1, max = 100))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z0-9_-]+$')").message("id is the cluster's id, such as 0123-456789-abcdefgh: the last part of its page's address, not its name"))]
    pub id: String,
}

/// What releases may make clusters of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct NewClusters {
    /// Whether a release's `compute.newCluster` is taken. Default: false.
    pub allowed: bool,
    /// The cluster policies that such a cluster must follow one of. Empty: any cluster is taken. Example:
    /// `[E0631F5C0D0006D6]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 100)))]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub policy_ids: Vec<String>,
}

/// Which asset bundles are taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Bundles {
    /// Whether a release's `deploy.bundle` is taken. Default: false.
    pub allowed: bool,
    /// The images that a release may name instead of the chart's `images.bundle`, as globs. Empty: none. Example:
    /// `["registry.example.com/databricks-cli:*"]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 512)))]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub images: Vec<String>,
}

/// Which builds may have Databricks Connect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ConnectSessions {
    /// Whether a release's `build.databricksConnect` is taken. `protection` must have neither `approvals` nor `windows`
    /// then: both come after the build. Default: false.
    pub allowed: bool,
}

/// A value that releases use by its name. Exactly one field is set.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.value) != has(self.secretRef)").message("a variable needs exactly one of value or secretRef"))]
pub struct Variable {
    /// The value itself. Example: `main_staging`. None: it is in a Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub value: Option<String>,
    /// The Secret's key that holds the value. It never becomes part of a release's spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKeyRef>,
}

/// What the controller knows of the workspace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DatabricksWorkspaceStatus {
    /// The generation last looked at; -1 until then.
    pub observed_generation: i64,
    /// Who the workspace says we are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// The token of the annotation `brickline.dev/requestedAt` that the last check was made for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub last_handled_requested_at: Option<String>,
    /// `Ready`: the workspace answered and accepted the credentials; its `lastTransitionTime` says since when.
    #[schemars(schema_with = "crate::condition::schema")]
    pub conditions: Vec<Condition>,
}

impl Default for DatabricksWorkspaceStatus {
    fn default() -> Self {
        Self { observed_generation: -1, identity: None, last_handled_requested_at: None, conditions: Vec::new() }
    }
}

/// The identity behind the credentials, as SCIM `Me` answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Identity {
    /// User name or application id.
    #[schemars(length(max = 320))]
    pub user_name: String,
    /// Databricks' own id.
    #[schemars(length(max = 64))]
    pub id: String,
}

#[cfg(test)]
mod tests;
