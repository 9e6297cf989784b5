//! Artifacts: what builds leave, kept by digest, and what the controller reads of it.

mod admit;
mod claim;
mod collect;
mod compose;
mod content;
mod copy;
mod fetch;
mod parts;
pub(crate) mod place;
mod receive;
#[cfg(test)]
pub(crate) mod samples;
pub(crate) mod server;
pub(crate) mod show;
mod sweep;
#[cfg(test)]
mod tests;
pub(crate) mod tls;

use std::sync::Arc;

use brickline_artifact::result::{BuildResult, MAX_RESULT_BYTES};
use brickline_artifact::{Digest, Manifest};
use brickline_crds::{Artifact, DatabricksRelease, Reason};
use bytes::Bytes;
use futures::stream::BoxStream;
use kube::ResourceExt;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use claim::Claims;
pub(crate) use collect::collect_garbage;
use content::Staged;
pub(crate) use content::{Content, Entry};
pub(crate) use fetch::{Fetched, PATIENCE, Remote};
pub(crate) use parts::NotAdded;
pub(crate) use place::{library_location, wheel_location};

use crate::trouble::Trouble;

/// An artifact on its way out: its digest, its size, its bytes.
pub(crate) type Sent = (Digest, u64, BoxStream<'static, object_store::Result<Bytes>>);

/// The artifact store.
#[derive(Clone)]
pub(crate) struct Artifacts {
    store: Arc<dyn ObjectStore>,
    /// Where the store is, for what it doesn't list.
    folder: Arc<std::path::Path>,
    claims: Claims,
}

impl Artifacts {
    /// A store in a folder, usually of a volume.
    pub(crate) fn in_folder(folder: &std::path::Path) -> Result<Self, object_store::Error> {
        let store = LocalFileSystem::new_with_prefix(folder)?.with_automatic_cleanup(true);
        Ok(Self { store: Arc::new(store), folder: folder.into(), claims: Claims::default() })
    }

    /// The manifest of the release's artifact, from the copy beside it. A copy that is gone or damaged is made anew.
    pub(crate) async fn manifest(&self, artifact: Option<&Artifact>) -> Result<Manifest, Trouble> {
        let digest = digest(artifact)?;
        let place = place::manifest(&digest);
        if let Some(manifest) = self.read(&place).await?.as_deref().and_then(copy::open) {
            return Ok(manifest);
        }
        let mut manifest = self.staged(&digest).await?.manifest;
        let text = manifest.to_json().map_err(|error| Trouble::lasting(Reason::ArtifactFailed, error.to_string()))?;
        self.write(&place, copy::seal(&text)).await?;
        Ok(manifest)
    }

    /// The release's artifact, ready to be read file by file.
    pub(crate) async fn open(&self, artifact: Option<&Artifact>) -> Result<Content, Trouble> {
        Ok(self.staged(&digest(artifact)?).await?.into())
    }

    /// The release's artifact as it lies in the store: its digest, its size, and its bytes, which nobody has checked.
    pub(crate) async fn send(&self, artifact: Option<&Artifact>) -> Result<Sent, Trouble> {
        let digest = digest(artifact)?;
        match self.store.get(&place::artifact(&digest)).await {
            Ok(got) => Ok((digest, got.meta.size, got.into_stream())),
            Err(object_store::Error::NotFound { .. }) => Err(gone(&digest)),
            Err(error) => Err(unreadable(&error)),
        }
    }

    /// A local copy of an artifact whose bytes are those of the digest.
    async fn staged(&self, digest: &Digest) -> Result<Staged, Trouble> {
        match self.store.get(&place::artifact(digest)).await {
            // Boxed: whoever reads a manifest would carry its size along.
            Ok(got) => Box::pin(Staged::receive(digest, got.into_stream())).await,
            Err(object_store::Error::NotFound { .. }) => Err(gone(digest)),
            Err(error) => Err(unreadable(&error)),
        }
    }

    /// What the attempt of a build's job handed in last, which seals it.
    pub(crate) async fn result(
        &self,
        release: &DatabricksRelease,
        job: &str,
        attempt: u32,
    ) -> Result<Option<BuildResult>, Trouble> {
        let (namespace, uid) = (release.namespace().unwrap_or_default(), release.uid().unwrap_or_default());
        let Some(text) = self.read(&place::of_job(&namespace, &uid, job, attempt, place::RESULT)).await? else {
            return Ok(None);
        };
        let result = serde_json::from_slice(text.get(..MAX_RESULT_BYTES).unwrap_or(&text));
        result
            .map(Some)
            .map_err(|error| Trouble::lasting(Reason::ArtifactFailed, format!("the build's result: {error}")))
    }

    /// Reads a small object; none if it isn't there.
    pub(crate) async fn read(&self, path: &Path) -> Result<Option<Bytes>, Trouble> {
        match self.store.get(path).await {
            Ok(got) => got.bytes().await.map(Some).map_err(|error| unreadable(&error)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(unreadable(&error)),
        }
    }

    /// Writes a small object, over an older one.
    pub(crate) async fn write(&self, path: &Path, content: impl Into<Bytes>) -> Result<(), Trouble> {
        self.store.put(path, content.into().into()).await.map(drop).map_err(|error| unreadable(&error))
    }
}

fn digest(artifact: Option<&Artifact>) -> Result<Digest, Trouble> {
    let artifact = artifact.ok_or_else(|| Trouble::lasting(Reason::ArtifactFailed, "the release has no artifact"))?;
    artifact
        .digest
        .parse()
        .map_err(|_| Trouble::lasting(Reason::ArtifactFailed, "the artifact's digest is not readable"))
}

fn gone(digest: &Digest) -> Trouble {
    Trouble::lasting(
        Reason::ArtifactFailed,
        format!("artifact {digest} is no longer in the store: retention removed it; release the commit again"),
    )
}

/// The message names the store's fault, not its address.
fn unreadable(error: &object_store::Error) -> Trouble {
    Trouble::passing(Reason::ArtifactFailed, format!("the artifact store failed: {error}"))
}
