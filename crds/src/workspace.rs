//! `DatabricksWorkspace`: a place to release to.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::SecretKeyRef;

/// A Databricks workspace: where it is, as whom the controller speaks to it, and its clusters by name.
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
    doc = "A Databricks workspace to release to: host, credentials by reference, clusters by name.",
    printcolumn(name = "Host", type_ = "string", json_path = ".spec.host"),
    printcolumn(name = "Identity", type_ = "string", json_path = ".status.identity.userName"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].message"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
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
    #[x_kube(validation = Rule::new("[has(self.token), has(self.oauth)].filter(x, x).size() == 1").message("auth needs exactly one of token or oauth"))]
    pub auth: Auth,
    /// Clusters by the name releases use for them. Example: `main: {id: 0123-456789-abc}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    #[x_kube(validation = Rule::new("self.all(name, name.matches('^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'))").message("cluster names are lower-case words of a-z, 0-9 and '-', at most 63 characters"))]
    pub clusters: BTreeMap<String, Cluster>,
    /// Stops the controller from checking the workspace and from starting releases to it.
    #[serde(default)]
    pub suspend: bool,
}

/// Credentials by reference. Exactly one field is set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Auth {
    /// A personal access token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Token>,
    /// OAuth machine to machine: a service principal's client id and secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oauth: Option<OAuth>,
}

/// A personal access token in a Secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    /// The Secret's key that holds the token.
    pub secret_ref: SecretKeyRef,
}

/// A service principal's OAuth credentials.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OAuth {
    /// The service principal's application id.
    #[schemars(length(min = 1, max = 128))]
    pub client_id: String,
    /// The Secret's key that holds the OAuth secret.
    pub client_secret_ref: SecretKeyRef,
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

/// What the controller knows of the workspace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DatabricksWorkspaceStatus {
    /// The generation last looked at; -1 until then.
    pub observed_generation: i64,
    /// Who the workspace says we are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// `Ready`: the workspace answered and accepted the credentials.
    #[schemars(schema_with = "crate::condition::schema")]
    pub conditions: Vec<Condition>,
}

impl Default for DatabricksWorkspaceStatus {
    fn default() -> Self {
        Self { observed_generation: -1, identity: None, conditions: Vec::new() }
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
