//! The content of an artifact: a zip staged in a temporary file, read entry by entry, each checked by its digest.

use std::fs::File;
use std::io::{Read, Seek};
use std::sync::{Arc, Mutex};

use brickline_artifact::manifest::Wheel;
use brickline_artifact::{Digest, Manifest, layout};
use brickline_crds::Reason;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use tokio::io::AsyncWriteExt;
use zip::ZipArchive;

use crate::trouble::Trouble;

/// The largest file that is read into memory at once: workspace files may have 500 MB.
const MAX_ENTRY: u64 = 512 << 20;

/// An artifact that can be read. The temporary file goes with it.
pub(crate) struct Content {
    manifest: Manifest,
    zip: Arc<Mutex<ZipArchive<File>>>,
}

impl Content {
    /// Copies the zip into a temporary file: memory stays flat whatever its size.
    pub(super) async fn stage(
        manifest: Manifest,
        mut stream: impl Stream<Item = object_store::Result<Bytes>> + Unpin,
    ) -> Result<Self, Trouble> {
        let file = tempfile::tempfile().map_err(|error| fault(&error))?;
        let mut writer = tokio::fs::File::from_std(file);
        while let Some(part) = stream.next().await {
            let part = part.map_err(|error| super::unreadable(&error))?;
            writer.write_all(&part).await.map_err(|error| fault(&error))?;
        }
        writer.flush().await.map_err(|error| fault(&error))?;
        let mut file = writer.into_std().await;
        file.rewind().map_err(|error| fault(&error))?;
        let zip = ZipArchive::new(file).map_err(|error| broken(&error))?;
        Ok(Self { manifest, zip: Arc::new(Mutex::new(zip)) })
    }

    /// The table of contents.
    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// One file of the repository.
    pub(crate) async fn file(&self, path: &str) -> Result<Bytes, Trouble> {
        let found = self.manifest.files.iter().find(|file| file.path.as_str() == path);
        let file =
            found.ok_or_else(|| Trouble::lasting(Reason::ArtifactFailed, format!("{path} is not in the artifact")))?;
        self.entry(format!("{}{path}", layout::FILES_PREFIX), file.digest).await
    }

    /// One wheel.
    pub(crate) async fn wheel(&self, wheel: &Wheel) -> Result<Bytes, Trouble> {
        self.entry(wheel.path.to_string(), wheel.digest).await
    }

    async fn entry(&self, name: String, digest: Digest) -> Result<Bytes, Trouble> {
        let zip = Arc::clone(&self.zip);
        let read = tokio::task::spawn_blocking(move || read(&zip, &name, digest));
        read.await.unwrap_or_else(|error| Err(Trouble::passing(Reason::InternalError, error.to_string())))
    }
}

fn read(zip: &Mutex<ZipArchive<File>>, name: &str, digest: Digest) -> Result<Bytes, Trouble> {
    let mut zip = zip.lock().map_err(|_| Trouble::passing(Reason::InternalError, "a reader of the artifact failed"))?;
    let entry = zip.by_name(name).map_err(|error| broken(&error))?;
    let mut content = Vec::new();
    entry.take(MAX_ENTRY).read_to_end(&mut content).map_err(|error| fault(&error))?;
    if Digest::of(&content) != digest {
        let message = format!("{name} in the artifact is not what its manifest says: build the commit again");
        return Err(Trouble::lasting(Reason::ArtifactFailed, message));
    }
    Ok(content.into())
}

fn fault(error: &std::io::Error) -> Trouble {
    Trouble::passing(Reason::ArtifactFailed, format!("the artifact can't be staged: {error}"))
}

fn broken(error: &zip::result::ZipError) -> Trouble {
    Trouble::lasting(Reason::ArtifactFailed, format!("the artifact is not readable: {error}"))
}
