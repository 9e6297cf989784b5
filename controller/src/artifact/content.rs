//! The content of an artifact: a zip staged in a temporary file and checked by its digest, read entry by entry, each
//! checked by the manifest. No entry is ever whole in memory.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::mem;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use brickline_artifact::manifest::{self, MAX_MANIFEST_BYTES, Wheel};
use brickline_artifact::{Digest, Manifest, layout};
use brickline_crds::Reason;
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt, stream};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use zip::ZipArchive;
use zip::result::ZipError;

use crate::trouble::Trouble;

/// Bytes that are read at once, and how many such parts may wait for whoever reads them.
const PART: usize = 64 << 10;
const AHEAD: usize = 2;
/// What mends an artifact that can't be read.
const AGAIN: &str = "release the commit again";

/// A zip that many can read at the same time, each by a clone of its own.
pub(super) type Zip = ZipArchive<Reader>;

/// A local copy of an artifact whose bytes were found to be those of its digest.
pub(super) struct Staged {
    pub(super) manifest: Manifest,
    pub(super) zip: Zip,
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

    fn open(file: File) -> Result<Self, Trouble> {
        let reader = Reader::new(file).map_err(|error| fault(&error))?;
        let mut zip = ZipArchive::new(reader).map_err(|error| broken(&error))?;
        let text = manifest_text(&mut zip).map_err(|error| broken(&error))?;
        let manifest = Manifest::from_json(&text).map_err(|error| broken(&error))?;
        Ok(Self { manifest, zip })
    }
}

/// The manifest's text in a zip, cut off behind the largest one.
pub(super) fn manifest_text(zip: &mut ZipArchive<impl Read + Seek>) -> Result<Vec<u8>, ZipError> {
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
    zip: Zip,
}

impl From<Staged> for Content {
    fn from(staged: Staged) -> Self {
        Self { zip: staged.zip }
    }
}

impl Content {
    /// The bytes of one entry, part by part, each time from the beginning; many can be read at the same time. The last
    /// part only comes if all of them are what the manifest says: whoever sends them on never sends something else whole.
    pub(crate) fn parts(&self, entry: &Entry) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
        let (zip, entry, (sender, receiver)) = (self.zip.clone(), entry.clone(), mpsc::channel(AHEAD));
        tokio::task::spawn_blocking(move || {
            if let Err(error) = send(zip, &entry, &sender) {
                let _ = sender.blocking_send(Err(error));
            }
        });
        stream::unfold(receiver, |mut receiver| async { Some((receiver.recv().await?, receiver)) })
    }
}

/// One entry of an artifact, as its manifest has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    name: String,
    pub(crate) digest: Digest,
    /// Bytes.
    pub(crate) size: u64,
}

impl Entry {
    /// A file of the repository.
    pub(crate) fn of_file(file: &manifest::File) -> Self {
        Self { name: format!("{}{}", layout::FILES_PREFIX, file.path), digest: file.digest, size: file.size }
    }

    /// A wheel.
    pub(crate) fn of_wheel(wheel: &Wheel) -> Self {
        Self { name: wheel.path.to_string(), digest: wheel.digest, size: wheel.size }
    }
}

/// Reads an entry and sends it; ends early if nobody listens any more.
fn send(mut zip: Zip, entry: &Entry, to: &mpsc::Sender<io::Result<Bytes>>) -> io::Result<()> {
    let mut from = zip.by_name(&entry.name).map_err(|error| io::Error::other(broken(&error).message))?;
    let (mut hash, mut held) = (Sha256::new(), Bytes::new());
    let mut left = entry.size.saturating_add(1);
    loop {
        let mut part = BytesMut::zeroed(PART);
        let read = from.read(&mut part).map_err(|error| io::Error::other(unpacking(&error).message))?;
        if read == 0 {
            break;
        }
        part.truncate(read);
        hash.update(&part);
        left = left.saturating_sub(read as u64);
        if left == 0 {
            return Err(io::Error::other(differs(&entry.name).message));
        }
        let part = mem::replace(&mut held, part.freeze());
        if !part.is_empty() && to.blocking_send(Ok(part)).is_err() {
            return Ok(());
        }
    }
    if Digest::from_bytes(hash.finalize().into()) != entry.digest {
        return Err(io::Error::other(differs(&entry.name).message));
    }
    if !held.is_empty() {
        let _ = to.blocking_send(Ok(held));
    }
    Ok(())
}

/// Reads a shared file at a place of its own.
#[derive(Clone)]
pub(super) struct Reader {
    file: Arc<File>,
    at: u64,
    size: u64,
}

impl Reader {
    pub(super) fn new(file: File) -> io::Result<Self> {
        let size = file.metadata()?.len();
        Ok(Self { file: Arc::new(file), at: 0, size })
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Reader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(offset) => self.size.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.at.checked_add_signed(offset),
        };
        self.at = at.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
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
