//! One round of a pipeline: lists its releases, carries out what follows from them, and deletes what may go.
//!
//! Each step is safe to repeat: a release is created once by its name, a deletion names the uid, and marks are written
//! after what they stand for.

use brickline_crds::{DatabricksRelease, Reason, ReleasePipeline, ReleasePipelineStatus, condition::truncate, labels};
use jiff::Timestamp;
use kube::api::{DeleteParams, ListParams, Preconditions, PropagationPolicy};
use kube::runtime::events::{Event, EventType, Recorder};
use kube::{Api, Resource, ResourceExt};

use super::completion::Other;
use super::follow::{Follow, Memory};
use super::lineage::{Releases, by_name};
use super::retention::Gone;
use super::step::{Follows, Source, Steps, steps};
use crate::creation::{Creation, Draft, create};
use crate::trouble::Trouble;

/// How many releases one request lists.
const PAGE: u32 = 500;
/// How many releases one round deletes; the next one goes on.
const DELETIONS: usize = 100;
/// The longest note an event takes, in characters.
const NOTE: usize = 1000;

/// What a round works with.
#[derive(Clone, Copy)]
pub(super) struct Round<'a> {
    pub(super) pipeline: &'a ReleasePipeline,
    pub(super) kube: &'a kube::Client,
    pub(super) recorder: &'a Recorder,
    pub(super) follow: &'a Follow,
    /// Whether new releases may be created; rollbacks may always.
    pub(super) start: bool,
    pub(super) now: Timestamp,
}

impl Round<'_> {
    /// Looks, if something happened since the last look, and does what follows. The status has the marks of what was
    /// done, also if not all could be.
    pub(super) async fn run(self, status: &mut ReleasePipelineStatus) -> Result<Result<Memory, Trouble>, kube::Error> {
        let follow = self.follow;
        let mut look = follow.look(self.pipeline);
        if let Some(memory) = follow.memory(self.pipeline, &look, self.now) {
            return Ok(Ok(memory));
        }
        let steps = self.look(status).await?;
        Ok(self.carry_out(steps, status).await.map(|next| {
            look.next = next;
            look
        }))
    }

    async fn look(self, status: &mut ReleasePipelineStatus) -> Result<Steps, kube::Error> {
        let all = self.list(&self.pipeline.name_any()).await?;
        let index = by_name(&all);
        let namespace = self.pipeline.namespace().unwrap_or_default();
        let mut others = Vec::new();
        for trigger in &self.pipeline.spec.trigger.artifacts {
            let name = trigger.pipeline.as_str();
            if let Some(other) = self.follow.pipeline(&namespace, name) {
                others.push((name, other, self.list(name).await?));
            }
        }
        let indices: Vec<_> = others.iter().map(|(_, _, releases)| by_name(releases)).collect();
        let sources: Vec<Source> = others
            .iter()
            .zip(&indices)
            .map(|((name, pipeline, releases), index)| Source {
                name,
                other: Some(Other { pipeline, releases: Releases::new(releases, index) }),
            })
            .collect();
        Ok(steps(self.pipeline, Releases::new(&all, &index), &sources, status, self.start, self.now))
    }

    /// Every release of a pipeline of this namespace, as the API server holds them now.
    async fn list(self, pipeline: &str) -> Result<Vec<DatabricksRelease>, kube::Error> {
        let selector = format!("{}={}", labels::PIPELINE, labels::value(pipeline));
        let mut wanted = ListParams::default().labels(&selector).limit(PAGE);
        let mut all = Vec::new();
        loop {
            let page = self.releases().list(&wanted).await?;
            all.extend(page.items);
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => wanted = wanted.continue_token(&token),
                None => return Ok(all),
            }
        }
    }

    /// Creates and deletes; when the next release is too old.
    async fn carry_out(self, steps: Steps, status: &mut ReleasePipelineStatus) -> Result<Option<Timestamp>, Trouble> {
        let mut first: Option<Trouble> = None;
        let mut completed = true;
        for (draft, follows) in &steps.drafts {
            match self.start(draft, follows, status).await {
                Ok(()) => {}
                Err(trouble) => {
                    completed &= !matches!(follows, Follows::Completion);
                    first = first.or(Some(trouble));
                }
            }
        }
        if completed {
            status.observed_artifacts = steps.observed;
        }
        let more = steps.expiry.gone.len() > DELETIONS;
        for gone in steps.expiry.gone.iter().take(DELETIONS) {
            if let Err(trouble) = self.delete(gone).await {
                first = first.or(Some(trouble));
                break;
            }
        }
        let unanswered = steps.troubles.first().map(|why| Trouble::lasting(Reason::InvalidSpec, why.clone()));
        match first.or(unanswered) {
            Some(trouble) => Err(trouble),
            None => Ok(if more { Some(self.now) } else { steps.expiry.next }),
        }
    }

    /// Creates one release, and sets its mark.
    async fn start(self, draft: &Draft, follows: &Follows, status: &mut ReleasePipelineStatus) -> Result<(), Trouble> {
        let creation = create(self.kube, self.pipeline, draft).await?;
        if let Creation::Created(name) = &creation {
            self.tell(draft, follows, name).await;
            let stage = draft.stage.as_ref().map(|stage| format!(" to {}", stage.name)).unwrap_or_default();
            status.last = format!("{} {name}{stage}", draft.occasion.reason);
        }
        if let Follows::Promotion(stage, promoted) = follows
            && let Some(known) = status.stages.iter_mut().find(|known| known.name == *stage)
        {
            known.promoted = Some(promoted.clone());
        }
        Ok(())
    }

    /// An event on the pipeline; on the failed release too, if it is rolled back.
    async fn tell(self, draft: &Draft, follows: &Follows, name: &str) {
        let reason = draft.occasion.reason;
        let cause = draft.occasion.cause.as_ref();
        let because = cause.map(|cause| format!(": {}: {}", cause.release, cause.message)).unwrap_or_default();
        let namespace = self.pipeline.namespace().unwrap_or_default();
        tracing::info!(%namespace, pipeline = %self.pipeline.name_any(), release = %name, %reason, "release created");
        let mut event = Event {
            type_: EventType::Normal,
            reason: Reason::Progressing.to_string(),
            note: Some(truncate(&format!("{reason} {name} created{because}"), NOTE)),
            action: "Create".to_owned(),
            secondary: None,
        };
        let mut about = vec![self.pipeline.object_ref(&())];
        if let Follows::Failure(failed) = follows {
            (event.type_, event.reason) = (EventType::Warning, Reason::RolledBack.to_string());
            about.push(failed.object_ref(&()));
        }
        for object in about {
            if let Err(error) = self.recorder.publish(&event, &object).await {
                tracing::warn!(%error, "an event was not published");
            }
        }
    }

    /// Deletes exactly the release that was seen.
    async fn delete(self, gone: &Gone) -> Result<(), Trouble> {
        let params = DeleteParams {
            preconditions: Some(Preconditions { uid: gone.uid.clone(), resource_version: None }),
            propagation_policy: Some(PropagationPolicy::Background),
            ..DeleteParams::default()
        };
        match self.releases().delete(&gone.name, &params).await {
            Ok(_) => tracing::debug!(release = gone.name, "an old release was deleted"),
            Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => {}
            Err(kube::Error::Api(status)) if status.is_forbidden() => {
                return Err(Trouble::not_a_tenant(&self.pipeline.namespace().unwrap_or_default()));
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn releases(self) -> Api<DatabricksRelease> {
        Api::namespaced(self.kube.clone(), &self.pipeline.namespace().unwrap_or_default())
    }
}
