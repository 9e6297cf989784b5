//! The workspace is everything that one emulated workspace is: its state, its drivers and its settings.

use crate::{
    driver::{Generation, Program, generation::Settings, worker::Roots},
    limits::Limits,
    spec::Known,
    state::{Clusters, GitCredentials, Jobs, Objects, Permissions, Refusal, Runs, SafePath, Streams, Tree, lock},
};
use anyhow::Context;
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Delays that make a cluster as slow as a real one.
#[derive(Clone, Copy, Debug, Default, serde::Deserialize, serde::Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "the unit belongs to the names that users write")]
pub(crate) struct Delays {
    /// Milliseconds before a cluster starts, and before it starts again.
    pub(crate) start_ms: u64,
    pub(crate) restart_ms: u64,
    /// Milliseconds before a library is installed.
    pub(crate) install_ms: u64,
}

/// How repositories are checked out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Git {
    /// Whether plain HTTP will do, which the real service refuses.
    pub(crate) insecure: bool,
    /// Certificate authorities that are trusted beside the system's.
    pub(crate) ca_bundle: Option<PathBuf>,
}

/// How the work is done.
pub(crate) struct Work {
    /// None if no cluster is to start.
    pub(crate) program: Option<Arc<Program>>,
    pub(crate) settings: Settings,
    pub(crate) git: Git,
    pub(crate) delays: Mutex<Delays>,
    /// The living parts of running clusters.
    pub(crate) live: Mutex<HashMap<String, Arc<Generation>>>,
    /// Canceled for each cluster when what it is about to do has been overtaken.
    pub(crate) turns: Mutex<HashMap<String, CancellationToken>>,
    pub(crate) tasks: TaskTracker,
    /// The emulator leaves.
    pub(crate) leaving: CancellationToken,
}

/// One emulated workspace.
pub(crate) struct Workspace {
    pub(crate) objects: Objects,
    pub(crate) dbfs: Tree,
    pub(crate) volumes: Tree,
    pub(crate) streams: Streams,
    pub(crate) clusters: Clusters,
    pub(crate) runs: Runs,
    pub(crate) jobs: Jobs,
    pub(crate) git_credentials: GitCredentials,
    pub(crate) permissions: Permissions,
    pub(crate) limits: Arc<Limits>,
    pub(crate) work: Work,
}

impl Workspace {
    /// Opens the state below `data`; `folders` are there from the beginning.
    pub(crate) fn open(
        data: &Path,
        folders: &[String],
        limits: Limits,
        program: Option<Arc<Program>>,
        settings: Settings,
        git: Git,
    ) -> anyhow::Result<Arc<Self>> {
        let staging = data.join("staging");
        if staging.exists() {
            std::fs::remove_dir_all(&staging).context("unfinished uploads can't be removed")?;
        }
        Ok(Arc::new(Self {
            objects: Objects::open(data, folders).context("the workspace's objects can't be read")?,
            dbfs: Tree::open(data.join("dbfs"), staging.clone()).context("DBFS can't be opened")?,
            volumes: Tree::open(data.join("volumes"), staging).context("the volumes can't be opened")?,
            streams: Streams::default(),
            clusters: Clusters::open(data.join("clusters")).context("the clusters can't be read")?,
            runs: Runs::open(data.join("runs")).context("the runs can't be read")?,
            jobs: Jobs::open(data.join("jobs")).context("the jobs can't be read")?,
            git_credentials: GitCredentials::open(data.join("git-credentials.json"))
                .context("the git credentials can't be read")?,
            permissions: Permissions::open(data.join("permissions.json")).context("the permissions can't be read")?,
            limits: Arc::new(limits),
            work: Work {
                program,
                settings,
                git,
                delays: Mutex::default(),
                live: Mutex::default(),
                turns: Mutex::default(),
                tasks: TaskTracker::new(),
                leaving: CancellationToken::new(),
            },
        }))
    }

    /// What plans are checked against.
    pub(crate) fn known(&self) -> Known<'_> {
        Known { clusters: &self.clusters, insecure_git: self.work.git.insecure }
    }

    /// The local folders of the trees.
    pub(crate) fn roots(&self) -> Roots {
        Roots {
            workspace: self.objects.root().to_owned(),
            dbfs: self.dbfs.root().to_owned(),
            volumes: self.volumes.root().to_owned(),
            repository: None,
        }
    }

    /// The local file that a library's path names.
    pub(crate) fn locate(&self, path: &str) -> Result<PathBuf, Refusal> {
        let local = if path.starts_with("/Volumes/") || path.starts_with("dbfs:/Volumes/") {
            self.volumes.locate(&SafePath::volume(path)?)
        } else if path.starts_with("dbfs:/") {
            self.dbfs.locate(&SafePath::dbfs(path)?)
        } else if path.starts_with("/Workspace/") {
            SafePath::workspace(path)?.under(self.objects.root())
        } else {
            return Err(Refusal::Invalid(format!("{path} is not in /Workspace, /Volumes or dbfs:/")));
        };
        if local.is_file() { Ok(local) } else { Err(Refusal::NotFound(format!("No such file: {path}"))) }
    }

    /// The living part of a cluster, if it runs.
    pub(crate) fn generation(&self, cluster_id: &str) -> Option<Arc<Generation>> {
        lock(&self.work.live).get(cluster_id).cloned()
    }

    /// Stops all work and waits, but not for ever.
    pub(crate) async fn close(&self, patience: Duration) {
        self.work.leaving.cancel();
        for (_, generation) in lock(&self.work.live).drain() {
            generation.stop();
        }
        self.work.tasks.close();
        if tokio::time::timeout(patience, self.work.tasks.wait()).await.is_err() {
            tracing::warn!("some work did not end in time and is abandoned");
        }
    }
}
