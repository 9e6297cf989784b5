//! Install: libraries on clusters. Uninstall, restart, wait, install, wait; only what differs by content.

mod act;
mod decide;
mod observe;

use crate::databricks::{clusters::ClusterState, libraries::InstallState, libraries::Library};

pub(crate) use act::act;
pub(crate) use decide::decide;
pub(crate) use observe::observe;

/// What can be done. By observation: a restart is done when the Spark context is another one; the others are harmless.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Effect {
    /// Start a terminated cluster.
    Start { cluster: String },
    /// Take libraries off; they are gone after the restart.
    Uninstall { cluster: String, libraries: Vec<Library> },
    /// Restart the cluster.
    Restart { cluster: String },
    /// Put libraries on.
    Install { cluster: String, libraries: Vec<Library> },
}

/// What a look shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct View {
    /// What must be installed, on every cluster.
    pub(crate) desired: Vec<Desired>,
    pub(crate) clusters: Vec<Cluster>,
}

/// One wheel that must be installed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Desired {
    /// Normalised distribution name: a library's identity on a cluster.
    pub(crate) distribution: String,
    /// Its place in the workspace; another content has another place.
    pub(crate) path: String,
}

/// One cluster and its libraries.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cluster {
    /// Databricks' id.
    pub(crate) id: String,
    pub(crate) state: ClusterState,
    /// Databricks' own words on the state.
    pub(crate) message: String,
    /// Another one after each restart; empty if there is none.
    pub(crate) context: String,
    pub(crate) libraries: Vec<Installed>,
}

/// One library on a cluster.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Installed {
    pub(crate) library: Library,
    pub(crate) state: InstallState,
    pub(crate) messages: String,
}
