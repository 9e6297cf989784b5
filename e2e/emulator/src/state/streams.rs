//! A stream is an upload to DBFS in blocks: `create` opens it, `add-block` appends, `close` puts the file in its place.

use crate::state::{Refusal, SafePath, Tree, ids, lock};
use std::{
    collections::HashMap,
    io::Write,
    sync::Mutex,
    time::{Duration, Instant},
};

/// Streams that nobody closes must not fill the memory.
const MAX_OPEN: usize = 1000;
/// A stream that nobody has used for so long has ended.
const IDLE: Duration = Duration::from_mins(10);

struct Stream {
    path: SafePath,
    overwrite: bool,
    file: tempfile::NamedTempFile,
    used: Instant,
}

impl Stream {
    fn is_open(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.used) < IDLE
    }
}

/// All open streams by handle. They end with the emulator, too.
#[derive(Default)]
pub(crate) struct Streams(Mutex<HashMap<i64, Stream>>);

impl Streams {
    /// Opens a stream to `path`.
    pub(crate) fn create(&self, tree: &Tree, path: SafePath, overwrite: bool, now: Instant) -> Result<i64, Refusal> {
        refuse_existing(tree, &path, overwrite)?;
        let mut open = lock(&self.0);
        open.retain(|_, stream| stream.is_open(now));
        if open.len() >= MAX_OPEN {
            return Err(Refusal::QuotaExceeded("too many open streams".to_owned()));
        }
        let handle = ids::random();
        open.insert(handle, Stream { path, overwrite, file: tree.stage()?, used: now });
        Ok(handle)
    }

    /// Appends one block.
    pub(crate) fn add(&self, handle: i64, block: &[u8], now: Instant) -> Result<(), Refusal> {
        let mut open = lock(&self.0);
        let stream = open.get_mut(&handle).filter(|stream| stream.is_open(now)).ok_or_else(|| unknown(handle))?;
        stream.used = now;
        Ok(stream.file.write_all(block)?)
    }

    /// Ends the stream; only now the file is there.
    pub(crate) fn close(&self, tree: &Tree, handle: i64, now: Instant) -> Result<(), Refusal> {
        let stream = lock(&self.0).remove(&handle).filter(|stream| stream.is_open(now));
        let stream = stream.ok_or_else(|| unknown(handle))?;
        place(tree, stream.file, &stream.path, stream.overwrite)
    }
}

/// Checks that `path` may be written.
pub(crate) fn refuse_existing(tree: &Tree, path: &SafePath, overwrite: bool) -> Result<(), Refusal> {
    match tree.find(path)? {
        Some(entry) if entry.is_dir || !overwrite => Err(Refusal::DbfsExists(path.as_str().to_owned())),
        _ => Ok(()),
    }
}

/// Puts a finished upload in its place, creating the folders above it.
pub(crate) fn place(
    tree: &Tree,
    file: tempfile::NamedTempFile,
    path: &SafePath,
    overwrite: bool,
) -> Result<(), Refusal> {
    if let Some(parent) = path.parent() {
        tree.mkdirs(&parent)?;
    }
    tree.keep(file, path, overwrite).map_err(|refusal| match refusal {
        Refusal::FileExists(path) => Refusal::DbfsExists(path),
        other => other,
    })
}

fn unknown(handle: i64) -> Refusal {
    Refusal::NotFound(format!("No stream with handle {handle} exists."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path() -> SafePath {
        SafePath::dbfs("/a/b").unwrap()
    }

    #[test]
    fn a_stream_ends_when_nobody_uses_it() {
        let folder = tempfile::tempdir().unwrap();
        let tree = Tree::open(folder.path().join("dbfs"), folder.path().join("staging")).unwrap();
        let (streams, start) = (Streams::default(), Instant::now());
        let handle = streams.create(&tree, path(), false, start).unwrap();
        streams.add(handle, b"one", start + IDLE / 2).unwrap();
        streams.add(handle, b"two", start + IDLE).unwrap();
        assert!(matches!(streams.close(&tree, handle, start + IDLE * 3), Err(Refusal::NotFound(_))));
        for _ in 0..MAX_OPEN {
            streams.create(&tree, path(), false, start).unwrap();
        }
        assert!(matches!(streams.create(&tree, path(), false, start), Err(Refusal::QuotaExceeded(_))));
        assert!(streams.create(&tree, path(), false, start + IDLE).is_ok(), "what ended makes room");
    }

    #[test]
    fn of_two_that_may_not_overwrite_one_comes_first() {
        let folder = tempfile::tempdir().unwrap();
        let tree = Tree::open(folder.path().join("dbfs"), folder.path().join("staging")).unwrap();
        let (streams, now) = (Streams::default(), Instant::now());
        let open = |overwrite| streams.create(&tree, path(), overwrite, now).unwrap();
        let (first, second, third) = (open(false), open(false), open(true));
        streams.close(&tree, first, now).unwrap();
        assert!(matches!(streams.close(&tree, second, now), Err(Refusal::DbfsExists(_))));
        streams.close(&tree, third, now).unwrap();
    }
}
