//! The source is what the checkout knows of the tree: its commit, its tracked files and what changed in them.

use std::fs;
use std::io;
use std::path::Path;

use brickline_artifact::manifest::Change;
use serde::{Deserialize, Serialize};

use crate::place::name;

/// What the checkout tells the other containers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceInfo {
    pub commit: String,
    /// The commit that changes are marked against; none if there is no parent.
    pub base: Option<String>,
    pub parents: Vec<String>,
    /// Seconds since 1970.
    pub committed_at: i64,
    pub files: Vec<TrackedFile>,
    pub removed: Vec<String>,
}

/// One tracked file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrackedFile {
    pub path: String,
    pub kind: Kind,
    pub change: Change,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_path: Option<String>,
}

/// What git tracks at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    Regular,
    Executable,
    Symlink,
    /// A submodule that wasn't checked out.
    Submodule,
    /// A file whose name isn't UTF-8.
    Unreadable,
}

impl SourceInfo {
    pub fn read(meta: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&fs::read(meta.join(name::SOURCE_INFO))?)?)
    }

    pub fn write(&self, meta: &Path) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(meta)?;
        serde_json::to_writer(io::BufWriter::new(file.as_file_mut()), self)?;
        make_readable(file.as_file())?;
        file.persist(meta.join(name::SOURCE_INFO))?;
        Ok(())
    }

    /// The regular files: what can be read, built and put into an artifact.
    pub fn regular(&self) -> impl Iterator<Item = &TrackedFile> {
        self.files.iter().filter(|file| matches!(file.kind, Kind::Regular | Kind::Executable))
    }
}

/// Temporary files are their owner's alone; the pod's other containers may run as somebody else.
pub fn make_readable(file: &fs::File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}
