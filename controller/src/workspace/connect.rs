//! From a release's `workspaceRef` to a Databricks client: the object, its rules, its credentials.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use brickline_crds::{DatabricksRelease, DatabricksWorkspace, Reason};
use kube::runtime::reflector::ObjectRef;
use kube::{Api, ResourceExt};
use url::Url;

use super::auth::{auth, secret_ref};
use super::limits::limits;
use crate::context::Context;
use crate::databricks::{Client, ClientConfig, Timings};
use crate::hosts;
use crate::secret;
use crate::trouble::Trouble;

/// A workspace that may be used now.
pub(crate) struct Connection {
    pub(crate) workspace: Arc<DatabricksWorkspace>,
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
        cluster(&self.workspace, name)
    }
}

/// The id of the cluster that a workspace calls `name`.
pub(crate) fn cluster(workspace: &DatabricksWorkspace, name: &str) -> Result<String, Trouble> {
    let clusters = &workspace.spec.clusters;
    clusters.get(name).map(|cluster| cluster.id.clone()).ok_or_else(|| {
        let known: Vec<&str> = clusters.keys().map(String::as_str).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        let workspace = workspace.name_any();
        let message = format!("DatabricksWorkspace {workspace} has no cluster called {name:?}; it has: {known}");
        Trouble::lasting(Reason::InvalidSpec, message)
    })
}

/// Clients by workspace: a client holds tokens, so it is used again while nothing it was made from has changed.
#[derive(Clone, Default)]
pub(crate) struct Clients(Arc<Mutex<HashMap<WorkspaceName, (MadeFrom, Client)>>>);

/// A workspace, by namespace and name.
type WorkspaceName = (String, String);

/// What a client was made from.
#[derive(Clone, Debug, PartialEq)]
struct MadeFrom {
    uid: Option<String>,
    generation: Option<i64>,
    /// The version of the Secret with the credentials; empty if there is none.
    secret: String,
}

impl Clients {
    /// Lets go of the client of a workspace that is gone.
    pub(crate) fn forget(&self, namespace: &str, name: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&(namespace.to_owned(), name.to_owned()));
    }

    fn find(&self, key: &WorkspaceName, made_from: &MadeFrom) -> Option<Client> {
        let clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        clients.get(key).filter(|(from, _)| from == made_from).map(|(_, client)| client.clone())
    }

    fn keep(&self, key: WorkspaceName, made_from: MadeFrom, client: Client) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, (made_from, client));
    }
}

/// Where a workspace is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// As the watch last saw it, which costs nothing.
    ByWatch,
    /// As the API server has it.
    Stored,
}

/// Connects to the workspace a release names.
pub(crate) async fn connect(release: &DatabricksRelease, context: &Context) -> Result<Connection, Trouble> {
    connect_by(release, Known::ByWatch, context).await
}

/// The same, with a say in where the workspace is looked up.
pub(crate) async fn connect_by(
    release: &DatabricksRelease,
    from: Known,
    context: &Context,
) -> Result<Connection, Trouble> {
    let namespace = release.namespace().unwrap_or_default();
    let Some(reference) = &release.spec.workspace_ref else {
        return Err(Trouble::lasting(Reason::InvalidSpec, "the release names no workspace"));
    };
    let workspace = find(&namespace, &reference.name, from, context).await?.ok_or_else(|| {
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

/// The workspace as the watch last saw it. Whether one is missing only the API server knows.
async fn find(
    namespace: &str,
    name: &str,
    from: Known,
    context: &Context,
) -> Result<Option<Arc<DatabricksWorkspace>>, kube::Error> {
    let seen = context.workspaces.get(&ObjectRef::new(name).within(namespace));
    if let Some(workspace) = seen.filter(|_| from == Known::ByWatch) {
        return Ok(Some(workspace));
    }
    let workspaces: Api<DatabricksWorkspace> = Api::namespaced(context.kube.clone(), namespace);
    Ok(workspaces.get_opt(name).await?.map(Arc::new))
}

/// A client for a workspace object, made anew when the object or its Secret changed. While the Secret is in sight, that
/// is known without reading it.
pub(super) async fn client(workspace: &DatabricksWorkspace, context: &Context) -> Result<Client, Trouble> {
    let host = host(workspace, context)?;
    let key = (workspace.namespace().unwrap_or_default(), workspace.name_any());
    let made_from = |secret| MadeFrom { uid: workspace.uid(), generation: workspace.metadata.generation, secret };
    let reference = secret_ref(workspace);
    let in_sight = match reference {
        Some(reference) => context.secrets.version(&key.0, &reference.name),
        None => Some(String::new()),
    };
    if let Some(client) = in_sight.map(made_from).and_then(|made_from| context.clients.find(&key, &made_from)) {
        return Ok(client);
    }
    let (version, text) = match reference {
        Some(reference) => {
            let secret = secret::read(&context.kube, &key.0, &reference.name, "spec.auth").await?;
            let text = secret::text(&secret, &key.0, reference)?;
            (secret.resource_version().unwrap_or_default(), Some(text))
        }
        None => (String::new(), None),
    };
    let made_from = made_from(version);
    if let Some(client) = context.clients.find(&key, &made_from) {
        return Ok(client);
    }
    let client = Client::new(ClientConfig {
        host,
        auth: auth(workspace, text, context)?,
        http: context.http.clone(),
        timings: Timings::default(),
        limits: limits(&workspace.spec.limits),
        observer: Arc::new(context.metrics.clone()),
    })?;
    context.clients.keep(key, made_from, client.clone());
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
