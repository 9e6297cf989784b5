//! State: the folder with everything of the local cluster that must survive this process but not the cluster.

use std::path::{Path, PathBuf};

use crate::cache::{Cache, CacheError, remove};

use super::control_plane::{self, ControlPlane};

/// The variable by which every process of the cluster is known, whatever became of the process that started it.
pub(crate) const MARK: &str = "BRICKLINE_CLUSTER";

/// The state folder. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct State {
    folder: PathBuf,
    containers: PathBuf,
}

impl State {
    /// The state folder of this cache, made when missing.
    pub fn open(cache: &Cache) -> Result<Self, CacheError> {
        Ok(Self { folder: cache.folder("cluster")?, containers: cache.folder("containers")? })
    }

    /// The state in a folder whose path another process told us.
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), containers: folder.with_file_name("containers") }
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A file in it, as text for an argument or a setting.
    pub fn text(&self, name: &str) -> String {
        self.file(name).display().to_string()
    }

    /// The log of a component.
    pub fn log(&self, component: &str) -> PathBuf {
        self.folder.join("logs").join(format!("{component}.log"))
    }

    /// Images and layers. They are kept when the cluster goes, because the next one needs them again.
    pub fn containers(&self) -> &Path {
        &self.containers
    }

    /// The control plane that keeps its papers here.
    pub fn control_plane(&self) -> ControlPlane {
        control_plane::local(self.folder.clone())
    }

    /// Forgets everything but the images.
    pub fn clear(&self) -> Result<(), CacheError> {
        remove(&self.folder)
    }
}
