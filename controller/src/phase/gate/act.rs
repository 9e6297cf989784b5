//! Asks for turns and takes locks.

use std::collections::BTreeSet;

use brickline_crds::{DatabricksRelease, ReleaseReason};
use kube::ResourceExt;

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
    let taken = Locks::of(context).take(&wanted, &holder(release), &witness).await?;
    Ok(match taken {
        Taken::All => {
            context.queue.wants_no_more(release);
            Passage::Locked
        }
        Taken::Held(held) => Passage::Held { message: held.message, leftover: held.leftover },
    })
}

/// Who takes the locks. A rollback inherits those of the release it makes up for, and of no other that has its name now.
fn holder(release: &DatabricksRelease) -> Holder {
    // People sign their releases: only the controller's own rollback inherits.
    let is_own = release.spec.reason == ReleaseReason::Rollback && release.spec.requested_by.is_none();
    let cause = release.spec.cause.as_ref().filter(|_| is_own);
    Holder {
        uid: release.uid().unwrap_or_default(),
        name: release.name_any(),
        namespace: release.namespace().unwrap_or_default(),
        inherits_from: cause.and_then(|cause| cause.uid.clone()),
    }
}

#[cfg(test)]
mod tests {
    use brickline_crds::{Cause, DatabricksReleaseSpec};
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::its_own(ReleaseReason::Rollback, None, Some("uid-failed"), Some("uid-failed"))]
    #[case::of_a_person(ReleaseReason::Rollback, Some("eve"), Some("uid-failed"), None)]
    #[case::of_a_name_alone(ReleaseReason::Rollback, None, None, None)]
    #[case::no_rollback(ReleaseReason::Promotion, None, Some("uid-failed"), None)]
    fn only_a_rollback_inherits_and_from_one_release_alone(
        #[case] reason: ReleaseReason,
        #[case] by: Option<&str>,
        #[case] uid: Option<&str>,
        #[case] from: Option<&str>,
    ) {
        let cause = Cause { release: "failed".to_owned(), uid: uid.map(str::to_owned), message: String::new() };
        let spec = DatabricksReleaseSpec {
            reason,
            cause: Some(cause),
            requested_by: by.map(str::to_owned),
            ..DatabricksReleaseSpec::default()
        };
        assert_eq!(holder(&DatabricksRelease::new("back", spec)).inherits_from.as_deref(), from);
    }
}
