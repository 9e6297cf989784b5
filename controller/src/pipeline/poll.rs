//! What the repository's branches ask for. Pure.
//!
//! A webhook that was lost is made up for: a branch that stands at a commit without a release is released. The first look
//! at a pipeline's branches, and the first after its spec changed, only writes down where new branches stand: what they
//! hold is history until they move. A branch that appears later is released.
//!
//! A branch may come back to an older commit, which has a release already. A webhook can't tell that from an old delivery
//! that is sent again; the repository can. The release is then made again, named after the one that it follows, so that
//! looking twice makes it once.

use brickline_crds::{DatabricksRelease, ObservedCommit, ReleasePipeline, ReleaseReason, ReleaseResult};
use kube::ResourceExt;

use super::lineage::{Releases, created, result};
use crate::creation::Occasion;
use crate::forge::branch::Wanted;
use crate::forge::event::Push;
use crate::forge::refs::Refs;

/// The most branches that are followed, as in the schema.
const BRANCHES: usize = 100;

/// Where the wanted branches stand, sorted by name.
pub(super) fn observed(pipeline: &ReleasePipeline, tips: &Refs) -> Vec<ObservedCommit> {
    let wanted = Wanted::read(&pipeline.spec.trigger.branches);
    let is_wanted = |reference: &String| reference.strip_prefix("refs/heads/").is_some_and(|name| wanted.is(name));
    let tips = tips.iter().filter(|(reference, _)| is_wanted(reference)).take(BRANCHES);
    tips.map(|(reference, commit)| ObservedCommit { reference: reference.clone(), commit: commit.clone() }).collect()
}

/// Whether the branches stand where the status says, for this very spec.
pub(super) fn is_known(pipeline: &ReleasePipeline, observed: &[ObservedCommit]) -> bool {
    is_followed(pipeline) && pipeline.status.as_ref().is_some_and(|status| status.observed_commits == observed)
}

/// Whether this spec's branches were looked at before.
fn is_followed(pipeline: &ReleasePipeline) -> bool {
    let polled = pipeline.status.as_ref().and_then(|status| status.polled_generation);
    polled.is_some() && polled == pipeline.metadata.generation
}

/// What is to be released. The releases must have been listed before the repository was asked: a release that is newer
/// than the answer would look like one that the branch went back from.
pub(super) fn moves(pipeline: &ReleasePipeline, releases: Releases, observed: &[ObservedCommit]) -> Vec<Occasion> {
    observed.iter().filter_map(|tip| movement(pipeline, releases, tip)).collect()
}

fn movement(pipeline: &ReleasePipeline, releases: Releases, tip: &ObservedCommit) -> Option<Occasion> {
    let status = pipeline.status.as_ref();
    let known = status.and_then(|status| status.observed_commits.iter().find(|known| known.reference == tip.reference));
    if known.is_none() && !is_followed(pipeline) {
        return None;
    }
    let at_tip =
        |release: &DatabricksRelease| release.spec.source.git.as_ref().is_some_and(|git| git.commit == tip.commit);
    // What was skipped changed nothing that the branch could go back from.
    let of_branch = |release: &&DatabricksRelease| {
        matches!(release.spec.reason, ReleaseReason::Push | ReleaseReason::Schedule)
            && release.spec.source.git.as_ref().is_some_and(|git| git.reference == tip.reference)
            && (at_tip(release) || result(release) != ReleaseResult::Skipped)
    };
    let newest = releases.iter().filter(of_branch).max_by_key(|release| releases.age(release));
    let last_at_tip = releases.iter().filter(of_branch).filter(|release| at_tip(release)).map(created).max();
    let has_moved = known.is_none_or(|known| known.commit != tip.commit);
    let trigger = match newest {
        // Of two in the same second nobody knows the order.
        Some(newest) if last_at_tip == Some(created(newest)) => return None,
        Some(newest) if last_at_tip.is_some() => {
            format!("back after {} {}", newest.name_any(), newest.uid().unwrap_or_default())
        }
        _ if has_moved => String::new(),
        // Its release was deleted.
        _ => return None,
    };
    let push = Push {
        repository_urls: Vec::new(),
        reference: tip.reference.clone(),
        commit: tip.commit.clone(),
        before: None,
        pusher: None,
    };
    Some(Occasion { trigger, ..Occasion::push(pipeline, &push) })
}
