//! Retention of artifacts: mark and sweep. What no mark holds goes, once it is older than a grace.
//!
//! The marks are taken before the sweep, so something may come to use an artifact while it runs. The grace makes that
//! safe. Whoever uses an artifact names one that a release or a stage has at that moment: then it is marked, or it was
//! handed in after the marks were taken, and is young. An artifact that is stored once more is young again: it is
//! looked at a last time, under a claim, before it goes. A sweep that breaks off has done a part of the work, and the
//! next one does the rest.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use brickline_artifact::Digest;
use futures::TryStreamExt;
use jiff::Timestamp;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

use super::place::{self, Owner};
use super::{Artifacts, unreadable};
use crate::trouble::Trouble;

/// What must stay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// The artifacts that something names.
    pub(crate) artifacts: BTreeSet<Digest>,
    /// The releases there are: namespace and uid.
    pub(crate) releases: BTreeSet<(String, String)>,
    /// The pipelines there are: namespace and name.
    pub(crate) pipelines: BTreeSet<(String, String)>,
}

impl Marks {
    fn hold(&self, owner: &Owner) -> bool {
        match owner {
            Owner::Artifact(digest) => self.artifacts.contains(digest),
            Owner::Release(namespace, uid) => self.releases.contains(&(namespace.clone(), uid.clone())),
            Owner::Pipeline(namespace, name) => self.pipelines.contains(&(namespace.clone(), name.clone())),
            Owner::Nobody => true,
        }
    }
}

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Swept {
    /// Artifacts that went.
    pub(crate) artifacts: u64,
    /// Releases whose reports and logs went.
    pub(crate) releases: u64,
    /// Bytes that went.
    pub(crate) bytes: u64,
    /// Bytes that stayed.
    pub(crate) kept: u64,
    /// Objects that should have gone and could not be deleted.
    pub(crate) failed: u64,
}

impl Artifacts {
    /// Deletes what no mark holds and what is older than the grace. Harmless when repeated or cut off.
    pub(crate) async fn sweep(&self, marks: &Marks, grace: Duration, now: Timestamp) -> Result<Swept, Trouble> {
        let limit = now.checked_sub(grace).unwrap_or(Timestamp::MIN);
        let mut swept = Swept::default();
        for folder in [place::ARTIFACTS, place::RELEASES, place::HISTORY] {
            let mut objects = self.store.list(Some(&folder.into()));
            let mut last = Owner::Nobody;
            while let Some(object) = objects.try_next().await.map_err(|error| unreadable(&error))? {
                let owner = place::owner(&object.location);
                if marks.hold(&owner) || !is_older(&object, limit) {
                    swept.kept = swept.kept.saturating_add(object.size);
                    continue;
                }
                match self.remove(&object, &owner, limit).await {
                    Ok(true) => {
                        swept.gone(&object, &owner, &last);
                        last = owner;
                    }
                    Ok(false) => swept.kept = swept.kept.saturating_add(object.size),
                    Err(error) => {
                        tracing::warn!(place = %object.location, %error, "the artifact store keeps what nobody needs");
                        swept.kept = swept.kept.saturating_add(object.size);
                        swept.failed += 1;
                    }
                }
            }
        }
        self.remove_broken_off(limit).await;
        Ok(swept)
    }

    /// Deletes an object; not if somebody is storing it, or has since it was listed.
    async fn remove(&self, object: &ObjectMeta, owner: &Owner, limit: Timestamp) -> object_store::Result<bool> {
        let claim = if let Owner::Artifact(digest) = owner { self.claims.claim(digest).map(Some) } else { Some(None) };
        let Some(_claim) = claim else { return Ok(false) };
        let removed = match self.store.head(&object.location).await {
            Ok(found) if is_older(&found, limit) => self.store.delete(&object.location).await,
            Ok(_) => return Ok(false),
            Err(error) => Err(error),
        };
        match removed {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Deletes the files of uploads that broke off with the process: a folder's store writes beside the place, with `#`
    /// and a number behind the name, and lists them to nobody.
    async fn remove_broken_off(&self, limit: Timestamp) {
        let Ok(mut files) = tokio::fs::read_dir(self.folder.join(place::ARTIFACTS)).await else { return };
        while let Ok(Some(file)) = files.next_entry().await {
            let begun = file.file_name().to_string_lossy().contains('#');
            let modified = file.metadata().await.and_then(|data| data.modified()).unwrap_or_else(|_| SystemTime::now());
            if begun && Timestamp::try_from(modified).is_ok_and(|modified| modified < limit) {
                let path = file.path();
                if let Err(error) = tokio::fs::remove_file(&path).await {
                    tracing::warn!(path = %path.display(), %error, "an upload that broke off can't be deleted");
                }
            }
        }
    }
}

impl Swept {
    /// Counts an object that went. All of one release are listed one after the other.
    fn gone(&mut self, object: &ObjectMeta, owner: &Owner, last: &Owner) {
        self.bytes = self.bytes.saturating_add(object.size);
        match owner {
            Owner::Artifact(_) => self.artifacts += u64::from(place::is_zip(&object.location)),
            Owner::Release(..) => self.releases += u64::from(owner != last),
            Owner::Pipeline(..) | Owner::Nobody => {}
        }
    }
}

fn is_older(object: &ObjectMeta, limit: Timestamp) -> bool {
    object.last_modified.timestamp_millis() < limit.as_millisecond()
}

#[cfg(test)]
mod tests;
