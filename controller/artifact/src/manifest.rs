//! The manifest is the artifact's table of contents: every file with its digest and what became of it since the base.
//!
//! It's the zip's first entry, `manifest.json`; then come `files/...` and `wheels/...`, sorted by path. Times in the zip
//! are fixed and the manifest has no clock of its own, so the same content of the same release has the same digest,
//! whichever attempt built it. Every path and digest is checked when a manifest is read.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::layout::{FILES_PREFIX, WHEELS_PREFIX};
use crate::notebook::Notebook;
use crate::path::ArtifactPath;
use crate::wheel;

/// The format's version; a reader refuses others.
pub const VERSION: u32 = 1;
/// The largest manifest, in bytes.
pub const MAX_MANIFEST_BYTES: usize = 64 * 1024 * 1024;

/// The artifact's table of contents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// [`VERSION`].
    pub version: u32,
    /// The release that built it; a promotion or a rollback deploys it under another name.
    pub release: Origin,
    /// What it was built from.
    pub source: Source,
    /// The artifacts it was composed of, in their order; empty for a build's. `release` and `source` are then the first
    /// one's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub made_of: Vec<Digest>,
    /// Every selected file, sorted by path.
    pub files: Vec<File>,
    /// Selected paths that the base has and the commit hasn't, sorted.
    #[serde(default)]
    pub removed: Vec<ArtifactPath>,
    /// Tracked and selected, but not in the artifact.
    #[serde(default)]
    pub skipped: Vec<Skipped>,
    /// The wheels, sorted by path.
    #[serde(default)]
    pub wheels: Vec<Wheel>,
}

/// The release that built an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Origin {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

/// The commit an artifact was built from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// The repository, without credentials.
    pub url: String,
    /// The full ref.
    pub reference: String,
    /// The commit.
    pub commit: String,
    /// The commit that the change marks compare to; none if the commit has no parent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// The committer's time, in seconds since 1970.
    pub committed_at: i64,
}

/// One file at the commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct File {
    /// Its path in the repository; in the zip it stands under `files/`.
    pub path: ArtifactPath,
    /// Digest of its content.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Whether git marks it executable.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub executable: bool,
    /// What became of it since the base.
    pub change: Change,
    /// Its path in the base, if it was renamed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_path: Option<ArtifactPath>,
    /// Whether Databricks imports it as a notebook, and in which language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notebook: Option<Notebook>,
}

/// What became of a file since the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// The base hasn't its path.
    Added,
    /// Its content or mode is different.
    Modified,
    /// It's the base's file under another path, alike or changed.
    Renamed,
    /// It's the base's.
    Unchanged,
}

/// A tracked file that can't be in an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Skipped {
    /// Its path for people to read; it needn't be safe.
    pub path: String,
    /// Why it's not there.
    pub reason: String,
}

/// One wheel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wheel {
    /// `wheels/` and its file name.
    pub path: ArtifactPath,
    /// The distribution, normalised (PEP 503): a library's identity on a cluster.
    pub distribution: String,
    /// Its version.
    pub version: String,
    /// Digest of the wheel.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}

/// Why a manifest isn't acceptable.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Over [`MAX_MANIFEST_BYTES`].
    #[error("the manifest is longer than {MAX_MANIFEST_BYTES} bytes")]
    TooLong,
    /// Not a manifest's JSON, or an unsafe path or a digest of another form in it.
    #[error("the manifest is not readable: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// Made by another version.
    #[error("the manifest's version is {0}, expected {VERSION}")]
    Version(u32),
    /// Two entries of the zip would stand in each other's place.
    #[error("{0} stands twice, or is both a file and a folder")]
    Collision(String),
    /// A wheel whose path, distribution and version don't agree.
    #[error("{0} is not a wheel of the distribution and version beside it")]
    Wheel(ArtifactPath),
}

impl Manifest {
    /// Reads a manifest and checks it.
    pub fn from_json(text: &[u8]) -> Result<Self, ManifestError> {
        if text.len() > MAX_MANIFEST_BYTES {
            return Err(ManifestError::TooLong);
        }
        let manifest: Self = serde_json::from_slice(text)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// Sorts, checks and writes the manifest.
    pub fn to_json(&mut self) -> Result<Vec<u8>, ManifestError> {
        self.files.sort_by(|a, b| a.path.cmp(&b.path));
        self.wheels.sort_by(|a, b| a.path.cmp(&b.path));
        self.removed.sort();
        self.skipped.sort_by(|a, b| a.path.cmp(&b.path));
        self.check()?;
        let text = serde_json::to_vec(self)?;
        if text.len() > MAX_MANIFEST_BYTES {
            return Err(ManifestError::TooLong);
        }
        Ok(text)
    }

    /// The zip's entries beside the manifest with digest and size, in order.
    pub fn entries(&self) -> impl Iterator<Item = (String, Digest, u64)> + '_ {
        let files = self.files.iter().map(|file| (format!("{FILES_PREFIX}{}", file.path), file.digest, file.size));
        files.chain(self.wheels.iter().map(|wheel| (wheel.path.to_string(), wheel.digest, wheel.size)))
    }

    fn check(&self) -> Result<(), ManifestError> {
        if self.version != VERSION {
            return Err(ManifestError::Version(self.version));
        }
        check_collisions(self.files.iter().map(|file| &file.path))?;
        check_collisions(self.wheels.iter().map(|wheel| &wheel.path))?;
        self.wheels.iter().try_for_each(check_wheel)
    }
}

fn check_collisions<'a>(paths: impl Iterator<Item = &'a ArtifactPath>) -> Result<(), ManifestError> {
    let mut seen = BTreeSet::new();
    for path in paths {
        if !seen.insert(path.as_str()) {
            return Err(ManifestError::Collision(path.to_string()));
        }
    }
    let folders = seen.iter().flat_map(|path| path.match_indices('/').map(|(end, _)| &path[..end]));
    match folders.into_iter().find(|folder| seen.contains(folder)) {
        Some(folder) => Err(ManifestError::Collision(folder.to_owned())),
        None => Ok(()),
    }
}

fn check_wheel(wheel: &Wheel) -> Result<(), ManifestError> {
    let name = wheel.path.as_str().strip_prefix(WHEELS_PREFIX).and_then(wheel::parse);
    let agrees = name.is_some_and(|name| name.distribution == wheel.distribution && name.version == wheel.version);
    if agrees { Ok(()) } else { Err(ManifestError::Wheel(wheel.path.clone())) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(path: &str) -> File {
        File {
            path: ArtifactPath::new(path).expect("safe"),
            digest: Digest::of(path.as_bytes()),
            size: 1,
            executable: false,
            change: Change::Added,
            previous_path: None,
            notebook: None,
        }
    }

    fn manifest(files: Vec<File>) -> Manifest {
        Manifest {
            version: VERSION,
            release: Origin { namespace: "data".into(), name: "n".into(), uid: "u".into() },
            source: Source {
                url: "https://git.example.com/d.git".into(),
                reference: "refs/heads/release".into(),
                commit: "a".repeat(40),
                base: None,
                committed_at: 0,
            },
            made_of: Vec::new(),
            files,
            removed: Vec::new(),
            skipped: Vec::new(),
            wheels: Vec::new(),
        }
    }

    fn wheel(path: &str, distribution: &str, version: &str) -> Wheel {
        let path = ArtifactPath::new(path).expect("safe");
        Wheel { path, distribution: distribution.into(), version: version.into(), digest: Digest::of(b""), size: 0 }
    }

    #[test]
    fn it_survives_its_text_and_lists_its_entries_in_order() {
        let mut manifest = manifest(vec![file("b"), file("a/c")]);
        manifest.wheels = vec![wheel("wheels/dbxdemo-0.1.0-py3-none-any.whl", "dbxdemo", "0.1.0")];
        let text = manifest.to_json().expect("sound");
        assert_eq!(Manifest::from_json(&text).expect("sound"), manifest);
        let entries: Vec<_> = manifest.entries().map(|(path, ..)| path).collect();
        assert_eq!(entries, ["files/a/c", "files/b", "wheels/dbxdemo-0.1.0-py3-none-any.whl"]);
    }

    #[test]
    fn two_entries_at_one_place_are_refused() {
        for paths in [["a", "a"], ["a", "a/b"]] {
            let error = manifest(paths.map(file).into()).to_json().expect_err("they collide");
            assert!(matches!(error, ManifestError::Collision(path) if path == "a"));
        }
    }

    #[test]
    fn an_unsafe_path_is_refused_on_reading() {
        let text = manifest(vec![file("harmless")]).to_json().expect("sound");
        let evil = String::from_utf8(text).expect("JSON is text").replace("harmless", "../../etc");
        assert!(matches!(Manifest::from_json(evil.as_bytes()), Err(ManifestError::Unreadable(_))));
    }

    #[test]
    fn a_wheel_must_be_what_it_says() {
        let wrong = [
            wheel("wheels/dbxdemo-0.1.0-py3-none-any.whl", "requests", "0.1.0"),
            wheel("wheels/dbxdemo-0.1.0-py3-none-any.whl", "dbxdemo", "0.2.0"),
            wheel("files/dbxdemo-0.1.0-py3-none-any.whl", "dbxdemo", "0.1.0"),
            wheel("wheels/sub/dbxdemo-0.1.0-py3-none-any.whl", "dbxdemo", "0.1.0"),
        ];
        for wheel in wrong {
            let mut manifest = manifest(Vec::new());
            manifest.wheels = vec![wheel];
            assert!(matches!(manifest.to_json(), Err(ManifestError::Wheel(_))));
        }
    }

    #[test]
    fn another_version_is_refused() {
        let mut newer = manifest(Vec::new());
        newer.version = 2;
        assert!(matches!(newer.to_json(), Err(ManifestError::Version(2))));
    }

    proptest! {
        #[test]
        fn order_of_files_changes_nothing(names in proptest::collection::btree_set("[a-z]{1,8}", 0..8)) {
            let files: Vec<_> = names.iter().map(|name| file(name)).collect();
            let reversed = files.iter().rev().cloned().collect();
            prop_assert_eq!(manifest(files).to_json().expect("sound"), manifest(reversed).to_json().expect("sound"));
        }

        #[test]
        fn what_is_accepted_has_no_two_entries_at_one_place(paths in proptest::collection::vec("[ab]{1}(/[ab]){0,2}", 0..5)) {
            let mut manifest = manifest(paths.iter().map(|path| file(path)).collect());
            let accepted = manifest.to_json().is_ok();
            let clash = |a: &str, b: &str| a == b || b.starts_with(&format!("{a}/"));
            let clashes = paths.iter().enumerate().any(|(i, a)| {
                paths.iter().enumerate().any(|(j, b)| i != j && clash(a, b))
            });
            prop_assert_eq!(accepted, !clashes);
        }

        #[test]
        fn junk_is_judged_without_panic(junk in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Manifest::from_json(&junk).is_err());
        }
    }
}
