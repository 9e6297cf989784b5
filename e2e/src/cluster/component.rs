//! A component: one long-running program of the cluster, as the node's first process starts it and starts it again.

use std::{collections::BTreeMap, net::TcpStream, os::unix::net::UnixStream, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

/// A program of the cluster.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Component {
    /// Its name, and that of its log.
    pub name: String,
    /// Its path.
    pub program: PathBuf,
    /// Its arguments. No secrets: those are in files.
    pub arguments: Vec<String>,
    /// Environment variables besides the inherited ones.
    pub variables: BTreeMap<String, String>,
    /// What must answer before it is started, so that it need not fail first.
    pub after: Option<Door>,
}

impl Component {
    /// A component with arguments of the form `--name=value`.
    pub fn new(name: &str, program: PathBuf, arguments: impl IntoIterator<Item = String>) -> Self {
        let arguments = arguments.into_iter().collect();
        Self { name: name.to_owned(), program, arguments, variables: BTreeMap::new(), after: None }
    }

    /// Starts it only once this door is open.
    #[must_use]
    pub fn after(mut self, door: Door) -> Self {
        self.after = Some(door);
        self
    }
}

/// A place where a program answers once it is ready.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) enum Door {
    /// A TCP address, `ip:port`.
    Tcp(std::net::SocketAddr),
    /// A file that appears.
    File(PathBuf),
    /// A Unix socket's path.
    Unix(PathBuf),
}

impl Door {
    /// Whether something answers there.
    pub fn is_open(&self) -> bool {
        match self {
            Self::Tcp(address) => TcpStream::connect_timeout(address, Duration::from_millis(200)).is_ok(),
            Self::File(path) => path.exists(),
            Self::Unix(path) => UnixStream::connect(path).is_ok(),
        }
    }
}
