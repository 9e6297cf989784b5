//! Install: libraries on clusters. Uninstall, restart, wait, install, wait; only what differs by content.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `desired.rs` | the spec and the artifact to a list of libraries |
//! | `identity.rs` | which libraries are versions of the same one |
//! | `compare.rs` | what a cluster has against what it must have |
//! | `cluster.rs` | the next step for one cluster |
//! | `hint.rs` | what to do about a library that failed |
//! | `decide.rs` | the next step for all of them, side by side |

mod act;
mod cluster;
mod compare;
mod decide;
mod desired;
mod hint;
mod identity;
mod observe;
#[cfg(test)]
pub(crate) mod real;
#[cfg(test)]
mod tests;

use crate::databricks::{
    clusters::{ActiveRun, ClusterState},
    libraries::InstallState,
    libraries::Library,
};

pub(crate) use act::act;
pub(crate) use decide::decide;
pub(crate) use desired::travelling;
pub(crate) use observe::observe;

/// What is due on the clusters, all at the same time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Effect {
    pub(crate) calls: Vec<Call>,
}

/// One thing to do on one cluster. By observation: a start is done when the cluster is no longer terminated, a restart
/// when its Spark context is another one; the others are harmless.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Call {
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
    pub(crate) desired: Vec<Library>,
    pub(crate) clusters: Vec<Cluster>,
    /// Everybody's runs; looked up only if a restart waits for them.
    pub(crate) runs: Vec<ActiveRun>,
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
    /// Databricks' name of its runtime, such as `15.4.x-scala2.12`.
    pub(crate) runtime: String,
    pub(crate) libraries: Vec<Installed>,
}

/// One library on a cluster.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Installed {
    pub(crate) library: Library,
    pub(crate) state: InstallState,
    pub(crate) messages: String,
    /// An administrator installs it on every cluster: nobody takes it off one of them.
    pub(crate) for_all: bool,
}
