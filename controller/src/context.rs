//! What every room of the controller may use: clients, metrics, settings. Made once, shared by all.

use std::sync::Arc;

use kube::runtime::events::Recorder;

use crate::args::Args;
use crate::artifact::Artifacts;
use crate::metrics::Metrics;
use crate::pipeline::Follow;
use crate::workspace::Clients;

/// Shared by every reconcile and every request.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) kube: kube::Client,
    pub(crate) recorder: Recorder,
    pub(crate) metrics: Metrics,
    pub(crate) artifacts: Artifacts,
    pub(crate) clients: Clients,
    /// What wakes pipelines.
    pub(crate) follow: Follow,
    /// Connections to Databricks and forges: no redirects, the configured certificate authorities and proxy.
    pub(crate) http: reqwest::Client,
    pub(crate) settings: Arc<Settings>,
}

/// What the command line and the start decided.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) args: Args,
    /// The certificate authorities to trust instead of the image's own, in PEM.
    pub(crate) ca_bundle: Option<String>,
    /// The authority of the artifact endpoint's certificate, in PEM.
    pub(crate) artifact_ca: String,
}
