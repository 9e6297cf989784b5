//! The disk keeps each record as a JSON file that is replaced as a whole, so that a crash leaves the old or the new one.

use serde::{Serialize, de::DeserializeOwned};
use std::{fs, io, io::Write as _, path::Path};

/// Writes `value` to `path` through a temporary file beside it.
pub(crate) fn write_json<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    // At once: a writer without buffer would be called for every word.
    file.write_all(&serde_json::to_vec(value)?)?;
    file.persist(path)?;
    Ok(())
}

/// Reads what [`write_json`] wrote; `None` if there is no such file.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes for a state that has already changed in memory: a failing disk is logged, the next change tries again.
pub(crate) fn save<T: Serialize>(path: &Path, value: &T) {
    if let Err(error) = write_json(path, value) {
        tracing::error!(%error, path = %path.display(), "a record could not be saved");
    }
}
