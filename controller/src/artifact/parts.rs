//! Logs in the artifact store: a log is a folder of parts, each named by the byte it begins with, and grows at its end.

use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, PutMode, PutOptions};

use super::{Artifacts, unreadable};
use crate::trouble::Trouble;

/// Why a part was not added.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotAdded {
    #[error("the log has grown meanwhile")]
    Grown,
    #[error("the artifact store failed: {0}")]
    Store(#[from] object_store::Error),
}

impl Artifacts {
    /// How long the log in this folder is, in bytes.
    pub(crate) async fn length(&self, folder: &Path) -> Result<u64, NotAdded> {
        Ok(length(&self.parts(folder).await?))
    }

    /// Adds a part, which must begin where the log ends.
    pub(crate) async fn add(&self, folder: &Path, offset: u64, part: Bytes) -> Result<(), NotAdded> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.store.put_opts(&folder.clone().join(format!("{offset:020}")), part.into(), options).await {
            Ok(_) => Ok(()),
            Err(object_store::Error::AlreadyExists { .. }) => Err(NotAdded::Grown),
            Err(error) => Err(error.into()),
        }
    }

    /// The log from byte `offset` on, at most `most` bytes of it, and its whole length.
    pub(crate) async fn part(&self, folder: &Path, offset: u64, most: usize) -> Result<(Bytes, u64), Trouble> {
        let parts = self.parts(folder).await.map_err(|error| unreadable(&error))?;
        let (mut begin, mut found) = (0_u64, BytesMut::new());
        for part in &parts {
            let end = begin + part.size;
            if end > offset && found.len() < most {
                let bytes = self.read(&part.location).await?.unwrap_or_default();
                let skipped = usize::try_from(offset.saturating_sub(begin)).unwrap_or(usize::MAX);
                let wanted = bytes.get(skipped..).unwrap_or_default();
                found.extend_from_slice(wanted.get(..most - found.len()).unwrap_or(wanted));
            }
            begin = end;
        }
        Ok((found.freeze(), begin))
    }

    /// The parts in their order.
    async fn parts(&self, folder: &Path) -> object_store::Result<Vec<ObjectMeta>> {
        let mut parts: Vec<ObjectMeta> = self.store.list(Some(folder)).try_collect().await?;
        parts.sort_by(|a, b| a.location.cmp(&b.location));
        Ok(parts)
    }
}

/// How long a log of these parts is.
fn length(parts: &[ObjectMeta]) -> u64 {
    parts.iter().map(|part| part.size).sum()
}
