//! A tree is a folder of plain files, as DBFS and the volumes are. Its calls are short and block; data is moved elsewhere.

use crate::state::{Refusal, SafePath};
use std::{
    fs, io,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

/// What is known of one file or folder.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Its last part.
    pub(crate) name: String,
    /// Whether it is a folder.
    pub(crate) is_dir: bool,
    /// Bytes; 0 for a folder.
    pub(crate) size: u64,
    /// Milliseconds since 1970.
    pub(crate) modified: u64,
}

/// Files below one folder.
#[derive(Debug)]
pub(crate) struct Tree {
    root: PathBuf,
    staging: PathBuf,
}

impl Tree {
    /// Opens the tree at `root`; uploads grow in `staging`, which must be on the same disk.
    pub(crate) fn open(root: PathBuf, staging: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&root)?;
        fs::create_dir_all(&staging)?;
        Ok(Self { root, staging })
    }

    /// Where `path` lies on the disk.
    pub(crate) fn locate(&self, path: &SafePath) -> PathBuf {
        path.under(&self.root)
    }

    /// The folder that holds the whole tree.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A new file for an upload; it is gone unless it is kept.
    pub(crate) fn stage(&self) -> io::Result<tempfile::NamedTempFile> {
        tempfile::NamedTempFile::new_in(&self.staging)
    }

    /// Moves a finished upload to its place; without `overwrite` only if nothing is there, also of two that come at once.
    pub(crate) fn keep(&self, file: tempfile::NamedTempFile, path: &SafePath, overwrite: bool) -> Result<(), Refusal> {
        let target = self.locate(path);
        let exists = || Refusal::FileExists(path.as_str().to_owned());
        if target.is_dir() {
            return Err(exists());
        }
        let kept = if overwrite { file.persist(target) } else { file.persist_noclobber(target) };
        match kept.map_err(|failure| failure.error) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(exists()),
            Err(error) => Err(error.into()),
        }
    }

    /// What is at `path`, if anything.
    pub(crate) fn find(&self, path: &SafePath) -> Result<Option<Entry>, Refusal> {
        match fs::metadata(self.locate(path)) {
            Ok(metadata) => Ok(Some(entry(path.name().to_owned(), &metadata))),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// What is at `path`.
    pub(crate) fn status(&self, path: &SafePath) -> Result<Entry, Refusal> {
        self.find(path)?
            .ok_or_else(|| Refusal::NotFound(format!("No file or directory exists on path {}.", path.as_str())))
    }

    /// The entries of a folder by name; a file lists itself alone.
    pub(crate) fn list(&self, path: &SafePath) -> Result<Vec<Entry>, Refusal> {
        let own = self.status(path)?;
        if !own.is_dir {
            return Ok(vec![own]);
        }
        let mut entries = Vec::new();
        for item in fs::read_dir(self.locate(path))? {
            let item = item?;
            entries.push(entry(item.file_name().to_string_lossy().into_owned(), &item.metadata()?));
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// Up to `length` bytes from `offset`.
    pub(crate) fn read(&self, path: &SafePath, offset: u64, length: u64) -> Result<Vec<u8>, Refusal> {
        if self.status(path)?.is_dir {
            return Err(Refusal::Invalid(format!("Cannot read a directory: {}", path.as_str())));
        }
        let mut file = fs::File::open(self.locate(path))?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.take(length).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Creates a folder with its parents.
    pub(crate) fn mkdirs(&self, path: &SafePath) -> Result<(), Refusal> {
        match fs::create_dir_all(self.locate(path)) {
            Ok(()) => Ok(()),
            Err(error) if matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory) => {
                Err(Refusal::DbfsExists(path.as_str().to_owned()))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Removes a file, an empty folder, or with `recursive` a whole one.
    pub(crate) fn delete(&self, path: &SafePath, recursive: bool) -> Result<(), Refusal> {
        let target = self.locate(path);
        if !self.status(path)?.is_dir {
            return Ok(fs::remove_file(target)?);
        }
        if recursive {
            return Ok(fs::remove_dir_all(target)?);
        }
        match fs::remove_dir(target) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                Err(Refusal::NotEmpty(path.as_str().to_owned()))
            }
            other => Ok(other?),
        }
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn entry(name: String, metadata: &fs::Metadata) -> Entry {
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    Entry {
        name,
        is_dir: metadata.is_dir(),
        size: if metadata.is_dir() { 0 } else { metadata.len() },
        modified: modified.map_or(0, |age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
    }
}
