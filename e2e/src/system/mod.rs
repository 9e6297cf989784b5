//! The system: Brickline itself, installed from its chart and images, with a forge beside it.

mod emulator;
mod installation;
mod replica;
mod team;

use std::sync::Arc;

use anyhow::Context as _;
use k8s_openapi::api::core::v1::Service;
use kube::Api;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::{
    cache::Cache,
    cluster::Cluster,
    forge::Forge,
    images::{self, Image},
    progress::Progress,
};

pub use emulator::Emulator;
pub use installation::{ARTIFACTS, NARROW};
pub use replica::Replica;
pub use team::{CLIENT, CLUSTER, OTHER_CLUSTER, TENANT, Team, VOLUME, start_emulator, tenant, workspace};

/// The namespace that Brickline is installed in.
pub const NAMESPACE: &str = "brickline";

/// Brickline and a forge on a cluster. Cheap to clone.
#[derive(Clone)]
pub struct System {
    /// The forge, which sends its webhooks to this Brickline.
    pub forge: Forge,
    /// The emulator's image.
    pub emulator: Arc<str>,
    /// Where webhooks go, without a slash at the end.
    pub webhooks: Arc<str>,
    /// Where metrics are, without a slash at the end.
    pub metrics: Arc<str>,
}

impl System {
    /// Installs Brickline from this checkout; quick when it is there already.
    pub async fn up(cluster: &Cluster, progress: &Progress) -> anyhow::Result<Self> {
        let cache = Cache::open()?;
        // Scenarios side by side share one installation.
        let _lock = cache.lock("system").await?;
        let built = images::build(&cache, progress, &Image::ALL).await?;
        images::load(cluster, progress, &built).await?;
        let forge = Forge::up(&cache, progress, cluster.gateway_ip()).await?;
        progress.step("Install Brickline with Helm", installation::install(cluster, &built)).await?;
        let emulator = built.iter().find(|built| built.image == Image::Emulator).context("no emulator image")?;
        Ok(Self {
            forge,
            emulator: emulator.reference().into(),
            webhooks: address(cluster, "brickline-webhooks").await?.into(),
            metrics: address(cluster, "brickline-metrics").await?.into(),
        })
    }
}

impl System {
    /// The data of a Secret with which the forge's repositories are cloned.
    #[must_use]
    pub fn git_secret(&self) -> Value {
        let account = self.forge.account();
        json!({"username": account.name, "token": account.token.expose_secret()})
    }
}

/// Takes everything down that runs on this host: the forge and the local cluster with Brickline on it.
pub async fn down(progress: &Progress) -> anyhow::Result<()> {
    Forge::down_any(&Cache::open()?).await?;
    Ok(Cluster::down(progress).await?)
}

/// The address of a Service by its number: the forge and this program don't use the cluster's DNS.
async fn address(cluster: &Cluster, name: &str) -> anyhow::Result<String> {
    let services: Api<Service> = Api::namespaced(cluster.client(), NAMESPACE);
    let spec = services.get(name).await.with_context(|| format!("Service {name}"))?.spec.unwrap_or_default();
    let ip = spec.cluster_ip.context("a Service without an address")?;
    let port = spec.ports.and_then(|ports| ports.first().map(|port| port.port)).context("a Service without a port")?;
    Ok(format!("http://{ip}:{port}"))
}
