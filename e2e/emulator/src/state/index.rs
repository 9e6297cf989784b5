//! The index of the workspace tree: kept in memory, and on disk as a snapshot with a log of what changed since. A change is one
//! line more, however many objects there are; after a crash a last line that was cut off is left out.

use std::{
    collections::{
        BTreeMap,
        btree_map::{Entry, Range},
    },
    fs, io,
    io::Write,
    ops::Bound,
    path::Path,
};

use serde::{Deserialize, Serialize};

use super::{disk, objects::Object};

/// A line of the log: what is at a path now. Nothing: neither it nor anything below it.
#[derive(Deserialize, Serialize)]
struct Change {
    path: String,
    object: Option<Object>,
}

/// Objects by path.
pub(super) struct Index {
    objects: BTreeMap<String, Object>,
    log: fs::File,
}

impl Index {
    /// Opens the index in `data`, and makes its log part of its snapshot.
    pub(super) fn open(data: &Path) -> io::Result<Self> {
        let (snapshot, log) = (data.join("workspace.json"), data.join("workspace.log"));
        let mut objects = disk::read_json(&snapshot)?.unwrap_or_default();
        let lines = match fs::read_to_string(&log) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            lines => lines?,
        };
        for change in lines.lines().map_while(|line| serde_json::from_str(line).ok()) {
            apply(&mut objects, change);
        }
        disk::write_json(&snapshot, &objects)?;
        Ok(Self { objects, log: fs::File::create(log)? })
    }

    pub(super) fn get(&self, path: &str) -> Option<&Object> {
        self.objects.get(path)
    }

    /// What lies below a folder, at any depth, by path.
    pub(super) fn below(&self, folder: &str) -> impl Iterator<Item = (&String, &Object)> {
        let prefix = beginning(folder);
        let range: Range<'_, String, Object> =
            self.objects.range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded));
        range.take_while(move |(path, _)| path.starts_with(&prefix))
    }

    /// Puts an object at a path.
    pub(super) fn put(&mut self, path: &str, object: Object) -> io::Result<()> {
        self.record(Change { path: path.to_owned(), object: Some(object) })
    }

    /// Puts an object at a path where there is none; answers what is there.
    pub(super) fn put_new(&mut self, path: &str, object: impl FnOnce() -> Object) -> io::Result<Object> {
        if let Entry::Occupied(old) = self.objects.entry(path.to_owned()) {
            return Ok(old.get().clone());
        }
        let object = object();
        self.put(path, object.clone())?;
        Ok(object)
    }

    /// Removes an object and everything below it.
    pub(super) fn remove(&mut self, path: &str) -> io::Result<()> {
        self.record(Change { path: path.to_owned(), object: None })
    }

    fn record(&mut self, change: Change) -> io::Result<()> {
        let mut line = serde_json::to_vec(&change)?;
        line.push(b'\n');
        self.log.write_all(&line)?;
        apply(&mut self.objects, change);
        Ok(())
    }
}

fn apply(objects: &mut BTreeMap<String, Object>, change: Change) {
    if let Some(object) = change.object {
        objects.insert(change.path, object);
    } else {
        let below = beginning(&change.path);
        objects.retain(|path, _| *path != change.path && !path.starts_with(&below));
    }
}

/// What the paths below a folder begin with.
fn beginning(folder: &str) -> String {
    format!("{}/", folder.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::super::objects::Kind;
    use super::*;

    fn folder() -> Object {
        Object { id: 1, kind: Kind::Directory, created_at: 0, modified_at: 0 }
    }

    #[test]
    fn changes_outlive_a_crash_and_a_line_that_was_cut_off_is_left_out() {
        let data = tempfile::tempdir().unwrap();
        let mut index = Index::open(data.path()).unwrap();
        for path in ["/", "/a", "/a/b", "/ab", "/c"] {
            index.put(path, folder()).unwrap();
        }
        index.remove("/a").unwrap();
        index.log.write_all(b"{\"path\": \"/x\", \"obj").unwrap();
        for _ in 0..2 {
            let index = Index::open(data.path()).unwrap();
            let paths: Vec<&str> = index.below("/").map(|(path, _)| path.as_str()).collect();
            assert_eq!(paths, ["/", "/ab", "/c"]);
        }
    }

    #[test]
    fn below_is_at_any_depth_and_nothing_beside() {
        let data = tempfile::tempdir().unwrap();
        let mut index = Index::open(data.path()).unwrap();
        for path in ["/a", "/a.b", "/a/b", "/a/b/c", "/ab"] {
            index.put(path, folder()).unwrap();
        }
        assert_eq!(index.below("/a").map(|(path, _)| path.as_str()).collect::<Vec<_>>(), ["/a/b", "/a/b/c"]);
    }
}
