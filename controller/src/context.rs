//! What every room of the controller may use: clients, metrics, settings. Made once, shared by all.

use std::collections::BTreeMap;
use std::sync::Arc;

use brickline_crds::{DatabricksRelease, DatabricksWorkspace, ReleasePipeline, labels};
use kube::ResourceExt;
use kube::runtime::events::Recorder;
use kube::runtime::reflector::{ObjectRef, Store};

use crate::args::Args;
use crate::artifact::Artifacts;
use crate::given::Given;
use crate::installation::Installation;
use crate::lock::Leftovers;
use crate::log::Logs;
use crate::metrics::Metrics;
use crate::phase::job::Jobs;
use crate::pipeline::Follow;
use crate::pool::Pool;
use crate::queue::Queue;
use crate::secret::Watches;
use crate::versions::Versions;
use crate::workspace::Clients;

/// Shared by every reconcile and every request.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) kube: kube::Client,
    pub(crate) recorder: Recorder,
    pub(crate) metrics: Metrics,
    pub(crate) artifacts: Artifacts,
    /// What phases tell of what they do.
    pub(crate) log: Logs,
    pub(crate) clients: Clients,
    /// What wakes pipelines.
    pub(crate) follow: Follow,
    /// Every pipeline, as the watch last saw it.
    pub(crate) pipelines: Store<ReleasePipeline>,
    /// Every workspace, as the watch last saw it.
    pub(crate) workspaces: Store<DatabricksWorkspace>,
    /// Our Jobs and their pods, as the watches last saw them.
    pub(crate) jobs: Jobs,
    /// Whose turn it is.
    pub(crate) queue: Queue,
    /// What releases that have ended left alive.
    pub(crate) leftovers: Leftovers,
    /// The Secrets that workspaces and pipelines name, watched one by one.
    pub(crate) secrets: Watches,
    /// What people said of releases.
    pub(crate) given: Given,
    /// The newest versions of releases that are known.
    pub(crate) versions: Versions,
    /// Which installation this is.
    pub(crate) installation: Arc<Installation>,
    /// Connections to Databricks and forges: no redirects, the configured certificate authorities and proxy.
    pub(crate) http: reqwest::Client,
    pub(crate) settings: Arc<Settings>,
}

impl Context {
    /// The pipeline a release belongs to, as the watch last saw it.
    pub(crate) fn pipeline_of(&self, release: &DatabricksRelease) -> Option<Arc<ReleasePipeline>> {
        let name = release.labels().get(labels::PIPELINE)?;
        self.pipelines.get(&ObjectRef::new(name).within(&release.namespace()?))
    }
}

/// What the command line and the start decided.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) args: Args,
    /// The certificate authorities to trust instead of the image's own, in PEM.
    pub(crate) ca_bundle: Option<String>,
    /// Where builds run, and how many at the same time.
    pub(crate) pools: BTreeMap<String, Pool>,
    /// The authority of the artifact endpoint's certificate, in PEM.
    pub(crate) artifact_ca: String,
}
