//! As whom the controller speaks to a workspace.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::SecretKeyRef;

/// Credentials by reference, or none at all. Exactly one field is set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Auth {
    /// Workload identity federation: Databricks trusts short-lived tokens of a ServiceAccount of this namespace, and no
    /// secret is stored anywhere. The advised way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub federation: Option<Federation>,
    /// OAuth machine to machine: a service principal's client id and secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oauth: Option<OAuth>,
    /// A service principal of Microsoft Entra, by a secret or by tokens of a ServiceAccount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure: Option<Azure>,
    /// A personal access token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Token>,
}

/// Workload identity federation.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Federation {
    /// The service principal's application id. Left out: the federation policy of the account says whom the token
    /// stands for. Example: `12345678-90ab-cdef-1234-567890abcdef`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub client_id: Option<String>,
    /// The ServiceAccount, of the workspace's own namespace, for which tokens are requested. The policy's subject is
    /// `system:serviceaccount:NAMESPACE:NAME`. It needs no rights and no pod. Example: `release-staging`.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$')").message("serviceAccountName is the name of a ServiceAccount of the workspace's namespace"))]
    pub service_account_name: String,
    /// For whom the tokens are meant: one of the policy's audiences. Default: `databricks`. Example: `databricks`.
    #[serde(default = "audience")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = Rule::new("!self.contains('kubernetes.default')").message("audience must not be Kubernetes' own: such a token would open the cluster to whoever sees it"))]
    pub audience: String,
}

fn audience() -> String {
    "databricks".to_owned()
}

/// A service principal's OAuth credentials.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OAuth {
    /// The service principal's application id. Example: `12345678-90ab-cdef-1234-567890abcdef`.
    #[schemars(length(min = 1, max = 128))]
    pub client_id: String,
    /// The Secret's key that holds the OAuth secret.
    pub client_secret_ref: SecretKeyRef,
}

/// A service principal of Microsoft Entra. Exactly one of `clientSecretRef` and `serviceAccountName` is set.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.clientSecretRef) != has(self.serviceAccountName)").message("azure needs exactly one of clientSecretRef or serviceAccountName"))]
pub struct Azure {
    /// The directory: its id, or one of its domains. Example: `example.onmicrosoft.com`.
    #[schemars(length(min = 1, max = 128))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$')").message("tenantId is the directory's id, such as 12345678-90ab-cdef-1234-567890abcdef, or one of its domains"))]
    pub tenant_id: String,
    /// The service principal's application id. Example: `12345678-90ab-cdef-1234-567890abcdef`.
    #[schemars(length(min = 1, max = 128))]
    pub client_id: String,
    /// The Secret's key that holds the client secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret_ref: Option<SecretKeyRef>,
    /// The ServiceAccount, of the workspace's own namespace, whose tokens the application trusts: a federated
    /// credential with the subject `system:serviceaccount:NAMESPACE:NAME` and the audience
    /// `api://AzureADTokenExchange`. None: `clientSecretRef` is used. Example: `release-staging`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$')").message("serviceAccountName is the name of a ServiceAccount of the workspace's namespace"))]
    pub service_account_name: Option<String>,
    /// The workspace's resource id, for a service principal that is no member of the workspace but may manage it in
    /// Azure. Example: `/subscriptions/ID/resourceGroups/GROUP/providers/Microsoft.Databricks/workspaces/NAME`. None:
    /// it is a member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = Rule::new("self.matches('^/subscriptions/[A-Za-z0-9-]+/resource[Gg]roups/[A-Za-z0-9._()-]+/providers/[Mm]icrosoft.[Dd]atabricks/workspaces/[A-Za-z0-9._-]+$')").message("resourceId is /subscriptions/ID/resourceGroups/GROUP/providers/Microsoft.Databricks/workspaces/NAME"))]
    pub resource_id: Option<String>,
}

/// A personal access token in a Secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    /// The Secret's key that holds the token.
    pub secret_ref: SecretKeyRef,
}
