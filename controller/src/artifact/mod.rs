//! Artifacts: what builds leave, kept by digest, and what the controller reads of it.

mod admit;
mod content;
pub(crate) mod place;
mod receive;
pub(crate) mod server;
pub(crate) mod tls;

use std::sync::Arc;

use brickline_artifact::result::{BuildResult, MAX_RESULT_BYTES};
use brickline_artifact::{Digest, Manifest};
use brickline_crds::{Artifact, DatabricksRelease, Reason};
use bytes::Bytes;
use kube::ResourceExt;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

pub(crate) use content::Content;
pub(crate) use place::wheel_location;

use crate::trouble::Trouble;

/// The artifact store.
#[derive(Clone)]
pub(crate) struct Artifacts {
    store: Arc<dyn ObjectStore>,
}

impl Artifacts {
    /// A store in a folder, usually of a volume.
    pub(crate) fn in_folder(folder: &std::path::Path) -> Result<Self, object_store::Error> {
        let store = LocalFileSystem::new_with_prefix(folder)?.with_automatic_cleanup(true);
        Ok(Self { store: Arc::new(store) })
    }

    /// The manifest of the release's artifact.
    pub(crate) async fn manifest(&self, artifact: Option<&Artifact>) -> Result<Manifest, Trouble> {
        let digest = digest(artifact)?;
        let text = self.read(&place::manifest(&digest)).await?.ok_or_else(|| gone(&digest))?;
        Manifest::from_json(&text).map_err(|error| Trouble::lasting(Reason::ArtifactFailed, error.to_string()))
    }

    /// The release's artifact, ready to be read file by file.
    pub(crate) async fn open(&self, artifact: Option<&Artifact>) -> Result<Content, Trouble> {
        let digest = digest(artifact)?;
        let manifest = self.manifest(artifact).await?;
        let got = match self.store.get(&place::artifact(&digest)).await {
            Ok(got) => got,
            Err(object_store::Error::NotFound { .. }) => return Err(gone(&digest)),
            Err(error) => return Err(unreadable(&error)),
        };
        Content::stage(manifest, got.into_stream()).await
    }

    /// What a build attempt handed in last, which seals it.
    pub(crate) async fn result(
        &self,
        release: &DatabricksRelease,
        attempt: u32,
    ) -> Result<Option<BuildResult>, Trouble> {
        let (namespace, uid) = (release.namespace().unwrap_or_default(), release.uid().unwrap_or_default());
        let Some(text) = self.read(&place::of_attempt(&namespace, &uid, attempt, place::RESULT)).await? else {
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
        format!("artifact {digest} is not in the artifact store any more: build the commit again"),
    )
}

/// The message names the store's fault, not its address.
fn unreadable(error: &object_store::Error) -> Trouble {
    Trouble::passing(Reason::ArtifactFailed, format!("the artifact store failed: {error}"))
}
