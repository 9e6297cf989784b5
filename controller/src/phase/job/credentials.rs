//! How the workspace's credentials reach Databricks' own clients in a pod: pure. By reference alone: no value passes through
//! here. The CLI of an asset bundle and the Python SDK beneath Databricks Connect read the same variables.
//!
//! | `spec.auth` of the workspace | what the client finds |
//! | --- | --- |
//! | `token` | `DATABRICKS_TOKEN`, from the Secret |
//! | `oauth` | `DATABRICKS_CLIENT_ID`, and `DATABRICKS_CLIENT_SECRET` from the Secret |
//! | `federation` | a file with a token of the ServiceAccount, which is the pod's, for the audience |
//! | `azure` with `clientSecretRef` | `ARM_TENANT_ID`, `ARM_CLIENT_ID`, and `ARM_CLIENT_SECRET` from the Secret |
//!
//! Names: <https://docs.databricks.com/aws/en/dev-tools/auth/env-vars>.

use brickline_crds::{Azure, DatabricksWorkspace, Federation, Reason, SecretKeyRef};
use k8s_openapi::api::core::v1::{EnvVar, EnvVarSource, SecretKeySelector, Volume, VolumeMount};
use kube::ResourceExt;

use super::parts::{env, mount, projected_token};
use crate::context::Settings;
use crate::trouble::Trouble;

/// The volume with the ServiceAccount's token, its folder and its file.
const VOLUME: &str = "identity";
const FOLDER: &str = "/var/run/secrets/databricks";
const FILE: &str = "token";
/// Seconds that a token lasts: the kubelet renews it, and the client reads it anew.
const LASTS: i64 = 3600;

/// What a pod needs to be the workspace's service principal.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Credentials {
    /// Of the main container.
    pub(crate) env: Vec<EnvVar>,
    /// Whose tokens the pod has, if not the namespace's default one's.
    pub(crate) service_account: Option<String>,
    pub(crate) volume: Option<Volume>,
    /// Of the main container.
    pub(crate) mount: Option<VolumeMount>,
}

/// The credentials of a workspace, for what the release asks for in `field`. Example: `deploy.bundle`.
///
/// # Errors
/// `InvalidSpec` if the clients have no way to log in as the workspace says.
pub(crate) fn credentials(
    workspace: &DatabricksWorkspace,
    field: &str,
    settings: &Settings,
) -> Result<Credentials, Trouble> {
    let refused = |why: &str| refused(workspace, field, why);
    let auth = &workspace.spec.auth;
    let mut found = match (&auth.token, &auth.oauth, &auth.federation, &auth.azure) {
        (Some(token), ..) => by_env("pat", vec![secret("DATABRICKS_TOKEN", &token.secret_ref)]),
        (_, Some(oauth), ..) => by_env(
            "oauth-m2m",
            vec![
                env("DATABRICKS_CLIENT_ID", &oauth.client_id),
                secret("DATABRICKS_CLIENT_SECRET", &oauth.client_secret_ref),
            ],
        ),
        (_, _, Some(federation), _) => by_file(federation),
        (.., Some(azure)) => by_entra(workspace, azure, settings).map_err(refused)?,
        _ => return Err(refused("auth needs exactly one of federation, oauth, azure or token")),
    };
    found.env.insert(0, env("DATABRICKS_HOST", &workspace.spec.host));
    Ok(found)
}

fn by_env(kind: &str, found: Vec<EnvVar>) -> Credentials {
    let env = [vec![env("DATABRICKS_AUTH_TYPE", kind)], found].concat();
    Credentials { env, ..Credentials::default() }
}

/// Such a token is always one of the pod's own ServiceAccount.
fn by_file(federation: &Federation) -> Credentials {
    let mut found = vec![env("DATABRICKS_OIDC_TOKEN_FILEPATH", &format!("{FOLDER}/{FILE}"))];
    found.extend(federation.client_id.as_ref().map(|id| env("DATABRICKS_CLIENT_ID", id)));
    Credentials {
        service_account: Some(federation.service_account_name.clone()),
        volume: Some(projected_token(VOLUME, &federation.audience, LASTS, FILE)),
        mount: Some(mount(VOLUME, FOLDER, true)),
        ..by_env("file-oidc", found)
    }
}

fn by_entra(workspace: &DatabricksWorkspace, azure: &Azure, settings: &Settings) -> Result<Credentials, &'static str> {
    let Some(reference) = &azure.client_secret_ref else {
        return Err(
            "Databricks' own clients can't log in to Entra with tokens of a ServiceAccount: use auth.federation, which \
             Databricks itself trusts, or azure.clientSecretRef",
        );
    };
    if settings.args.azure_login.is_some() {
        return Err("Databricks' own clients can't be told where to log in (the chart's workspaces.azureLogin)");
    }
    let mut found = vec![
        env("ARM_TENANT_ID", &azure.tenant_id),
        env("ARM_CLIENT_ID", &azure.client_id),
        secret("ARM_CLIENT_SECRET", reference),
    ];
    found.extend(cloud(&workspace.spec.host).map(|cloud| env("ARM_ENVIRONMENT", cloud)));
    found.extend(azure.resource_id.as_ref().map(|id| env("DATABRICKS_AZURE_RESOURCE_ID", id)));
    Ok(by_env("azure-client-secret", found))
}

/// The cloud of Microsoft's in which a host is; none for the public one.
fn cloud(host: &str) -> Option<&'static str> {
    let name = host.trim_start_matches("https://").split(':').next().unwrap_or_default();
    [(".databricks.azure.us", "USGOVERNMENT"), (".databricks.azure.cn", "CHINA")]
        .into_iter()
        .find_map(|(suffix, cloud)| name.ends_with(suffix).then_some(cloud))
}

/// A variable that the kubelet fills from a Secret of the pod's namespace, which is the workspace's.
fn secret(name: &str, reference: &SecretKeyRef) -> EnvVar {
    let selector = SecretKeySelector { name: reference.name.clone(), key: reference.key.clone(), optional: None };
    let source = EnvVarSource { secret_key_ref: Some(selector), ..EnvVarSource::default() };
    EnvVar { name: name.to_owned(), value: None, value_from: Some(source) }
}

fn refused(workspace: &DatabricksWorkspace, field: &str, why: &str) -> Trouble {
    let name = workspace.name_any();
    Trouble::lasting(Reason::InvalidSpec, format!("{field} can't use DatabricksWorkspace {name}: {why}"))
}
