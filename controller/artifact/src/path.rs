//! A path in an artifact: relative, `/` between its parts, and safe to join to any folder.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest path, in bytes.
pub const MAX_PATH_BYTES: usize = 1024;

/// The longest single name in a path, in bytes: what Linux file systems hold.
pub const MAX_NAME_BYTES: usize = 255;

/// A path that keeps the rules: not empty, at most [`MAX_PATH_BYTES`], no leading or trailing `/`, no empty, `.` or
/// `..` part, no backslash and no control character.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ArtifactPath(String);

/// The rule a path breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnsafePath {
    /// Nothing there.
    #[error("the path is empty")]
    Empty,
    /// Over [`MAX_PATH_BYTES`], or one name over [`MAX_NAME_BYTES`].
    #[error("the path is longer than {MAX_PATH_BYTES} bytes, or one of its names than {MAX_NAME_BYTES}")]
    TooLong,
    /// Starts at the root.
    #[error("the path is absolute")]
    Absolute,
    /// A part that is empty, `.` or `..`.
    #[error("the path has an empty, `.` or `..` part")]
    Detour,
    /// A backslash: a separator on other systems.
    #[error("the path has a backslash")]
    Backslash,
    /// NUL, a line end or another control character.
    #[error("the path has a control character")]
    Control,
}

impl ArtifactPath {
    /// Checks the rules.
    pub fn new(path: impl Into<String>) -> Result<Self, UnsafePath> {
        let path = path.into();
        check(&path)?;
        Ok(Self(path))
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last part.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// Everything before the last part; empty at the top.
    #[must_use]
    pub fn parent(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(parent, _)| parent)
    }
}

fn check(path: &str) -> Result<(), UnsafePath> {
    if path.is_empty() {
        return Err(UnsafePath::Empty);
    }
    if path.len() > MAX_PATH_BYTES {
        return Err(UnsafePath::TooLong);
    }
    if path.starts_with('/') {
        return Err(UnsafePath::Absolute);
    }
    if path.contains('\\') {
        return Err(UnsafePath::Backslash);
    }
    if path.chars().any(char::is_control) {
        return Err(UnsafePath::Control);
    }
    path.split('/').try_for_each(check_name)
}

fn check_name(name: &str) -> Result<(), UnsafePath> {
    match name {
        "" | "." | ".." => Err(UnsafePath::Detour),
        long if long.len() > MAX_NAME_BYTES => Err(UnsafePath::TooLong),
        _ => Ok(()),
    }
}

impl fmt::Display for ArtifactPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ArtifactPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl AsRef<str> for ArtifactPath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for ArtifactPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for ArtifactPath {
    type Err = UnsafePath;

    fn from_str(path: &str) -> Result<Self, UnsafePath> {
        Self::new(path)
    }
}

impl TryFrom<String> for ArtifactPath {
    type Error = UnsafePath;

    fn try_from(path: String) -> Result<Self, UnsafePath> {
        Self::new(path)
    }
}

impl From<ArtifactPath> for String {
    fn from(path: ArtifactPath) -> Self {
        path.0
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Component, Path};

    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("", UnsafePath::Empty)]
    #[case("/etc/passwd", UnsafePath::Absolute)]
    #[case("../up", UnsafePath::Detour)]
    #[case("a/../../up", UnsafePath::Detour)]
    #[case("a//b", UnsafePath::Detour)]
    #[case("a/", UnsafePath::Detour)]
    #[case("./a", UnsafePath::Detour)]
    #[case("a\\b", UnsafePath::Backslash)]
    #[case("a\0b", UnsafePath::Control)]
    #[case("a\nb", UnsafePath::Control)]
    fn a_dangerous_path_is_refused(#[case] path: &str, #[case] why: UnsafePath) {
        assert_eq!(ArtifactPath::new(path), Err(why));
    }

    #[test]
    fn length_is_counted_in_bytes() {
        let fits = format!("{}/{}", "a".repeat(MAX_NAME_BYTES), "é".repeat(MAX_NAME_BYTES / 2));
        assert!(ArtifactPath::new(fits).is_ok());
        assert_eq!(ArtifactPath::new("é".repeat(128)), Err(UnsafePath::TooLong));
        assert_eq!(ArtifactPath::new("a/".repeat(512) + "a"), Err(UnsafePath::TooLong));
    }

    #[test]
    fn ordinary_and_odd_but_safe_paths_pass() {
        for path in ["a", "notebooks/dbxdemo-notebook.py", "..a/b..", "a b/ü/日本.sql", "-rf", ".hidden"] {
            assert!(ArtifactPath::new(path).is_ok(), "{path}");
        }
    }

    proptest! {
        #[test]
        fn what_passes_stays_beneath_its_root(path in "[a./\\\\\u{0}é-]{0,24}") {
            if let Ok(safe) = ArtifactPath::new(path.as_str()) {
                let joined = Path::new("/root").join(safe.as_str());
                prop_assert!(joined.starts_with("/root"));
                let plain = Path::new(safe.as_str()).components().all(|part| matches!(part, Component::Normal(_)));
                prop_assert!(plain);
            }
        }

        #[test]
        fn any_text_is_judged_without_panic(path in ".{0,2000}") {
            if let Ok(safe) = ArtifactPath::new(path.as_str()) {
                prop_assert_eq!(safe.as_str(), path);
            }
        }
    }
}
