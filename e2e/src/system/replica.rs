//! The controller's replicas on the local cluster: which one leads, and signals to their processes.

use anyhow::Context as _;
use k8s_openapi::api::{coordination::v1::Lease, core::v1::Pod};
use kube::{Api, ResourceExt as _, api::ListParams};
use rustix::process::Signal;

use super::NAMESPACE;
use crate::cluster::{Cluster, signal};

/// One replica of the controller.
#[derive(Clone, Debug)]
pub struct Replica {
    /// The pod's name.
    pub pod: String,
    /// How often its container was started again.
    pub restarts: i32,
    container: String,
}

impl Replica {
    /// All replicas whose container runs.
    pub async fn all(cluster: &Cluster) -> anyhow::Result<Vec<Self>> {
        let pods: Api<Pod> = Api::namespaced(cluster.client(), NAMESPACE);
        let ours = ListParams::default().labels("app.kubernetes.io/component=controller");
        let running = pods.list(&ours).await?.items.into_iter().filter_map(|pod| {
            let status = pod.status.as_ref()?.container_statuses.as_ref()?.first()?;
            status.state.as_ref()?.running.as_ref()?;
            let container = status.container_id.as_ref()?.rsplit('/').next()?.to_owned();
            Some(Self { pod: pod.name_any(), restarts: status.restart_count, container })
        });
        Ok(running.collect())
    }

    /// The one that leads.
    pub async fn leader(cluster: &Cluster) -> anyhow::Result<Self> {
        let leases: Api<Lease> = Api::namespaced(cluster.client(), NAMESPACE);
        let holder = leases.get("brickline").await?.spec.and_then(|spec| spec.holder_identity).unwrap_or_default();
        let replicas = Self::all(cluster).await?;
        replicas.into_iter().find(|replica| replica.pod == holder).with_context(|| format!("no replica {holder:?}"))
    }

    /// Sends a signal to its process.
    pub fn signal(&self, which: Signal) -> anyhow::Result<()> {
        signal(&self.container, which).with_context(|| format!("a signal to {}", self.pod))
    }
}
