//! Objects are what the workspace tree holds: notebooks, files and folders. An index knows what each is, the disk holds
//! the contents under the same path, so that a running notebook finds its neighbours.

use crate::state::{Refusal, SafePath, ids, index::Index, lock};
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
    sync::Mutex,
};

/// The language of a notebook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "UPPERCASE")]
#[strum(serialize_all = "UPPERCASE")]
pub(crate) enum Language {
    Python,
    Sql,
    Scala,
    R,
}

impl Language {
    /// The first line of a notebook's source.
    pub(crate) fn header(self) -> &'static str {
        match self {
            Self::Python | Self::R => "# Databricks notebook source",
            Self::Sql => "-- Databricks notebook source",
            Self::Scala => "// Databricks notebook source",
        }
    }

    /// The language of a file by its suffix.
    pub(crate) fn of_suffix(name: &str) -> Option<Self> {
        match name.rsplit_once('.')?.1 {
            "py" => Some(Self::Python),
            "sql" => Some(Self::Sql),
            "scala" => Some(Self::Scala),
            "r" | "R" => Some(Self::R),
            _ => None,
        }
    }
}

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE", tag = "object_type")]
pub(crate) enum Kind {
    Notebook { language: Language },
    Directory,
    File { size: u64 },
}

/// One object of the workspace, as `get-status` shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Object {
    #[serde(rename = "object_id")]
    pub(crate) id: i64,
    #[serde(flatten)]
    pub(crate) kind: Kind,
    /// Milliseconds since 1970.
    pub(crate) created_at: i64,
    /// Milliseconds since 1970.
    pub(crate) modified_at: i64,
}

impl Object {
    fn new(kind: Kind, now: i64) -> Self {
        Self { id: ids::random(), kind, created_at: now, modified_at: now }
    }
}

/// All objects of the workspace.
pub(crate) struct Objects {
    index: Mutex<Index>,
    root: PathBuf,
}

impl Objects {
    /// Opens the workspace tree below `data`, with the folders that each workspace has.
    pub(crate) fn open(data: &Path, folders: &[String]) -> io::Result<Self> {
        let objects = Self { index: Mutex::new(Index::open(data)?), root: data.join("workspace") };
        for folder in folders {
            let path = SafePath::workspace(folder).map_err(io::Error::other)?;
            objects.mkdirs(&path).map_err(io::Error::other)?;
        }
        Ok(objects)
    }

    /// The folder that holds the contents.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// What is at `path`.
    pub(crate) fn status(&self, path: &SafePath) -> Result<Object, Refusal> {
        lock(&self.index).get(path.as_str()).cloned().ok_or_else(|| Refusal::no_path(path.as_str()))
    }

    /// The object with this id, and its path.
    pub(crate) fn find(&self, id: i64) -> Option<(String, Object)> {
        let index = lock(&self.index);
        index.below("/").find(|(_, object)| object.id == id).map(|(path, object)| (path.clone(), object.clone()))
    }

    /// The contents of a notebook or file.
    pub(crate) fn read(&self, path: &SafePath) -> Result<(Object, Vec<u8>), Refusal> {
        let object = self.status(path)?;
        if object.kind == Kind::Directory {
            return Err(Refusal::Invalid(format!(
                "{} is a folder; only notebooks and files have contents.",
                path.as_str()
            )));
        }
        Ok((object, fs::read(path.under(&self.root))?))
    }

    /// The objects of a folder by path; anything else lists itself alone.
    pub(crate) fn list(&self, path: &SafePath) -> Result<Vec<(String, Object)>, Refusal> {
        let index = lock(&self.index);
        let own = index.get(path.as_str()).ok_or_else(|| Refusal::no_path(path.as_str()))?;
        if own.kind != Kind::Directory {
            return Ok(vec![(path.as_str().to_owned(), own.clone())]);
        }
        let own = path.as_str().trim_end_matches('/').len() + 1;
        let inside = |name: &str| name.get(own..).is_some_and(|rest| !rest.is_empty() && !rest.contains('/'));
        let below = index.below(path.as_str()).filter(|(name, _)| inside(name));
        Ok(below.map(|(name, object)| (name.clone(), object.clone())).collect())
    }

    /// Writes a notebook or file. The folder above must be there, and nothing of another kind.
    pub(crate) fn write(&self, path: &SafePath, kind: Kind, content: &[u8], overwrite: bool) -> Result<(), Refusal> {
        let mut file = tempfile::NamedTempFile::new_in(&self.root)?;
        file.write_all(content)?;
        self.place(path, kind, file, overwrite)
    }

    /// The same with a finished upload, which must be on the same disk.
    pub(crate) fn place(
        &self,
        path: &SafePath,
        kind: Kind,
        content: tempfile::NamedTempFile,
        overwrite: bool,
    ) -> Result<(), Refusal> {
        let mut index = lock(&self.index);
        let parent = path.parent().ok_or_else(|| Refusal::Invalid("The root can't be overwritten.".to_owned()))?;
        match index.get(parent.as_str()) {
            Some(Object { kind: Kind::Directory, .. }) => {}
            _ => return Err(Refusal::NotFound(format!("The parent folder ({}) does not exist.", parent.as_str()))),
        }
        let now = now();
        let mut object = Object::new(kind, now);
        if let Some(old) = index.get(path.as_str()) {
            refuse_replacement(path, old.kind, kind, overwrite)?;
            object = Object { id: old.id, created_at: old.created_at, ..object };
        }
        put(&path.under(&self.root), content)?;
        Ok(index.put(path.as_str(), object)?)
    }

    /// Creates a folder and those above it.
    pub(crate) fn mkdirs(&self, path: &SafePath) -> Result<(), Refusal> {
        let mut index = lock(&self.index);
        let mut at = Some(path.clone());
        while let Some(folder) = at {
            let object = index.put_new(folder.as_str(), || Object::new(Kind::Directory, now()))?;
            if object.kind != Kind::Directory {
                return Err(Refusal::NotebookExists(folder.as_str().to_owned()));
            }
            at = folder.parent();
        }
        Ok(fs::create_dir_all(path.under(&self.root))?)
    }

    /// Removes an object; a folder that isn't empty only with `recursive`.
    pub(crate) fn delete(&self, path: &SafePath, recursive: bool) -> Result<(), Refusal> {
        let mut index = lock(&self.index);
        let object = index.get(path.as_str()).ok_or_else(|| Refusal::no_path(path.as_str()))?;
        let target = path.under(&self.root);
        if object.kind == Kind::Directory {
            if path.parent().is_none() || (!recursive && index.below(path.as_str()).next().is_some()) {
                return Err(Refusal::NotEmpty(path.as_str().to_owned()));
            }
            fs::remove_dir_all(target)?;
        } else {
            fs::remove_file(target)?;
        }
        Ok(index.remove(path.as_str())?)
    }
}

fn refuse_replacement(path: &SafePath, old: Kind, new: Kind, overwrite: bool) -> Result<(), Refusal> {
    let name = path.as_str().to_owned();
    match (old, new) {
        (Kind::Notebook { .. }, Kind::Notebook { .. }) | (Kind::File { .. }, Kind::File { .. }) if overwrite => Ok(()),
        (Kind::File { .. }, Kind::File { .. }) => Err(Refusal::FileExists(name)),
        (Kind::Notebook { .. } | Kind::Directory, _) if !overwrite => Err(Refusal::NotebookExists(name)),
        _ => Err(Refusal::Invalid(format!("Cannot overwrite the asset at {name} due to type mismatch"))),
    }
}

fn put(target: &Path, content: tempfile::NamedTempFile) -> io::Result<()> {
    let folder = target.parent().ok_or(io::ErrorKind::InvalidInput)?;
    fs::create_dir_all(folder)?;
    content.persist(target)?;
    Ok(())
}

/// Milliseconds since 1970.
pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PYTHON: Kind = Kind::Notebook { language: Language::Python };

    fn path(text: &str) -> SafePath {
        SafePath::workspace(text).unwrap()
    }

    fn open(folder: &Path) -> Objects {
        Objects::open(folder, &["/Shared".to_owned()]).unwrap()
    }

    #[test]
    fn objects_survive_a_restart_and_keep_their_identity_when_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let objects = open(folder.path());
        objects.write(&path("/Shared/n.py"), PYTHON, b"1", false).unwrap();
        let before = objects.status(&path("/Shared/n.py")).unwrap();
        objects.write(&path("/Shared/n.py"), PYTHON, b"2", true).unwrap();
        let (after, content) = open(folder.path()).read(&path("/Shared/n.py")).unwrap();
        assert_eq!((after.id, content.as_slice()), (before.id, b"2".as_slice()));
    }

    #[test]
    fn nothing_is_written_without_a_folder_or_over_something_else() {
        let folder = tempfile::tempdir().unwrap();
        let objects = open(folder.path());
        assert!(matches!(objects.write(&path("/Shared/a/n"), PYTHON, b"", false), Err(Refusal::NotFound(_))));
        objects.write(&path("/Shared/n"), PYTHON, b"", false).unwrap();
        assert!(matches!(objects.write(&path("/Shared/n"), PYTHON, b"", false), Err(Refusal::NotebookExists(_))));
        let file = Kind::File { size: 0 };
        assert!(matches!(objects.write(&path("/Shared/n"), file, b"", true), Err(Refusal::Invalid(_))));
        objects.write(&path("/Shared/f"), file, b"", false).unwrap();
        assert!(matches!(objects.write(&path("/Shared/f"), file, b"", false), Err(Refusal::FileExists(_))));
    }

    #[test]
    fn a_folder_lists_its_own_and_is_deleted_with_them_only_on_demand() {
        let folder = tempfile::tempdir().unwrap();
        let objects = open(folder.path());
        objects.mkdirs(&path("/Shared/a/b")).unwrap();
        objects.write(&path("/Shared/a/n"), PYTHON, b"", false).unwrap();
        objects.mkdirs(&path("/Shared/ab")).unwrap();
        let names: Vec<_> = objects.list(&path("/Shared/a")).unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["/Shared/a/b", "/Shared/a/n"]);
        assert!(matches!(objects.delete(&path("/Shared/a"), false), Err(Refusal::NotEmpty(_))));
        objects.delete(&path("/Shared/a"), true).unwrap();
        assert!(objects.status(&path("/Shared/a/n")).is_err());
        assert!(objects.status(&path("/Shared/ab")).is_ok());
    }
}
