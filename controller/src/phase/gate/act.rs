//! Asks for turns and takes locks.

use std::collections::BTreeSet;

use brickline_crds::{DatabricksRelease, ReleaseReason};
use kube::{Api, ResourceExt};

use super::{Effect, Kind, Passage, observe};
use crate::context::Context;
use crate::lock::{Holder, Lock, Locks, Outside, Taken};
use crate::phase::Outcome;
use crate::queue::Turn;
use crate::trouble::Trouble;
use crate::workspace;

/// Does what `decide` asked for.
pub(crate) async fn act(release: &DatabricksRelease, effect: &Effect, context: &Context) -> Result<Outcome, Trouble> {
    let passage = match effect {
        Effect::Turn { builds } => {
            let pipeline = context.pipeline_of(release);
            let rule = pipeline.as_ref().map(|pipeline| &pipeline.spec.concurrency);
            match context.queue.take(release, rule, *builds) {
                Turn::Go => Passage::Turn,
                Turn::Wait(message) => Passage::NoTurn(message),
            }
        }
        Effect::StepAside => {
            context.queue.step_aside(release);
            Passage::Aside
        }
        Effect::Lock => lock(release, context).await?,
    };
    Ok(Outcome::Gate(passage))
}

async fn lock(release: &DatabricksRelease, context: &Context) -> Result<Passage, Trouble> {
    let kind = Kind { first: false, workspace: true };
    let written: BTreeSet<String> =
        release.status.iter().flat_map(|status| &status.locks).map(|lock| lock.name.clone()).collect();
    let wanted: BTreeSet<Lock> = observe(release, kind, context).await?.locks;
    let wanted: BTreeSet<Lock> = wanted.into_iter().filter(|lock| written.contains(lock.name())).collect();
    let names: Vec<String> = written.into_iter().collect();
    // Noted before the first try: what is freed in between wakes this release too.
    context.queue.wants(release, &names);
    let client = workspace::connect(release, context).await?.client;
    let witness = Outside { databricks: &client, kube: &context.kube };
    let taken = Locks::of(context).take(&wanted, &holder(release, context).await?, &witness).await?;
    Ok(match taken {
        Taken::All => {
            context.queue.wants_no_more(release);
            Passage::Locked
        }
        Taken::Held(held) => Passage::Held { message: held.message, leftover: held.leftover },
    })
}

/// Who takes the locks. A rollback inherits those of the release it makes up for.
async fn holder(release: &DatabricksRelease, context: &Context) -> Result<Holder, Trouble> {
    let namespace = release.namespace().unwrap_or_default();
    // People sign their releases: only the controller's own rollback inherits.
    let is_own = release.spec.reason == ReleaseReason::Rollback && release.spec.requested_by.is_none();
    let cause = release.spec.cause.as_ref().filter(|_| is_own);
    let inherits_from = match cause {
        Some(cause) => {
            let releases: Api<DatabricksRelease> = Api::namespaced(context.kube.clone(), &namespace);
            releases.get_metadata_opt(&cause.release).await?.and_then(|release| release.metadata.uid)
        }
        None => None,
    };
    Ok(Holder { uid: release.uid().unwrap_or_default(), name: release.name_any(), namespace, inherits_from })
}
