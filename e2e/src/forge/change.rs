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
        }
    }

    fn patch(&self) -> Option<&'static str> {
        match self {
            Self::Behaviour => Some("change-behaviour"),
            Self::BreakNotebook => Some("break-notebook"),
            Self::BreakPytest => Some("break-pytest"),
            Self::File { .. } => None,
        }
    }

    /// Makes the change in a working copy.
    pub(super) async fn make(&self, copy: &WorkingCopy<'_>) -> Result<(), ForgeError> {
        if let Some(patch) = self.patch() {
            copy.apply(&Path::new(EXAMPLE).join(format!("changes/{patch}.patch"))).await?;
        }
        if let Self::File { path, content } = self {
            let path = copy.folder().join(path);
            let folder = path.parent().unwrap_or(copy.folder());
            fs::create_dir_all(folder).and_then(|()| fs::write(&path, content)).map_err(ForgeError::io(&path))?;
        }
        Ok(())
    }
}

/// The folder with the example repository's first content.
pub(super) fn first_content() -> PathBuf {
    Path::new(EXAMPLE).join("repository")
}
