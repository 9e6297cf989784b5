//! One round of a pipeline: lists its releases, carries out what follows from them, and deletes what may go.
//!
//! Each step is safe to repeat: a release is created once by its name, a deletion names the uid, and marks are written
//! after what they stand for.

use brickline_crds::{DatabricksRelease, Reason, ReleasePipeline, ReleasePipelineStatus, condition::truncate, labels};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{DeleteParams, ListParams, Preconditions, PropagationPolicy};
use kube::runtime::events::{Event, EventType, Recorder};
use kube::{Api, Resource, ResourceExt};

use super::ask::Forge;
use super::completion::Other;
use super::follow::{Follow, Memory};
use super::lineage::{Releases, by_name};
use super::retention::Gone;
use super::step::{Asked, Follows, Source, Steps, steps};
use super::{poll, timetable};
use crate::creation::{Creation, Draft, create};
use crate::forge::refs::Refs;
use crate::trouble::Trouble;

/// How many releases one request lists.
const PAGE: u32 = 500;
/// How many releases one round deletes; the next one goes on.
const DELETIONS: usize = 100;
/// The longest note an event takes, in characters.
const NOTE: usize = 1000;

/// What a round works with.
pub(super) struct Round<'a, F> {
    pub(super) pipeline: &'a ReleasePipeline,
    pub(super) kube: &'a kube::Client,
    pub(super) recorder: &'a Recorder,
    pub(super) follow: &'a Follow,
    pub(super) forge: &'a F,
    /// Whether new releases may be created; rollbacks may always.
    pub(super) start: bool,
    pub(super) now: Timestamp,
}

/// How a round ended.
pub(super) struct Outcome {
    /// What to remember, once the status is written; none if not all could be done.
    pub(super) memory: Option<Memory>,
    /// What went wrong.
    pub(super) trouble: Option<Trouble>,
    /// When the repository must be asked again.
    pub(super) ask: Option<Timestamp>,
}

/// Which kinds of releases could not all be created: their marks must wait.
#[derive(Clone, Copy, Default)]
struct Failed {
    completions: bool,
    moves: bool,
    schedules: bool,
}

impl Failed {
    fn note(&mut self, follows: &Follows) {
        match follows {
            Follows::Completion => self.completions = true,
            Follows::Move => self.moves = true,
            Follows::Schedule => self.schedules = true,
            // Their marks are their own.
            Follows::Failure(_) | Follows::Promotion(..) => {}
        }
    }
}

impl<F: Forge> Round<'_, F> {
    /// Looks, if something happened since the last look, and does what follows. The status has the marks of what was
    /// done, also if not all could be.
    pub(super) async fn run(&self, status: &mut ReleasePipelineStatus) -> Result<Outcome, kube::Error> {
        if !self.polls() && self.pipeline.spec.trigger.schedules.is_empty() {
            self.follow.ask(self.pipeline, None);
        }
        let due = if self.start { timetable::due(self.pipeline, self.now) } else { Vec::new() };
        let mut look = self.follow.look(self.pipeline);
        if let Some(memory) = self.follow.memory(self.pipeline, &look, self.now) {
            // A poll whose time has come costs one request while no branch moves.
            if !self.must_ask(&due) || (due.is_empty() && self.stands_still().await) {
                self.plan(!due.is_empty(), status);
                return Ok(self.outcome(Some(memory), None));
            }
        }
        let all = self.list(&self.pipeline.name_any()).await?;
        // After the list: a release that is newer than the answer would look like one that the branch went back from.
        let tips = if self.may_ask(&due) { self.ask(&due).await } else { None };
        let asked = tips.as_ref().map(|tips| Asked { tips, polls: self.polls(), due: &due });
        let steps = self.look(&all, asked, status).await?;
        let (failed, carried) = self.carry_out(steps, status).await;
        self.mark_branches(tips.as_ref().filter(|_| !failed.moves), status);
        let made =
            tips.is_some_and(|tips| due.iter().all(|due| tips.contains_key(&due.reference()))) && !failed.schedules;
        if let Some(last) = due.iter().map(|due| due.at).max().filter(|_| made) {
            status.last_schedule_time = Some(Time(last));
        }
        self.plan(!due.is_empty() && !made, status);
        Ok(match carried {
            Ok(next) => {
                look.next = next;
                self.outcome(Some(look), None)
            }
            Err(trouble) => self.outcome(None, Some(trouble)),
        })
    }

    /// Where the branches stand, once all that moved have a release.
    fn mark_branches(&self, tips: Option<&Refs>, status: &mut ReleasePipelineStatus) {
        if self.pipeline.spec.trigger.poll.is_none() {
            (status.observed_commits, status.polled_generation) = (Vec::new(), None);
        } else if let Some(tips) = tips.filter(|_| self.polls()) {
            status.observed_commits = poll::observed(self.pipeline, tips);
            status.polled_generation = self.pipeline.metadata.generation;
        }
    }

    /// When the next schedule comes. While one that came due is owed, its own time stays.
    fn plan(&self, owed: bool, status: &mut ReleasePipelineStatus) {
        if !owed {
            let next = timetable::next(self.pipeline, self.now).filter(|_| self.start);
            status.next_schedule_time = next.map(Time);
        }
    }

    fn outcome(&self, memory: Option<Memory>, trouble: Option<Trouble>) -> Outcome {
        let asked = self.follow.asked(self.pipeline);
        let ask = asked.as_ref().map(|asked| asked.next);
        Outcome { memory, trouble: trouble.or_else(|| asked?.trouble), ask }
    }

    async fn look(
        &self,
        all: &[DatabricksRelease],
        asked: Option<Asked<'_>>,
        status: &mut ReleasePipelineStatus,
    ) -> Result<Steps, kube::Error> {
        let index = by_name(all);
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
        let releases = Releases::new(all, &index);
        Ok(steps(self.pipeline, releases, &sources, asked, status, self.start, self.now))
    }

    /// Every release of a pipeline of this namespace, as the API server holds them now.
    async fn list(&self, pipeline: &str) -> Result<Vec<DatabricksRelease>, kube::Error> {
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

    /// Creates and deletes. Answers which kinds could not all be created, and when the next release is too old.
    async fn carry_out(
        &self,
        steps: Steps,
        status: &mut ReleasePipelineStatus,
    ) -> (Failed, Result<Option<Timestamp>, Trouble>) {
        let mut first: Option<Trouble> = None;
        let mut failed = Failed::default();
        for (draft, follows) in &steps.drafts {
            if let Err(trouble) = self.start(draft, follows, status).await {
                failed.note(follows);
                first = first.or(Some(trouble));
            }
        }
        if !failed.completions {
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
        let carried = match first.or(unanswered) {
            Some(trouble) => Err(trouble),
            None => Ok(if more { Some(self.now) } else { steps.expiry.next }),
        };
        (failed, carried)
    }

    /// Creates one release, and sets its mark.
    async fn start(&self, draft: &Draft, follows: &Follows, status: &mut ReleasePipelineStatus) -> Result<(), Trouble> {
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
    async fn tell(&self, draft: &Draft, follows: &Follows, name: &str) {
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
    async fn delete(&self, gone: &Gone) -> Result<(), Trouble> {
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

    fn releases(&self) -> Api<DatabricksRelease> {
        Api::namespaced(self.kube.clone(), &self.pipeline.namespace().unwrap_or_default())
    }
}
