//! Everything the reconciler does outside itself, as one trait: the real cluster here, and in tests a world that can be
//! stopped at any call.

use brickline_crds::{DatabricksRelease, DatabricksReleaseStatus, ReleaseState};
use jiff::Timestamp;
use kube::{Api, ResourceExt};

use super::observe::Look;
use super::{act, events, observe};
use crate::context::Context;
use crate::log;
use crate::phase::{Effect, Outcome, View};
use crate::queue::{Newer, Queue};
use crate::record;

/// The outside of a reconcile. Each method is one thing that a crash can fall before or after.
pub(crate) trait World {
    /// The wall clock.
    fn now(&self) -> Timestamp;

    /// Looks at what the next decision must see; what can't be seen is [`View::Trouble`]. `outcome`: what the last effect
    /// brought, which no status tells yet.
    async fn observe(&self, release: &DatabricksRelease, look: Look, outcome: Option<&Outcome>) -> View;

    /// The newest release that may take this one's place, as far as the watches know.
    fn newer(&self, release: &DatabricksRelease) -> Option<Newer>;

    /// Does one thing; what goes wrong outside is [`Outcome::Trouble`].
    async fn act(&self, release: &DatabricksRelease, effect: &Effect) -> Outcome;

    /// Writes the status over the version that `release` has, and returns the release as it then is; `None` if somebody
    /// else has written in between.
    async fn write(
        &self,
        release: &DatabricksRelease,
        status: &DatabricksReleaseStatus,
    ) -> Result<Option<DatabricksRelease>, kube::Error>;

    /// Whether the release is the version that this process last wrote or read from the API server itself.
    fn is_newest(&self, release: &DatabricksRelease) -> bool;

    /// The release after an effect that changed its metadata.
    async fn renewed(&self, release: DatabricksRelease) -> Result<DatabricksRelease, kube::Error>;

    /// The release as the API server holds it, past every cache.
    async fn stored(&self, release: &DatabricksRelease) -> Result<DatabricksRelease, kube::Error>;

    /// Tells people and dashboards what a write changed. Never holds the release up.
    async fn tell(&self, before: &DatabricksRelease, after: &DatabricksRelease);
}

/// The real one.
impl World for Context {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    async fn observe(&self, release: &DatabricksRelease, look: Look, outcome: Option<&Outcome>) -> View {
        observe::observe(release, look, outcome, self).await
    }

    fn newer(&self, release: &DatabricksRelease) -> Option<Newer> {
        let pipeline = self.pipeline_of(release)?;
        self.queue.newer(release, Some(&pipeline.spec.concurrency))
    }

    async fn act(&self, release: &DatabricksRelease, effect: &Effect) -> Outcome {
        act::act(release, effect, self).await
    }

    async fn write(
        &self,
        release: &DatabricksRelease,
        status: &DatabricksReleaseStatus,
    ) -> Result<Option<DatabricksRelease>, kube::Error> {
        let written = record::status(release, status, &self.kube).await;
        match &written {
            Ok(newer) => self.versions.note(&newer.metadata),
            // It may have been done all the same.
            Err(_) => self.versions.forget(release),
        }
        match written {
            Ok(newer) => Ok(Some(newer)),
            Err(kube::Error::Api(status)) if status.is_conflict() => Ok(None),
            Err(kube::Error::Api(status)) if status.is_not_found() => {
                self.queue.ended(release, Timestamp::now());
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn is_newest(&self, release: &DatabricksRelease) -> bool {
        self.versions.is_newest(release)
    }

    async fn renewed(&self, mut release: DatabricksRelease) -> Result<DatabricksRelease, kube::Error> {
        match self.versions.newest(&release) {
            // It was changed over this very version, so nothing else is new.
            Some(metadata) => {
                release.metadata = metadata;
                Ok(release)
            }
            None => self.stored(&release).await,
        }
    }

    async fn stored(&self, release: &DatabricksRelease) -> Result<DatabricksRelease, kube::Error> {
        let releases: Api<DatabricksRelease> =
            Api::namespaced(self.kube.clone(), &release.namespace().unwrap_or_default());
        let stored = releases.get(&release.name_any()).await;
        match &stored {
            Ok(stored) => self.versions.note(&stored.metadata),
            Err(_) => self.versions.forget(release),
        }
        if is_gone(&stored) {
            self.queue.ended(release, Timestamp::now());
        }
        stored
    }

    async fn tell(&self, before: &DatabricksRelease, after: &DatabricksRelease) {
        if is_over(after) {
            self.versions.forget(after);
        }
        give_back(after, &self.queue, Timestamp::now());
        log::tell(before, after, &self.log);
        events::tell(before, after, self).await;
    }
}

/// What the release needs no more goes to the next in line.
pub(super) fn give_back(after: &DatabricksRelease, queue: &Queue, now: Timestamp) {
    if is_over(after) {
        return queue.ended(after, now);
    }
    queue.wrote(after, now);
}

fn is_over(release: &DatabricksRelease) -> bool {
    release.status.as_ref().is_some_and(|status| status.state == ReleaseState::Finished)
}

/// Whether the object is not there any more.
pub(super) fn is_gone<T>(answer: &Result<T, kube::Error>) -> bool {
    matches!(answer, Err(kube::Error::Api(status)) if status.is_not_found())
}
