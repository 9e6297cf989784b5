//! A change: what a pull request does to the example repository.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{ForgeError, git::WorkingCopy};

/// The content of the example repository, and the patches to it.
const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/example");

/// What a pull request changes. The first three apply to the example repository, one after the other in any order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Change {
    /// The library gives another status, and both tests expect it: passes, if the new wheel took effect.
    Behaviour,
    /// The library loses records without a city: only the notebook's `test_no_customer_is_lost` sees it.
    BreakNotebook,
    /// A test expects another order of columns: pytest fails, so nothing may be deployed.
    BreakPytest,
    /// One file gets new content, in any repository.
    File {
        /// The file's path in the repository.
        path: String,
        /// All of its new content.
        content: String,
    },
    /// These files get new content, each a path and its content.
    Files(Vec<(String, String)>),
    /// The repository holds these files and no others, each a path and its content.
    Only(Vec<(String, String)>),
}

impl Change {
    /// The pull request's title and the commit's message.
    #[must_use]
    pub fn title(&self) -> String {
        match self {
            Self::Behaviour => "Call checked records approved".to_owned(),
            Self::BreakNotebook => "Leave incomplete records out".to_owned(),
            Self::BreakPytest => "Expect the status before the name".to_owned(),
            Self::File { path, .. } => format!("Change {path}"),
            Self::Files(files) => format!("Change {} files", files.len()),
            Self::Only(files) => format!("Keep {} files", files.len()),
        }
    }

    fn patch(&self) -> Option<&'static str> {
        match self {
            Self::Behaviour => Some("change-behaviour"),
            Self::BreakNotebook => Some("break-notebook"),
            Self::BreakPytest => Some("break-pytest"),
            Self::File { .. } | Self::Files(_) | Self::Only(_) => None,
        }
    }

    /// Makes the change in a working copy.
    pub(super) async fn make(&self, copy: &WorkingCopy<'_>) -> Result<(), ForgeError> {
        if let Some(patch) = self.patch() {
            copy.apply(&Path::new(EXAMPLE).join(format!("changes/{patch}.patch"))).await?;
        }
        match self {
            Self::File { path, content } => write(copy.folder(), path, content),
            Self::Files(files) => files.iter().try_for_each(|(path, content)| write(copy.folder(), path, content)),
            Self::Only(files) => {
                copy.empty_out().await?;
                files.iter().try_for_each(|(path, content)| write(copy.folder(), path, content))
            }
            _ => Ok(()),
        }
    }
}

fn write(folder: &Path, path: &str, content: &str) -> Result<(), ForgeError> {
    let path = folder.join(path);
    let parent = path.parent().unwrap_or(folder);
    fs::create_dir_all(parent).and_then(|()| fs::write(&path, content)).map_err(ForgeError::io(&path))
}

/// The folder with the example repository's first content.
pub(super) fn first_content() -> PathBuf {
    Path::new(EXAMPLE).join("repository")
}
