//! As whom a workspace is spoken to: from its spec to what the client needs.

use std::sync::Arc;

use brickline_crds::{DatabricksWorkspace, Reason, SecretKeyRef};
use kube::ResourceExt;
use secrecy::SecretString;

use super::identity::ServiceAccountTokens;
use crate::context::Context;
use crate::databricks::{Auth, Azure, Proof};
use crate::trouble::Trouble;

/// For whom tokens are meant that Entra takes. <https://learn.microsoft.com/entra/workload-id/workload-identity-federation>
const ENTRA: &str = "api://AzureADTokenExchange";

/// The Secret that the credentials are in; `None` if there is none: a ServiceAccount's tokens are trusted.
pub(super) fn secret_ref(workspace: &DatabricksWorkspace) -> Option<&SecretKeyRef> {
    let auth = &workspace.spec.auth;
    let token = auth.token.as_ref().map(|token| &token.secret_ref);
    let oauth = || auth.oauth.as_ref().map(|oauth| &oauth.client_secret_ref);
    token.or_else(oauth).or_else(|| auth.azure.as_ref()?.client_secret_ref.as_ref())
}

/// Whom the client speaks as. `secret` is what [`secret_ref`] names.
pub(super) fn auth(
    workspace: &DatabricksWorkspace,
    secret: Option<SecretString>,
    context: &Context,
) -> Result<Auth, Trouble> {
    let namespace = workspace.namespace().unwrap_or_default();
    let tokens = |name: &str, audience: &str| {
        Arc::new(ServiceAccountTokens::new(context.kube.clone(), &namespace, name, audience))
    };
    let spec = &workspace.spec.auth;
    if let Some(federation) = &spec.federation {
        let identity = tokens(&federation.service_account_name, &federation.audience);
        return Ok(Auth::Federation { client_id: federation.client_id.clone(), identity });
    }
    if let Some(azure) = &spec.azure {
        let proof = match (&azure.service_account_name, secret) {
            (Some(name), _) => Proof::Assertion(tokens(name, ENTRA)),
            (None, Some(secret)) => Proof::Secret(secret),
            (None, None) => return Err(incomplete()),
        };
        return Ok(Auth::Azure(Azure {
            login: context.settings.args.azure_login.clone(),
            tenant_id: azure.tenant_id.clone(),
            client_id: azure.client_id.clone(),
            proof,
            resource_id: azure.resource_id.clone(),
        }));
    }
    match (&spec.oauth, secret) {
        (Some(oauth), Some(secret)) => Ok(Auth::OAuth { client_id: oauth.client_id.clone(), client_secret: secret }),
        (None, Some(secret)) if spec.token.is_some() => Ok(Auth::Token(secret)),
        _ => Err(incomplete()),
    }
}

fn incomplete() -> Trouble {
    Trouble::lasting(Reason::InvalidSpec, "auth needs exactly one of federation, oauth, azure or token")
}
