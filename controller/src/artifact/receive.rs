//! Receiving what a build hands in: streamed, bounded, sealed by the first complete one.

use std::io::{Seek, Write};

use brickline_artifact::result::BuildResult;
use brickline_artifact::upload::LogState;
use brickline_artifact::{Digest, Manifest};
use bytes::Bytes;
use futures::future::ready;
use futures::{Stream, StreamExt, TryStreamExt};
use object_store::buffered::BufWriter;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt;
use zip::ZipArchive;

use super::{Artifacts, NotAdded, content, copy, place, unreadable};
use crate::trouble::Trouble;

/// Which attempt hands in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) namespace: String,
    pub(crate) uid: String,
    /// `artifact`, or a further job of the build.
    pub(crate) job: String,
    pub(crate) number: u32,
}

impl Attempt {
    fn place(&self, name: &str) -> Path {
        place::of_job(&self.namespace, &self.uid, &self.job, self.number, name)
    }
}

/// Which artifact an attempt handed in first: [`place::ARTIFACT`].
#[derive(Serialize, Deserialize)]
struct Seal {
    digest: Digest,
    size: u64,
}

/// Why something was not received.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("it was handed in before")]
    Sealed,
    #[error("the log has {0} bytes: go on from there")]
    Offset(u64),
    #[error("the build is sealed")]
    Gone,
    #[error("the same artifact is being stored or removed right now: try again")]
    Busy,
    #[error("more than {0} bytes")]
    TooLarge(u64),
    #[error("{0}")]
    Invalid(String),
    #[error("the artifact store failed: {0}")]
    Store(#[from] object_store::Error),
    #[error("the transfer broke: {0}")]
    Broken(String),
    #[error("it can't be staged: {0}")]
    Staging(#[from] std::io::Error),
}

impl From<NotAdded> for Refused {
    fn from(error: NotAdded) -> Self {
        match error {
            NotAdded::Grown => Self::Sealed,
            NotAdded::Store(error) => Self::Store(error),
        }
    }
}

impl Artifacts {
    /// One part of a log, which must begin where the log ends. Parts are objects of their own, named by their offset.
    pub(super) async fn append_log(
        &self,
        attempt: &Attempt,
        container: &str,
        offset: u64,
        part: Bytes,
    ) -> Result<LogState, Refused> {
        if self.store.head(&attempt.place(place::RESULT)).await.is_ok() {
            return Err(Refused::Gone);
        }
        let folder = attempt.place(&format!("log/{container}"));
        let length = self.length(&folder).await?;
        if offset != length {
            return Err(Refused::Offset(length));
        }
        let added = part.len() as u64;
        if added > 0 {
            self.add(&folder, offset, part).await?;
        }
        Ok(LogState { length: length + added })
    }

    /// The whole artifact: its digest must be the announced one, its manifest a good one.
    pub(super) async fn receive_artifact(
        &self,
        attempt: &Attempt,
        announced: Digest,
        limit: u64,
        body: impl Stream<Item = Result<Bytes, String>> + Unpin,
    ) -> Result<(), Refused> {
        if self.store.head(&attempt.place(place::ARTIFACT)).await.is_ok() {
            return Err(Refused::Sealed);
        }
        let (file, digest, size) = stage(body, limit).await?;
        if digest != announced {
            return Err(Refused::Invalid(format!("the body's digest is {digest}, announced was {announced}")));
        }
        let copy = file.try_clone()?;
        let manifest = tokio::task::spawn_blocking(move || manifest_of(copy))
            .await
            .map_err(|error| Refused::Broken(error.to_string()))??;
        self.seal(&digest, file, &manifest).await?;
        let seal = serde_json::to_vec(&Seal { digest, size }).map_err(std::io::Error::from)?;
        self.create(&attempt.place(place::ARTIFACT), seal.into()).await
    }

    /// The merged JUnit report.
    pub(super) async fn receive_report(&self, attempt: &Attempt, report: Bytes) -> Result<(), Refused> {
        self.create(&attempt.place(place::REPORT), report).await
    }

    /// The result, which seals the attempt. The artifact it names must be the one that was handed in.
    pub(super) async fn receive_result(&self, attempt: &Attempt, text: Bytes) -> Result<(), Refused> {
        let result: BuildResult = serde_json::from_slice(&text).map_err(|error| Refused::Invalid(error.to_string()))?;
        if let Some(artifact) = &result.artifact {
            let sealed = match self.store.get(&attempt.place(place::ARTIFACT)).await {
                Ok(got) => got.bytes().await?,
                Err(object_store::Error::NotFound { .. }) => Bytes::new(),
                Err(error) => return Err(error.into()),
            };
            let sealed: Option<Seal> = serde_json::from_slice(&sealed).ok();
            if sealed.is_none_or(|seal| seal.digest != artifact.digest) {
                return Err(Refused::Invalid(format!("{} was not handed in before the result", artifact.digest)));
            }
        }
        self.create(&attempt.place(place::RESULT), text).await
    }

    /// The artifacts that the attempts of a release handed in.
    pub(super) async fn handed_in(&self, namespace: &str, uid: &str) -> Result<Vec<Digest>, Trouble> {
        let objects = self.store.list(Some(&place::of_release(namespace, uid)));
        let seals = objects.try_filter(|object| ready(object.location.filename() == Some(place::ARTIFACT)));
        let seals: Vec<_> = seals.try_collect().await.map_err(|error| unreadable(&error))?;
        let mut digests = Vec::with_capacity(seals.len());
        for seal in seals {
            let text = self.read(&seal.location).await?.unwrap_or_default();
            digests.extend(serde_json::from_slice::<Seal>(&text).map(|seal| seal.digest).ok());
        }
        Ok(digests)
    }

    /// Writes an object that must not be there yet.
    async fn create(&self, path: &Path, content: Bytes) -> Result<(), Refused> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.store.put_opts(path, content.into(), options).await {
            Ok(_) => Ok(()),
            Err(object_store::Error::AlreadyExists { .. }) => Err(Refused::Sealed),
            Err(error) => Err(error.into()),
        }
    }

    /// Puts an artifact and the copy of its manifest at its digest, over what may be there: the sweep then counts it as
    /// new, however long another of the same content has been lying there.
    pub(super) async fn seal(&self, digest: &Digest, zip: std::fs::File, manifest: &[u8]) -> Result<(), Refused> {
        let _claim = self.claims.claim(digest).ok_or(Refused::Busy)?;
        self.put_file(&place::artifact(digest), zip).await?;
        self.store.put(&place::manifest(digest), copy::seal(manifest).into()).await?;
        Ok(())
    }

    async fn put_file(&self, path: &Path, mut file: std::fs::File) -> Result<(), Refused> {
        file.rewind()?;
        let mut reader = tokio::fs::File::from_std(file);
        let mut writer = BufWriter::new(std::sync::Arc::clone(&self.store), path.clone());
        tokio::io::copy(&mut reader, &mut writer).await?;
        Ok(writer.shutdown().await?)
    }
}

/// Writes the body into a temporary file while its digest is computed.
pub(super) async fn stage(
    mut body: impl Stream<Item = Result<Bytes, String>> + Unpin,
    limit: u64,
) -> Result<(std::fs::File, Digest, u64), Refused> {
    let mut file = tempfile::tempfile()?;
    let (mut hash, mut size) = (Sha256::new(), 0_u64);
    while let Some(part) = body.next().await {
        let part = part.map_err(Refused::Broken)?;
        size += part.len() as u64;
        if size > limit {
            return Err(Refused::TooLarge(limit));
        }
        hash.update(&part);
        file = tokio::task::spawn_blocking(move || file.write_all(&part).map(|()| file))
            .await
            .map_err(|error| Refused::Broken(error.to_string()))??;
    }
    Ok((file, Digest::from_bytes(hash.finalize().into()), size))
}

/// The manifest of a staged zip, checked.
pub(super) fn manifest_of(mut file: std::fs::File) -> Result<Vec<u8>, Refused> {
    file.rewind()?;
    let invalid = |error: &dyn std::fmt::Display| Refused::Invalid(format!("not an artifact: {error}"));
    let mut zip = ZipArchive::new(file).map_err(|error| invalid(&error))?;
    let text = content::manifest_text(&mut zip).map_err(|error| invalid(&error))?;
    Manifest::from_json(&text).map_err(|error| invalid(&error))?;
    Ok(text)
}
