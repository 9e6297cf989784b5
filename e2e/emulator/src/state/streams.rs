//! A stream is an upload to DBFS in blocks: `create` opens it, `add-block` appends, `close` puts the file in its place.

use crate::state::{Refusal, SafePath, Tree, ids, lock};
use std::{collections::HashMap, io::Write, sync::Mutex};

/// Streams that nobody closes must not fill the memory.
const MAX_OPEN: usize = 1000;

struct Stream {
    path: SafePath,
    file: tempfile::NamedTempFile,
}

/// All open streams by handle. They end with the emulator, as real handles end after ten minutes without use.
#[derive(Default)]
pub(crate) struct Streams(Mutex<HashMap<i64, Stream>>);

impl Streams {
    /// Opens a stream to `path`.
    pub(crate) fn create(&self, tree: &Tree, path: SafePath, overwrite: bool) -> Result<i64, Refusal> {
        refuse_existing(tree, &path, overwrite)?;
        let mut open = lock(&self.0);
        if open.len() >= MAX_OPEN {
            return Err(Refusal::QuotaExceeded("too many open streams".to_owned()));
        }
        let handle = ids::random();
        open.insert(handle, Stream { path, file: tree.stage()? });
        Ok(handle)
    }

    /// Appends one block.
    pub(crate) fn add(&self, handle: i64, block: &[u8]) -> Result<(), Refusal> {
        let mut open = lock(&self.0);
        let stream = open.get_mut(&handle).ok_or_else(|| unknown(handle))?;
        Ok(stream.file.write_all(block)?)
    }

    /// Ends the stream; only now the file is there.
    pub(crate) fn close(&self, tree: &Tree, handle: i64) -> Result<(), Refusal> {
        let stream = lock(&self.0).remove(&handle).ok_or_else(|| unknown(handle))?;
        place(tree, stream.file, &stream.path)
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
pub(crate) fn place(tree: &Tree, file: tempfile::NamedTempFile, path: &SafePath) -> Result<(), Refusal> {
    if let Some(parent) = path.parent() {
        tree.mkdirs(&parent)?;
    }
    tree.keep(file, path)
}

fn unknown(handle: i64) -> Refusal {
    Refusal::NotFound(format!("No stream with handle {handle} exists."))
}
