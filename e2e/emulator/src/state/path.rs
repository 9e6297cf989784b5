//! A path of the workspace: absolute, `/`-separated, without `.`, `..` or empty parts, so that it can't leave its root.

use crate::state::Refusal;
use std::path::{Path, PathBuf};

/// What file systems allow for one name.
const MAX_NAME: usize = 255;
const MAX_PATH: usize = 4096;

/// A checked path, without a trailing slash; the root is the empty string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SafePath(String);

impl SafePath {
    /// A path of notebooks and workspace files. `/Workspace/x` is another name of `/x`.
    pub(crate) fn workspace(text: &str) -> Result<Self, Refusal> {
        let text = match text.strip_prefix("/Workspace") {
            Some("") => "/",
            Some(rest) if rest.starts_with('/') => rest,
            _ => text,
        };
        Self::absolute(text)
    }

    /// A path of DBFS, with or without its scheme.
    pub(crate) fn dbfs(text: &str) -> Result<Self, Refusal> {
        Self::absolute(text.strip_prefix("dbfs:").unwrap_or(text))
    }

    /// A path in a Unity Catalog volume, without `/Volumes`. Needs catalog, schema and volume.
    pub(crate) fn volume(text: &str) -> Result<Self, Refusal> {
        let text = text.strip_prefix("dbfs:").unwrap_or(text);
        let rest = text.strip_prefix("/Volumes/").ok_or_else(|| {
            Refusal::Invalid(format!("Invalid path: {text}. It must begin with /Volumes/<catalog>/<schema>/<volume>."))
        })?;
        let path = Self::absolute(&format!("/{rest}"))?;
        if path.0.split('/').count() < 4 {
            return Err(Refusal::Invalid(format!("Invalid path: {text} names no volume.")));
        }
        Ok(path)
    }

    fn absolute(text: &str) -> Result<Self, Refusal> {
        if !text.starts_with('/') {
            return Err(Refusal::Invalid(format!("Path ({text}) must be absolute.")));
        }
        let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty()).collect();
        let bad = |part: &&str| matches!(*part, "." | "..") || part.contains('\0') || part.len() > MAX_NAME;
        if parts.iter().any(bad) || text.len() > MAX_PATH {
            return Err(Refusal::Invalid(format!("Path ({text}) is not valid.")));
        }
        Ok(Self(parts.iter().flat_map(|part| ["/", part]).collect()))
    }

    /// The path as the API shows it.
    pub(crate) fn as_str(&self) -> &str {
        if self.0.is_empty() { "/" } else { &self.0 }
    }

    /// The last part; empty for the root.
    pub(crate) fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The folder it lies in; none for the root.
    pub(crate) fn parent(&self) -> Option<Self> {
        self.0.rfind('/').map(|at| Self(self.0[..at].to_owned()))
    }

    /// Where it lies below `root` on the disk.
    pub(crate) fn under(&self, root: &Path) -> PathBuf {
        root.join(self.0.trim_start_matches('/'))
    }

    /// The same path without its suffix, as an imported notebook loses it.
    pub(crate) fn without_suffix(&self) -> Self {
        let cut = self.name().rfind('.').filter(|at| *at > 0).map_or(0, |at| self.name().len() - at);
        Self(self.0[..self.0.len() - cut].to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("/Shared//a b/", "/Shared/a b")]
    #[case("/Workspace/Shared/a", "/Shared/a")]
    #[case("/Workspaces/a", "/Workspaces/a")]
    #[case("/Workspace", "/")]
    #[case("/", "/")]
    fn workspace_paths_have_one_form(#[case] given: &str, #[case] want: &str) {
        assert_eq!(SafePath::workspace(given).unwrap().as_str(), want);
    }

    #[rstest]
    #[case("/a/../b")]
    #[case("/..")]
    #[case("relative")]
    #[case("/a/./b")]
    #[case("/a\0b")]
    #[case("")]
    fn paths_that_could_leave_the_root_are_refused(#[case] given: &str) {
        assert!(SafePath::workspace(given).is_err());
        assert!(SafePath::dbfs(given).is_err());
    }

    #[test]
    fn a_volume_path_needs_a_volume() {
        assert!(SafePath::volume("/Volumes/main/default").is_err());
        assert!(SafePath::volume("/Shared/x").is_err());
        let path = SafePath::volume("/Volumes/main/default/libs/a.whl").unwrap();
        assert_eq!(path.under(Path::new("/v")), Path::new("/v/main/default/libs/a.whl"));
    }

    #[test]
    fn a_suffix_is_cut_from_the_name_alone() {
        assert_eq!(SafePath::workspace("/a.b/c.py").unwrap().without_suffix().as_str(), "/a.b/c");
        assert_eq!(SafePath::workspace("/a.b/c").unwrap().without_suffix().as_str(), "/a.b/c");
        assert_eq!(SafePath::workspace("/a/.hidden").unwrap().without_suffix().as_str(), "/a/.hidden");
    }
}
