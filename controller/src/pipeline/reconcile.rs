//! The pipeline reconciler: looks at the releases if something happened, carries out what follows, and writes the status.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use brickline_crds::condition::{self, Summary};
use brickline_crds::{Reason, ReleasePipeline, ReleasePipelineStatus, annotations};
use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::controller::Action;
use kube::runtime::events::Recorder;

use super::ask::Forge;
use super::check;
use super::follow::Follow;
use super::round::{Outcome, Round};
use crate::context::Context;
use crate::record;
use crate::secret::Watches;
use crate::trouble::Trouble;

/// How often a pipeline is looked at again whose Secret could not be watched, because too many are.
const CHECK: Duration = Duration::from_mins(5);
/// How often a pipeline is looked at again that is in trouble of which no watch tells the end.
const RECHECK: Duration = Duration::from_secs(15);
/// The shortest pause: what is due could not be done at once.
const SHORTEST: Duration = Duration::from_secs(1);
/// The pause after somebody else wrote the status in between.
const CONFLICT: Duration = Duration::from_millis(100);

/// What a pipeline is reconciled with.
pub(super) struct Tools<'a, F> {
    pub(super) kube: &'a kube::Client,
    pub(super) recorder: &'a Recorder,
    pub(super) follow: &'a Follow,
    pub(super) forge: &'a F,
    pub(super) secrets: &'a Watches,
}

/// Does what follows from the pipeline's releases, and writes down what is wrong with it, or where to point the webhook.
pub(crate) async fn reconcile(pipeline: Arc<ReleasePipeline>, context: Arc<Context>) -> Result<Action, kube::Error> {
    let Context { kube, recorder, follow, secrets, .. } = &*context;
    look(&pipeline, &Tools { kube, recorder, follow, forge: &*context, secrets }, Timestamp::now()).await
}

/// The reconcile, at a time of its own.
pub(super) async fn look<F: Forge>(
    pipeline: &ReleasePipeline,
    tools: &Tools<'_, F>,
    now: Timestamp,
) -> Result<Action, kube::Error> {
    if pipeline.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let Tools { kube, recorder, follow, forge, secrets } = *tools;
    let may_start = may_start(pipeline);
    let mut status = pipeline.status.clone().unwrap_or_default();
    let mut seen = BTreeMap::new();
    let start = may_start.is_ok();
    let round = Round { pipeline, kube, recorder, follow, forge, start, now };
    let Outcome { memory, trouble, ask } = round.run(&mut status).await?;
    // Also of a pipeline that starts nothing: it rolls back, and deletes what is old.
    let owes = memory.is_none() && trouble.as_ref().is_some_and(|trouble| trouble.transient);
    let checked = match may_start.and(trouble.map_or(Ok(()), Err)) {
        Ok(()) => {
            let namespace = pipeline.namespace().unwrap_or_default();
            let webhook = check::webhook(pipeline, &namespace, &mut seen, kube, secrets).await;
            // Both are looked at, so that both are in sight.
            check::credentials(pipeline, &namespace, &mut seen, kube, secrets).await.and(webhook)
        }
        Err(trouble) => Err(trouble),
    };
    // A Secret in sight tells when it comes or changes.
    let sees_all = secrets.follow(pipeline, &seen);
    // And a repository that did not answer is asked again at its own time.
    let told = (sees_all && !seen.is_empty()) || (memory.is_some() && ask.is_some());
    let calm = told || checked.as_ref().err().is_none_or(|trouble| !trouble.transient);
    let check = if calm && !owes { Some(CHECK).filter(|_| !sees_all) } else { Some(RECHECK) };
    describe(pipeline, &mut status, &checked, now);
    match write(pipeline, &status, kube).await {
        Ok(()) => {}
        Err(kube::Error::Api(status)) if status.is_conflict() => return Ok(Action::requeue(CONFLICT)),
        Err(error) => return Err(error),
    }
    // One that came due and is owed waits for the repository, as `ask` says.
    let schedule = status.next_schedule_time.as_ref().map(|time| time.0).filter(|next| *next > now);
    let expiry = memory.as_ref().and_then(|memory| memory.next);
    let pause = pause([schedule, expiry, ask], check, now);
    if let Some(memory) = memory {
        follow.remember(pipeline, memory);
    }
    Ok(pause.map_or_else(Action::await_change, Action::requeue))
}

/// Whether new releases may be created.
fn may_start(pipeline: &ReleasePipeline) -> Result<(), Trouble> {
    if pipeline.spec.suspend {
        return Err(Trouble::lasting(Reason::Suspended, "suspended: set spec.suspend to false to release again"));
    }
    check::spec(pipeline)
}

/// How long until the pipeline must be looked at again; none if only news can change anything.
fn pause(times: [Option<Timestamp>; 3], check: Option<Duration>, now: Timestamp) -> Option<Duration> {
    let until = |time: Timestamp| Duration::try_from(time.duration_since(now)).unwrap_or_default().max(SHORTEST);
    times.into_iter().flatten().map(until).chain(check).min()
}

/// The parts of the status that say how the pipeline is.
fn describe(
    pipeline: &ReleasePipeline,
    status: &mut ReleasePipelineStatus,
    checked: &Result<String, Trouble>,
    now: Timestamp,
) {
    let (namespace, name) = (pipeline.namespace().unwrap_or_default(), pipeline.name_any());
    let generation = pipeline.metadata.generation.unwrap_or_default();
    status.observed_generation = generation;
    status.last_handled_requested_at = annotations::requested_at(pipeline.annotations()).unwrap_or_default();
    status.webhook_paths = vec![format!("/hooks/{namespace}/{name}"), format!("/hooks/{namespace}")];
    let (summary, reason, message) = match checked {
        Ok(message) => (Summary::Ready, Reason::Succeeded, message),
        Err(trouble) if trouble.transient => (Summary::Reconciling, trouble.reason, &trouble.message),
        Err(trouble) => (Summary::Stalled, trouble.reason, &trouble.message),
    };
    condition::summarize(&mut status.conditions, summary, reason, message, generation, now);
}

async fn write(
    pipeline: &ReleasePipeline,
    status: &ReleasePipelineStatus,
    kube: &kube::Client,
) -> Result<(), kube::Error> {
    if pipeline.status.as_ref() == Some(status) {
        return Ok(());
    }
    record::status(pipeline, status, kube).await.map(drop)
}

#[cfg(test)]
mod tests;
