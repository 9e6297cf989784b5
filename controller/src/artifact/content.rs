//! The content of an artifact: a zip staged in a temporary file and checked by its digest, read entry by entry, each
//! checked by the manifest.

use std::fs::File;
use std::io::{Read, Seek};
use std::sync::{Arc, Mutex};

use brickline_artifact::manifest::{MAX_MANIFEST_BYTES, Wheel};
use brickline_artifact::{Digest, Manifest, layout};
use brickline_crds::Reason;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt;
use zip::ZipArchive;
use zip::result::ZipError;

use crate::trouble::Trouble;

/// The largest file that is read into memory at once: workspace files may have 500 MB.
const MAX_ENTRY: u64 = 512 << 20;
/// What mends an artifact that can't be read.
const AGAIN: &str = "release the commit again";

/// A local copy of an artifact whose bytes were found to be those of its digest.
pub(super) struct Staged {
    pub(super) manifest: Manifest,
    pub(super) zip: ZipArchive<File>,
}

impl Staged {
    /// Copies the zip into a temporary file: memory stays flat whatever its size.
    pub(super) async fn receive(
        digest: &Digest,
        mut stream: impl Stream<Item = object_store::Result<Bytes>> + Unpin,
    ) -> Result<Self, Trouble> {
        let file = tempfile::tempfile().map_err(|error| fault(&error))?;
        let (mut writer, mut hash) = (tokio::fs::File::from_std(file), Sha256::new());
        while let Some(part) = stream.next().await {
            let part = part.map_err(|error| super::unreadable(&error))?;
            hash.update(&part);
            writer.write_all(&part).await.map_err(|error| fault(&error))?;
        }
        let found = Digest::from_bytes(hash.finalize().into());
        if found != *digest {
            let message = format!("artifact {digest} is damaged in the store, where it is {found} now: {AGAIN}");
            return Err(Trouble::lasting(Reason::ArtifactFailed, message));
        }
        writer.flush().await.map_err(|error| fault(&error))?;
        let file = writer.into_std().await;
        blocking(move || Self::open(file)).await
    }

    fn open(mut file: File) -> Result<Self, Trouble> {
        file.rewind().map_err(|error| fault(&error))?;
        let mut zip = ZipArchive::new(file).map_err(|error| broken(&error))?;
        let text = manifest_text(&mut zip).map_err(|error| broken(&error))?;
        let manifest = Manifest::from_json(&text).map_err(|error| broken(&error))?;
        Ok(Self { manifest, zip })
    }
}

/// The manifest's text in a zip, cut off behind the largest one.
pub(super) fn manifest_text(zip: &mut ZipArchive<File>) -> Result<Vec<u8>, ZipError> {
    let mut text = Vec::new();
    zip.by_name(layout::MANIFEST_ENTRY)?.take(MAX_MANIFEST_BYTES as u64 + 1).read_to_end(&mut text)?;
    Ok(text)
}

/// Runs what reads or writes files on a thread that may wait.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Trouble> + Send + 'static,
) -> Result<T, Trouble> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Trouble::passing(Reason::InternalError, error.to_string())))
}

/// An artifact that can be read. The temporary file goes with it.
pub(crate) struct Content {
    manifest: Manifest,
    zip: Arc<Mutex<ZipArchive<File>>>,
}

impl From<Staged> for Content {
    fn from(staged: Staged) -> Self {
        Self { manifest: staged.manifest, zip: Arc::new(Mutex::new(staged.zip)) }
    }
}

impl Content {
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
        blocking(move || read(&zip, &name, digest)).await
    }
}

fn read(zip: &Mutex<ZipArchive<File>>, name: &str, digest: Digest) -> Result<Bytes, Trouble> {
    let mut zip = zip.lock().map_err(|_| Trouble::passing(Reason::InternalError, "a reader of the artifact failed"))?;
    let entry = zip.by_name(name).map_err(|error| broken(&error))?;
    let mut content = Vec::new();
    entry.take(MAX_ENTRY).read_to_end(&mut content).map_err(|error| unpacking(&error))?;
    if Digest::of(&content) == digest { Ok(content.into()) } else { Err(differs(name)) }
}

/// An entry's bytes are not those of the manifest.
pub(super) fn differs(name: &str) -> Trouble {
    let message = format!("{name} in the artifact is not what its manifest says: {AGAIN}");
    Trouble::lasting(Reason::ArtifactFailed, message)
}

/// Reading an entry failed: the volume's fault passes, bytes that are no zip's stay so.
pub(super) fn unpacking(error: &std::io::Error) -> Trouble {
    use std::io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    if matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof) { broken(error) } else { fault(error) }
}

pub(super) fn fault(error: &std::io::Error) -> Trouble {
    Trouble::passing(Reason::ArtifactFailed, format!("the artifact can't be staged: {error}"))
}

pub(super) fn broken(error: &dyn std::fmt::Display) -> Trouble {
    Trouble::lasting(Reason::ArtifactFailed, format!("the artifact is not readable: {error}; {AGAIN}"))
}
