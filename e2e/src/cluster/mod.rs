//! The cluster: a real single-node Kubernetes, or one that the user brings.
//!
//! The local one is a single process of the host as far as the host can see: the [`node`] is the first process of its own
//! network, mount and process namespaces, and everything else, from etcd to the last container, lives inside. Kill it, and all
//! is gone. What remains to be put back on the host is listed in [`host`].

mod address;
mod api_server;
mod certificate;
mod component;
mod container;
mod control_plane;
mod frozen;
mod host;
mod image;
mod local;
mod node;
mod node_settings;
mod parts;
mod process;
mod state;
mod status;

use std::{
    net::{IpAddr, ToSocketAddrs as _, UdpSocket},
    path::{Path, PathBuf},
};

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use thiserror::Error;

use crate::{
    cache::{Cache, CacheError},
    command::{Command, CommandError},
    go::GoError,
    progress::Progress,
    requirements::{self, RequirementError, Toolchain},
};

pub use api_server::ApiServer;
pub use certificate::CertificateError;
pub use container::{process_of, signal};
pub use control_plane::ADMINISTRATOR;
pub use frozen::Frozen;
pub use host::HostError;
pub use image::{ImageError, PROBE_IMAGE};
pub use node::NodeError;
pub use parts::{KUBERNETES_VERSION, Parts};

use state::State;

/// The user of Brickline's images.
const POD_USER: u32 = 65532;

/// Why a cluster could not be had.
#[derive(Debug, Error)]
pub enum ClusterError {
    /// The machine lacks something.
    #[error(transparent)]
    Requirement(#[from] RequirementError),
    /// The cache could not be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// A part could not be built.
    #[error(transparent)]
    Go(#[from] GoError),
    /// Papers could not be made.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The host could not be prepared or put back.
    #[error(transparent)]
    Host(#[from] HostError),
    /// An image could not be packed or imported.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A program failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A file of the state folder could not be written.
    #[error("cluster state: {0}")]
    Io(#[from] std::io::Error),
    /// The API server can't be asked.
    #[error("API server: {0}")]
    Kube(#[from] Box<kube::Error>),
    /// The user's kubeconfig can't be used.
    #[error("kubeconfig: {0}")]
    Kubeconfig(#[from] Box<kube::config::KubeconfigError>),
    /// A part of the cluster did not become ready.
    #[error("{what} is not ready after {seconds} s{said}")]
    NotReady {
        /// What was waited for.
        what: &'static str,
        /// How long.
        seconds: u64,
        /// The last lines of the logs that should say why.
        said: String,
    },
    /// Something is left of the cluster that should be gone.
    #[error("left behind: {}", .0.join("; "))]
    Left(Vec<String>),
    /// A host holds one local cluster, and another cache has it.
    #[error("this host already runs the local cluster of {}; take it down first, with BRICKLINE_CACHE={}", .0.display(), .0.parent().unwrap_or(.0).display())]
    Elsewhere(PathBuf),
    /// Only the local cluster can do this.
    #[error("{0} works with the local cluster only")]
    NotLocal(&'static str),
    /// There is no such component.
    #[error("no component {name}; there are {known}")]
    NoComponent {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
}

impl From<kube::Error> for ClusterError {
    fn from(error: kube::Error) -> Self {
        Self::Kube(Box::new(error))
    }
}

impl From<kube::config::KubeconfigError> for ClusterError {
    fn from(error: kube::config::KubeconfigError) -> Self {
        Self::Kubeconfig(Box::new(error))
    }
}

/// A cluster that is up. Cheap to clone; dropping it leaves the cluster as it is.
#[derive(Clone)]
pub struct Cluster {
    kubeconfig: PathBuf,
    context: Option<String>,
    state: Option<State>,
    parts: Parts,
    client: Client,
    gateway: IpAddr,
}

impl Cluster {
    /// The local cluster, brought up now unless it is up already.
    pub async fn up(progress: &Progress) -> Result<Self, ClusterError> {
        Box::pin(local::up(progress)).await
    }

    /// The cluster of the user's own that `context` of their kubeconfig names.
    pub async fn existing(progress: &Progress, context: &str) -> Result<Self, ClusterError> {
        requirements::toolchain(Toolchain::Go).await?;
        let parts = Parts::build(&Cache::open()?, progress, parts::tools()).await?;
        let kubeconfig = std::env::var_os("KUBECONFIG").map_or_else(default_kubeconfig, PathBuf::from);
        let options = KubeConfigOptions { context: Some(context.to_owned()), ..KubeConfigOptions::default() };
        let config = Config::from_kubeconfig(&options).await?;
        let gateway = own_address_towards(&config.cluster_url)?;
        let client = Client::try_from(config)?;
        Ok(Self { kubeconfig, context: Some(context.to_owned()), state: None, parts, client, gateway })
    }

    /// The local cluster, or the user's own if they named one.
    pub async fn reach(progress: &Progress, context: Option<&str>) -> Result<Self, ClusterError> {
        match context {
            Some(context) => Self::existing(progress, context).await,
            None => Self::up(progress).await,
        }
    }

    /// Takes the local cluster down, whatever state it is in, and checks that nothing of it is left on the host.
    pub async fn down(progress: &Progress) -> Result<(), ClusterError> {
        Box::pin(local::down(progress)).await
    }

    /// Whether anything of the local cluster runs, in whatever state.
    #[must_use]
    pub fn exists() -> bool {
        let state = Cache::open().and_then(|cache| State::open(&cache));
        state.is_ok_and(|state| !process::marked(state.folder()).is_empty())
    }

    /// Installs and builds everything that [`Cluster::up`] needs, without starting anything.
    pub async fn prepare(progress: &Progress) -> Result<(), ClusterError> {
        Box::pin(local::prepare(&Cache::open()?, progress)).await.map(drop)
    }

    /// Kills the local cluster's node without any care, as a power cut would. What it leaves, the next `up` or `down` clears.
    pub async fn crash() -> Result<(), ClusterError> {
        local::crash(&State::open(&Cache::open()?)?).await
    }

    /// A table with the local cluster's components, versions and addresses.
    pub async fn status() -> Result<String, ClusterError> {
        status::status(&State::open(&Cache::open()?)?).await
    }

    /// The last lines of the local cluster's logs, of one component or of all.
    pub fn logs(component: Option<&str>, lines: usize) -> Result<String, ClusterError> {
        status::logs(&State::open(&Cache::open()?)?, component, lines)
    }

    /// What is left of the local cluster on this host, one sentence each. Without a cluster there must be nothing.
    pub async fn leftovers() -> Result<Vec<String>, ClusterError> {
        Ok(host::leftovers(&State::open(&Cache::open()?)?).await)
    }

    /// The kubeconfig with which the cluster is administered.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// A client with the administrator's rights.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The address at which pods reach programs on this host that listen on all addresses, or on this one.
    #[must_use]
    pub fn gateway_ip(&self) -> IpAddr {
        self.gateway
    }

    /// Whether this is the local cluster, and not one of the user's own.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.state.is_some()
    }

    /// A folder of the local cluster's node that pods may write to as the user of Brickline's images. It goes with the cluster.
    pub fn node_folder(&self, name: &str) -> Result<PathBuf, ClusterError> {
        let folder = self.state.as_ref().ok_or(ClusterError::NotLocal("a folder of the node"))?.file(name);
        std::fs::create_dir_all(&folder)?;
        std::os::unix::fs::chown(&folder, Some(POD_USER), Some(POD_USER))?;
        Ok(folder)
    }

    /// Stops one of the local cluster's components where it stands, as a machine without processor time would. It goes on when
    /// the answer is dropped.
    pub fn freeze(&self, component: &'static str) -> Result<Frozen, ClusterError> {
        let state = self.state.as_ref().ok_or(ClusterError::NotLocal("freezing a component"))?;
        Ok(Frozen::new(state, component)?)
    }

    /// Imports an image's archive, so that pods can use it without a registry.
    pub async fn import_image(&self, archive: &Path) -> Result<(), ClusterError> {
        let state = self.state.as_ref().ok_or(ClusterError::NotLocal("importing an image"))?;
        Ok(image::import(state, archive).await?)
    }

    /// The names of the images that are on the local cluster's node.
    pub async fn image_names(&self) -> Result<Vec<String>, ClusterError> {
        let state = self.state.as_ref().ok_or(ClusterError::NotLocal("listing images"))?;
        Ok(image::names(state).await?)
    }

    /// kubectl with these arguments, ready to run against this cluster.
    #[must_use]
    pub fn kubectl<A: AsRef<std::ffi::OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let program = Command::new(self.parts.program("kubectl")).env("KUBECONFIG", &self.kubeconfig);
        match &self.context {
            Some(context) => program.arg("--context").arg(context).args(arguments),
            None => program.env("NO_PROXY", address::NODE.to_string()).args(arguments),
        }
    }

    /// helm with these arguments, ready to run against this cluster.
    #[must_use]
    pub fn helm<A: AsRef<std::ffi::OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let program = Command::new(self.parts.program("helm")).env("KUBECONFIG", &self.kubeconfig);
        match &self.context {
            Some(context) => program.arg("--kube-context").arg(context).args(arguments),
            None => program.env("NO_PROXY", address::NODE.to_string()).args(arguments),
        }
    }

    /// The programs that were built for the cluster.
    #[must_use]
    pub fn parts(&self) -> &Parts {
        &self.parts
    }
}

/// Is the node, until it is killed: the first process of the namespaces that [`Cluster::up`] makes.
pub fn be_node(state: &Path) -> Result<(), NodeError> {
    node::run(state)
}

/// A client for the kubeconfig at this path.
async fn client(kubeconfig: &Path) -> Result<Client, ClusterError> {
    let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    // No proxy of the user's lies between this host and itself.
    config.proxy_url = None;
    Ok(Client::try_from(config)?)
}

fn default_kubeconfig() -> PathBuf {
    PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".kube/config")
}

/// This host's address on the way to the cluster: the best guess at how the cluster reaches this host.
fn own_address_towards(server: &http::Uri) -> Result<IpAddr, ClusterError> {
    let host = server.host().unwrap_or("localhost").trim_matches(['[', ']']);
    let peer = (host, server.port_u16().unwrap_or(443)).to_socket_addrs()?.next();
    let peer = peer.ok_or_else(|| std::io::Error::other(format!("no address for {host}")))?;
    // Connecting a datagram socket sends nothing; it only looks the route up.
    let socket = UdpSocket::bind(if peer.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" })?;
    socket.connect(peer)?;
    Ok(socket.local_addr()?.ip())
}
