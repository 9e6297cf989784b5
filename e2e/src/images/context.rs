//! The context: a copy of the sources that images are made of, so that what is hashed is exactly what is built.
//!
//! Files are written again only when their content differs. So their times tell Cargo the truth, whichever checkout they
//! come from, and a warm build compiles what changed and nothing else.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};
use walkdir::WalkDir;

use super::{Image, ImagesError};
use crate::cache::remove;

/// What the Dockerfile copies: the sources of every image, and the manifests that Cargo wants to see beside them.
const COPIED: [&str; 9] = [
    "Dockerfile",
    "Cargo.toml",
    "Cargo.lock",
    "crds",
    "controller",
    "tests/Cargo.toml",
    "tests/src/lib.rs",
    "e2e/Cargo.toml",
    "e2e/src/main.rs",
];
/// The emulator's crate lies inside the folder of another, of which only the manifest is needed.
const EMULATOR: &str = "e2e/emulator";
/// Folders that hold what tools leave behind.
const LEFTOVERS: [&str; 3] = ["target", "__pycache__", ".pytest_cache"];

/// The copied sources.
#[derive(Debug)]
pub(super) struct Context {
    folder: PathBuf,
}

impl Context {
    /// Brings the copy in `folder` up to date with `checkout`.
    pub(super) fn stage(checkout: &Path, folder: PathBuf) -> Result<Self, ImagesError> {
        let mut current = BTreeSet::new();
        for source in COPIED.into_iter().chain([EMULATOR]) {
            for file in files(&checkout.join(source))? {
                let name = file.strip_prefix(checkout).unwrap_or(&file).to_owned();
                copy(&file, &folder.join(&name))?;
                current.insert(name);
            }
        }
        for file in files(&folder)? {
            if !current.contains(file.strip_prefix(&folder).unwrap_or(&file)) {
                remove(&file)?;
            }
        }
        Ok(Self { folder })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

/// The tag of an image that is made of the sources in `root`: a hash over their names and contents.
pub(super) fn tag(root: &Path, image: Image) -> Result<String, ImagesError> {
    let mut hash = Sha256::new();
    for source in image.sources() {
        for file in files(&root.join(source))? {
            let content = fs::read(&file).map_err(ImagesError::io(&file))?;
            let name = file.strip_prefix(root).unwrap_or(&file);
            hash.update(Sha256::digest(name.as_os_str().as_encoded_bytes()));
            hash.update(Sha256::digest(content));
        }
    }
    Ok(HEXLOWER.encode(&hash.finalize()[..6]))
}

/// The files under a path in a fixed order, or the path itself when it is a file.
fn files(path: &Path) -> Result<Vec<PathBuf>, ImagesError> {
    let kept = |entry: &walkdir::DirEntry| !LEFTOVERS.iter().any(|name| entry.file_name() == *name);
    let entries = WalkDir::new(path).sort_by_file_name().into_iter().filter_entry(kept);
    let files = entries.filter(|entry| entry.as_ref().map_or(true, |entry| entry.file_type().is_file()));
    files
        .map(|entry| entry.map(walkdir::DirEntry::into_path).map_err(|error| ImagesError::io(path)(error.into())))
        .collect()
}

/// Copies a file unless the copy is the same already.
fn copy(from: &Path, to: &Path) -> Result<(), ImagesError> {
    let content = fs::read(from).map_err(ImagesError::io(from))?;
    let same = fs::read(to).is_ok_and(|old| old == content);
    if same {
        return Ok(());
    }
    let write = || -> io::Result<()> {
        to.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(to, &content)?;
        fs::set_permissions(to, fs::metadata(from)?.permissions())
    };
    write().map_err(ImagesError::io(to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkout() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in COPIED.into_iter().chain([EMULATOR]) {
            let file =
                if name.contains('.') || name.ends_with("file") { name.to_owned() } else { format!("{name}/a.rs") };
            let file = folder.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, name).unwrap();
        }
        for part in ["runner", "artifact"] {
            fs::create_dir_all(folder.path().join("controller").join(part)).unwrap();
            fs::write(folder.path().join("controller").join(part).join("b.rs"), part).unwrap();
        }
        folder
    }

    fn tags(checkout: &Path, folder: &Path) -> Vec<String> {
        let context = Context::stage(checkout, folder.to_owned()).unwrap();
        let tags = |root: &Path| Image::ALL.map(|image| tag(root, image).unwrap()).to_vec();
        assert_eq!(tags(checkout), tags(context.folder()));
        tags(checkout)
    }

    #[test]
    fn a_tag_changes_with_the_image_s_own_sources_only() {
        let (checkout, folder) = (checkout(), tempfile::tempdir().unwrap());
        let before = tags(checkout.path(), folder.path());
        assert_eq!(before, tags(checkout.path(), folder.path()));
        fs::write(checkout.path().join("e2e/emulator/a.rs"), "changed").unwrap();
        let after = tags(checkout.path(), folder.path());
        let changed: Vec<_> = Image::ALL.into_iter().enumerate().filter(|(i, _)| before[*i] != after[*i]).collect();
        assert_eq!(changed, [(3, Image::Emulator)]);
    }

    #[test]
    fn unchanged_files_keep_their_time_and_removed_ones_go() {
        let (checkout, folder) = (checkout(), tempfile::tempdir().unwrap());
        fs::write(checkout.path().join("crds/old.rs"), "old").unwrap();
        tags(checkout.path(), folder.path());
        let written = |name: &str| fs::metadata(folder.path().join(name)).unwrap().modified().unwrap();
        let before = written("crds/a.rs");
        fs::remove_file(checkout.path().join("crds/old.rs")).unwrap();
        // A checkout writes the same bytes again.
        fs::write(checkout.path().join("crds/a.rs"), "crds").unwrap();
        tags(checkout.path(), folder.path());
        assert_eq!(before, written("crds/a.rs"));
        assert!(!folder.path().join("crds/old.rs").exists());
    }
}
