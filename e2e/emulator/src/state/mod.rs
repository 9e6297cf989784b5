//! State is what the emulator remembers: objects, files, clusters and runs, each kept on the disk below the data folder.

pub(crate) mod cells;
pub(crate) mod cluster;
pub(crate) mod credential;
pub(crate) mod disk;
pub(crate) mod ids;
mod index;
pub(crate) mod job;
pub(crate) mod library;
pub(crate) mod objects;
pub(crate) mod path;
pub(crate) mod permission;
pub(crate) mod refusal;
pub(crate) mod registry;
pub(crate) mod run;
pub(crate) mod streams;
pub(crate) mod task;
pub(crate) mod tree;

pub(crate) use cluster::{Cluster, ClusterRecord, ClusterState, Termination};
pub(crate) use credential::GitCredentials;
pub(crate) use job::Jobs;
pub(crate) use library::{Libraries, Library, LibraryStatus};
pub(crate) use objects::Objects;
pub(crate) use path::SafePath;
pub(crate) use permission::Permissions;
pub(crate) use refusal::Refusal;
pub(crate) use registry::{Clusters, Runs};
pub(crate) use run::{Run, RunRecord};
pub(crate) use streams::Streams;
pub(crate) use tree::Tree;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks; a thread that panicked while it held the lock has left whole values behind.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
