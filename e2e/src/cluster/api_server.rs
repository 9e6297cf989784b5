//! The API server alone, with its etcd: enough for tests that need real storage, validation and access rules but no pods.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    time::Duration,
};

use kube::Client;
use tempfile::TempDir;
use tokio::time::{Instant, sleep, timeout};

use super::{
    ClusterError, client,
    component::Component,
    control_plane::ControlPlane,
    parts::{self, Parts},
};
use crate::{
    cache::Cache,
    command::{Command, Leashed, tail},
    progress::Progress,
    requirements::{self, Toolchain},
};

/// How long the API server may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// A real API server on ports of its own, which ends, with all its data, when this value is dropped or this process dies.
pub struct ApiServer {
    // Fields are dropped in this order: the programs before the folder they write to.
    api: Leashed,
    etcd: Leashed,
    folder: TempDir,
    plane: ControlPlane,
    client: Client,
}

impl ApiServer {
    /// Starts one, building its programs first if the cache lacks them. Needs no root.
    pub async fn start() -> Result<Self, ClusterError> {
        // Another provider that was chosen before is as good.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        requirements::toolchain(Toolchain::Go).await?;
        let parts = Parts::build(&Cache::open()?, &Progress::default(), parts::API_SERVER).await?;
        let folder = tempfile::tempdir()?;
        let [etcd, _peer, api] = free_ports()?;
        let plane = ControlPlane { folder: folder.path().to_owned(), etcd, api };
        plane.write_papers()?;
        let client = client(&plane.kubeconfig()).await?;
        let etcd = launch(&plane, &plane.etcd(&parts))?;
        let api = launch(&plane, &plane.api_server(&parts))?;
        let mut server = Self { api, etcd, folder, plane, client };
        server.ready().await?;
        Ok(server)
    }

    /// A client with the administrator's rights.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The administrator's kubeconfig, for programs that want a file.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.plane.kubeconfig()
    }

    async fn ready(&mut self) -> Result<(), ClusterError> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline && self.api.alive() && self.etcd.alive() {
            let request = http::Request::get("/readyz").body(Vec::new()).map_err(std::io::Error::other)?;
            let asked = timeout(Duration::from_secs(5), self.client.request_text(request)).await;
            if matches!(asked, Ok(Ok(_))) {
                return Ok(());
            }
            sleep(Duration::from_millis(50)).await;
        }
        let logs = ["etcd", "kube-apiserver"].map(|name| self.folder.path().join(format!("{name}.log")));
        let said = logs.map(|log| format!("\n{}", tail(&log, 12).unwrap_or_default())).concat();
        Err(ClusterError::NotReady { what: "the API server", seconds: PATIENCE.as_secs(), said })
    }
}

fn launch(plane: &ControlPlane, component: &Component) -> Result<Leashed, ClusterError> {
    let log = plane.folder.join(format!("{}.log", component.name));
    Ok(Command::new(&component.program).args(&component.arguments).log(log).leashed()?)
}

/// Two neighbouring ports for etcd and one for the API server. They are free now; nothing reserves them, but the kernel hands
/// out other ports first for a while.
fn free_ports() -> Result<[SocketAddr; 3], ClusterError> {
    let any = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    for _ in 0..100 {
        let etcd = any()?;
        let address = etcd.local_addr()?;
        let Some(next) = address.port().checked_add(1) else { continue };
        let peer = SocketAddr::new(address.ip(), next);
        if TcpListener::bind(peer).is_ok() {
            return Ok([address, peer, any()?.local_addr()?]);
        }
    }
    Err(std::io::Error::other("no two neighbouring free ports").into())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Namespace;
    use kube::{
        Api,
        api::{DeleteParams, ListParams},
    };

    use super::*;

    #[tokio::test]
    async fn an_api_server_serves_and_then_leaves_nothing() {
        let server = ApiServer::start().await.unwrap();
        let namespaces: Api<Namespace> = Api::all(server.client());
        assert!(namespaces.list(&ListParams::default()).await.unwrap().items.len() >= 3);
        let refused = namespaces.delete("default", &DeleteParams::default()).await.unwrap_err();
        assert!(matches!(refused, kube::Error::Api(status) if status.is_forbidden()));
        let (folder, api) = (server.folder.path().to_owned(), server.plane.api);
        drop(server);
        assert!(!folder.exists());
        let gone = async {
            while std::net::TcpStream::connect(api).is_ok() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(Duration::from_secs(10), gone).await.unwrap();
    }
}
