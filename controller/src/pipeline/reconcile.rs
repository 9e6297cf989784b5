//! The pipeline reconciler: looks at the releases if something happened, carries out what follows, and writes the status.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use brickline_crds::condition::{self, READY, RECONCILING, STALLED, Status};
use brickline_crds::{Reason, ReleasePipeline, ReleasePipelineStatus, annotations};
use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::controller::Action;

use super::check;
use super::follow::Memory;
use super::round::Round;
use crate::context::Context;
use crate::record;
use crate::trouble::Trouble;

/// How often a pipeline is looked at again without news.
const CHECK: Duration = Duration::from_mins(5);
/// How often a pipeline is looked at again that is in trouble of which no watch tells the end.
const RECHECK: Duration = Duration::from_secs(15);
/// The pause after somebody else wrote the status in between.
const CONFLICT: Duration = Duration::from_millis(100);

/// Does what follows from the pipeline's releases, and writes down what is wrong with it, or where to point the webhook.
pub(crate) async fn reconcile(pipeline: Arc<ReleasePipeline>, context: Arc<Context>) -> Result<Action, kube::Error> {
    if pipeline.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let now = Timestamp::now();
    let may_start = may_start(&pipeline);
    let mut status = pipeline.status.clone().unwrap_or_default();
    let Context { kube, recorder, follow, .. } = &*context;
    let mut seen = BTreeMap::new();
    let round = Round { pipeline: &pipeline, kube, recorder, follow, start: may_start.is_ok(), now };
    let followed = round.run(&mut status).await?;
    let (memory, followed) = match followed {
        Ok(memory) => (Some(memory), Ok(())),
        Err(trouble) => (None, Err(trouble)),
    };
    let checked = match may_start.and(followed) {
        Ok(()) => check::webhook(&pipeline, &pipeline.namespace().unwrap_or_default(), &mut seen, &context).await,
        Err(trouble) => Err(trouble),
    };
    // A Secret in sight tells when it comes or changes.
    let told = context.secrets.follow(&*pipeline, &seen) && !seen.is_empty();
    let calm = told || checked.as_ref().err().is_none_or(|trouble| !trouble.transient);
    describe(&pipeline, &mut status, &checked, now);
    match write(&pipeline, &status, &context).await {
        Ok(()) => {}
        Err(kube::Error::Api(status)) if status.is_conflict() => return Ok(Action::requeue(CONFLICT)),
        Err(error) => return Err(error),
    }
    let pause = pause(memory.as_ref(), calm, now);
    if let Some(memory) = memory {
        follow.remember(&pipeline, memory);
    }
    Ok(Action::requeue(pause))
}

/// Whether new releases may be created.
fn may_start(pipeline: &ReleasePipeline) -> Result<(), Trouble> {
    if pipeline.spec.suspend {
        return Err(Trouble::lasting(Reason::Suspended, "suspended: set spec.suspend to false to release again"));
    }
    check::spec(pipeline)
}

/// How long until the pipeline must be looked at again.
fn pause(memory: Option<&Memory>, calm: bool, now: Timestamp) -> Duration {
    let check = if calm { CHECK } else { RECHECK };
    let next = memory.and_then(|memory| memory.next);
    let until = next.map(|next| Duration::try_from(next.duration_since(now)).unwrap_or_default());
    until.map_or(check, |until| until.min(check))
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
    let conditions = &mut status.conditions;
    match checked {
        Ok(message) => {
            condition::remove(conditions, STALLED);
            condition::remove(conditions, RECONCILING);
            condition::set(conditions, READY, Status::True, Reason::Succeeded, message, generation, now);
        }
        Err(trouble) => {
            let (extra, other) = if trouble.transient { (RECONCILING, STALLED) } else { (STALLED, RECONCILING) };
            // One that stays is not taken out: it would come back as of now, be written, and wake this reconciler.
            condition::remove(conditions, other);
            for (type_, holds) in [(READY, Status::False), (extra, Status::True)] {
                condition::set(conditions, type_, holds, trouble.reason, &trouble.message, generation, now);
            }
        }
    }
}

async fn write(
    pipeline: &ReleasePipeline,
    status: &ReleasePipelineStatus,
    context: &Context,
) -> Result<(), kube::Error> {
    if pipeline.status.as_ref() == Some(status) {
        return Ok(());
    }
    record::status(pipeline, status, context).await.map(drop)
}
