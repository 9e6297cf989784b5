//! A library root is where wheels are put for clusters to find: a volume, the workspace tree or DBFS, told apart by its prefix.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::reply::Answer;
use super::upload::Upload;
use super::workspace::ObjectType;
use super::{Client, Error};

/// Characters of a path that go into an address as they are.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Where libraries are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LibraryRoot {
    /// A folder of a Unity Catalog volume: `/Volumes/<catalog>/<schema>/<volume>/...` (advised).
    Volume(String),
    /// A folder of the workspace tree: `/Workspace/...`.
    Workspace(String),
    /// A folder of DBFS: `dbfs:/...`; off by default from runtime 15 on.
    Dbfs(String),
}

/// Why a path can't be a library root or lie below one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The root has none of the known prefixes.
    #[error("{0}: a library path begins with /Volumes/<catalog>/<schema>/<volume>, /Workspace or dbfs:/")]
    Root(String),
    /// The path below the root is empty or has an empty, `.` or `..` part.
    #[error("{0}: not a path below the library path")]
    Below(String),
}

impl LibraryRoot {
    /// Reads a root such as `/Volumes/main/release/libs`.
    ///
    /// # Errors
    /// [`PathError::Root`] if the prefix is none of the three or a part is `.` or `..`.
    pub fn parse(root: &str) -> Result<Self, PathError> {
        let refused = || PathError::Root(root.to_owned());
        let trimmed = root.trim_end_matches('/');
        let parts = || trimmed.split('/').skip(1);
        if trimmed.len() > 4096 || parts().any(|part| matches!(part, "" | "." | "..")) {
            return Err(refused());
        }
        match trimmed.split('/').next() {
            Some("dbfs:") => Ok(Self::Dbfs(trimmed.trim_start_matches("dbfs:").to_owned())),
            Some("") if trimmed.starts_with("/Volumes/") && parts().count() >= 4 => {
                Ok(Self::Volume(trimmed.to_owned()))
            }
            Some("") if trimmed.starts_with("/Workspace/") => Ok(Self::Workspace(trimmed.to_owned())),
            _ => Err(refused()),
        }
    }

    /// The path of something below this root, as a library's location is written: `dbfs:/libs/a.whl`, `/Volumes/...`.
    ///
    /// # Errors
    /// [`PathError::Below`] if `below` could leave the root.
    pub fn location(&self, below: &str) -> Result<String, PathError> {
        if below.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(PathError::Below(below.to_owned()));
        }
        Ok(match self {
            Self::Volume(root) | Self::Workspace(root) => format!("{root}/{below}"),
            Self::Dbfs(root) => format!("dbfs:{root}/{below}"),
        })
    }
}

impl Client {
    /// Puts a file at a location made by [`LibraryRoot::location`], replacing what is there. Harmless when repeated. A
    /// missing folder is made, and the file sent again.
    ///
    /// # Errors
    /// `NotFound` if a volume is missing, `Permission` and `Invalid` where the store is switched off, `Protocol` for a location
    /// of no known kind, `Source` if the file can't be read, the general ones.
    pub async fn upload(&self, location: &str, upload: &Upload) -> Result<(), Error> {
        match LibraryRoot::parse(location).map_err(|error| refused(&error))? {
            LibraryRoot::Dbfs(path) => self.dbfs_upload(&path, upload).await,
            LibraryRoot::Volume(path) => self.put_file(&path, upload).await,
            LibraryRoot::Workspace(path) => self.import_file(&path, upload).await,
        }
    }

    /// The size in bytes of the file at a location, `None` if there is no file. Harmless when repeated.
    /// A workspace that tells no size of its files is asked for the content's length.
    ///
    /// # Errors
    /// `Protocol` for a location of no known kind, the general ones.
    pub async fn stored_size(&self, location: &str) -> Result<Option<u64>, Error> {
        let size = match LibraryRoot::parse(location).map_err(|error| refused(&error))? {
            LibraryRoot::Volume(path) => self.file_size(&path).await.map(Some),
            LibraryRoot::Workspace(path) => self.workspace_size(&path).await,
            LibraryRoot::Dbfs(path) => {
                self.dbfs_status(&path).await.map(|found| (!found.is_dir).then_some(found.file_size))
            }
        };
        match size {
            Err(error) if error.is_not_found() => Ok(None),
            other => other,
        }
    }

    async fn workspace_size(&self, path: &str) -> Result<Option<u64>, Error> {
        let object = self.object(path).await?;
        if object.object_type != ObjectType::File {
            return Ok(None);
        }
        match object.size {
            Some(size) => Ok(Some(size)),
            None => self.download(path, Answer::File).await.map(|content| Some(content.len() as u64)),
        }
    }

    /// Removes the file at a location. Harmless when repeated.
    ///
    /// # Errors
    /// `Protocol` for a location of no known kind, the general ones.
    pub async fn remove(&self, location: &str) -> Result<(), Error> {
        match LibraryRoot::parse(location).map_err(|error| refused(&error))? {
            LibraryRoot::Volume(path) => self.delete_file(&path).await,
            LibraryRoot::Workspace(path) => self.delete_object(&path, false).await,
            LibraryRoot::Dbfs(path) => self.dbfs_delete(&path, false).await,
        }
    }
}

impl Client {
    /// Removes an empty folder at a location. Harmless when repeated.
    ///
    /// # Errors
    /// `Invalid` if it isn't empty, `Protocol` for a location of no known kind, the general ones.
    pub async fn remove_folder(&self, location: &str) -> Result<(), Error> {
        match LibraryRoot::parse(location).map_err(|error| refused(&error))? {
            LibraryRoot::Volume(path) => self.delete_directory(&path).await,
            LibraryRoot::Workspace(path) => self.delete_object(&path, false).await,
            LibraryRoot::Dbfs(path) => self.dbfs_delete(&path, false).await,
        }
    }
}

fn refused(error: &PathError) -> Error {
    Error::Protocol { operation: "storage", message: error.to_string() }
}

/// The folder a path is in.
pub(super) fn parent(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((parent, _)) => parent,
    }
}

/// A path as it goes into an address; slashes stay.
pub(super) fn encode_path(path: &str) -> String {
    utf8_percent_encode(path, PLAIN).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("/Volumes/main/release/libs/", "/Volumes/main/release/libs/a/b.whl")]
    #[case("/Workspace/Shared/libs", "/Workspace/Shared/libs/a/b.whl")]
    #[case("dbfs:/libs", "dbfs:/libs/a/b.whl")]
    #[case("dbfs:/", "dbfs:/a/b.whl")]
    fn a_root_knows_its_kind_and_what_lies_below(#[case] root: &str, #[case] location: &str) {
        assert_eq!(LibraryRoot::parse(root).and_then(|root| root.location("a/b.whl")).as_deref(), Ok(location));
    }

    #[rstest]
    #[case("")]
    #[case("/")]
    #[case("/Volumes/main/release")]
    #[case("/Shared/libs")]
    #[case("s3://bucket/libs")]
    #[case("/Workspace/a/../b")]
    #[case("dbfs:libs")]
    fn other_paths_are_no_roots(#[case] root: &str) {
        assert_eq!(LibraryRoot::parse(root), Err(PathError::Root(root.to_owned())));
    }

    #[rstest]
    #[case("")]
    #[case("../x")]
    #[case("/x")]
    #[case("a//x")]
    fn nothing_leaves_a_root(#[case] below: &str) {
        assert_eq!(LibraryRoot::Dbfs("/l".into()).location(below), Err(PathError::Below(below.to_owned())));
    }

    #[test]
    fn paths_go_into_addresses_encoded() {
        assert_eq!(encode_path("/Volumes/a b/ü%?#.whl"), "/Volumes/a%20b/%C3%BC%25%3F%23.whl");
        assert_eq!((parent("/a/b"), parent("/a"), parent("a")), ("/a", "/", "/"));
    }
}
