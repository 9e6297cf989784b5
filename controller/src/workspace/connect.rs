//! From a release's `workspaceRef` to a Databricks client: the object, its rules, its credentials.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use brickline_crds::{DatabricksRelease, DatabricksWorkspace, Reason, SecretKeyRef};
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt};
use secrecy::SecretString;
use url::Url;

use super::hosts;
use crate::context::Context;
use crate::databricks::{Auth, Client, ClientConfig, Timings};
use crate::secret;
use crate::trouble::Trouble;

/// A workspace that may be used now.
pub(crate) struct Connection {
    pub(crate) workspace: DatabricksWorkspace,
    pub(crate) client: Client,
}

impl Connection {
    /// How many files one release may write at the same time.
    pub(crate) fn uploads(&self) -> usize {
        usize::try_from(self.workspace.spec.limits.uploads).unwrap_or(1).max(1)
    }

    /// Where the workspace is.
    pub(crate) fn host(&self) -> Result<Url, Trouble> {
        Url::parse(&self.workspace.spec.host)
            .map_err(|error| Trouble::lasting(Reason::InvalidSpec, format!("host: {error}")))
    }

    /// The id of the cluster that the workspace calls `name`.
    pub(crate) fn cluster(&self, name: &str) -> Result<String, Trouble> {
        let clusters = &self.workspace.spec.clusters;
        clusters.get(name).map(|cluster| cluster.id.clone()).ok_or_else(|| {
            let known: Vec<&str> = clusters.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            let workspace = self.workspace.name_any();
            let message = format!("DatabricksWorkspace {workspace} has no cluster called {name:?}; it has: {known}");
            Trouble::lasting(Reason::InvalidSpec, message)
        })
    }
}

/// Clients by workspace, generation and version of its Secret: a client holds tokens, so it is used again while
/// nothing it was made from has changed.
#[derive(Clone, Default)]
pub(crate) struct Clients(Arc<Mutex<HashMap<String, (String, Client)>>>);

/// Connects to the workspace a release names.
pub(crate) async fn connect(release: &DatabricksRelease, context: &Context) -> Result<Connection, Trouble> {
    let namespace = release.namespace().unwrap_or_default();
    let Some(reference) = &release.spec.workspace_ref else {
        return Err(Trouble::lasting(Reason::InvalidSpec, "the release names no workspace"));
    };
    let workspaces: Api<DatabricksWorkspace> = Api::namespaced(context.kube.clone(), &namespace);
    let workspace = workspaces.get_opt(&reference.name).await?.ok_or_else(|| {
        let message = format!("DatabricksWorkspace {namespace}/{} does not exist", reference.name);
        Trouble::passing(Reason::DependencyNotReady, message)
    })?;
    if workspace.spec.suspend {
        let message = format!("DatabricksWorkspace {} is suspended", reference.name);
        return Err(Trouble::passing(Reason::Suspended, message));
    }
    let client = client(&workspace, context).await?;
    Ok(Connection { workspace, client })
}

/// A client for a workspace object, made anew when the object or its Secret changed.
pub(super) async fn client(workspace: &DatabricksWorkspace, context: &Context) -> Result<Client, Trouble> {
    let host = host(workspace, context)?;
    let reference = secret_ref(workspace)?;
    let namespace = workspace.namespace().unwrap_or_default();
    let secret = secret::read(&context.kube, &namespace, &reference.name, "spec.auth").await?;
    let key = workspace.uid().unwrap_or_default();
    let version = format!(
        "{}/{}",
        workspace.metadata.generation.unwrap_or_default(),
        secret.resource_version().unwrap_or_default()
    );
    let mut clients = context.clients.0.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, client)) = clients.get(&key).filter(|(made_from, _)| *made_from == version) {
        return Ok(client.clone());
    }
    let config = ClientConfig {
        host,
        auth: auth(workspace, value(&secret, &namespace, reference)?),
        http: context.http.clone(),
        timings: Timings::default(),
        requests_per_second: NonZeroU32::new(workspace.spec.limits.requests_per_second),
        observer: Arc::new(context.metrics.clone()),
    };
    let client = Client::new(config)?;
    clients.insert(key, (version, client.clone()));
    Ok(client)
}

fn host(workspace: &DatabricksWorkspace, context: &Context) -> Result<Url, Trouble> {
    let invalid = |message: String| Trouble::lasting(Reason::InvalidSpec, message);
    let host = Url::parse(&workspace.spec.host).map_err(|error| invalid(format!("host: {error}")))?;
    if hosts::is_allowed(&host, &context.settings.args.allowed_hosts) {
        return Ok(host);
    }
    let message = format!(
        "host {} is not allowed: credentials only go to hosts that the chart's workspaces.allowedHosts lists",
        workspace.spec.host
    );
    Err(Trouble::lasting(Reason::NotAuthorized, message))
}

fn secret_ref(workspace: &DatabricksWorkspace) -> Result<&SecretKeyRef, Trouble> {
    let auth = &workspace.spec.auth;
    let token = auth.token.as_ref().map(|token| &token.secret_ref);
    let reference = token.or(auth.oauth.as_ref().map(|oauth| &oauth.client_secret_ref));
    reference.ok_or_else(|| Trouble::lasting(Reason::InvalidSpec, "auth needs one of token or oauth"))
}

fn auth(workspace: &DatabricksWorkspace, secret: SecretString) -> Auth {
    match &workspace.spec.auth.oauth {
        Some(oauth) => Auth::OAuth { client_id: oauth.client_id.clone(), client_secret: secret },
        None => Auth::Token(secret),
    }
}

fn value(secret: &Secret, namespace: &str, reference: &SecretKeyRef) -> Result<SecretString, Trouble> {
    let SecretKeyRef { name, key } = reference;
    let bytes = secret.data.as_ref().and_then(|data| data.get(key)).map(|bytes| bytes.0.clone());
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok()).map(|text| text.trim().to_owned());
    text.filter(|text| !text.is_empty()).map(SecretString::from).ok_or_else(|| {
        Trouble::passing(
            Reason::DependencyNotReady,
            format!("Secret {namespace}/{name} has no key {key} with text in it"),
        )
    })
}
