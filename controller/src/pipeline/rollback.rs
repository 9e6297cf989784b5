//! Which failed releases are rolled back. Pure.
//!
//! Only what a stage has *now* is rolled back: a release that failed and that another one has deployed over since needs
//! no rollback any more. So a restart finds the rollback it owes, and none that is history.

use brickline_crds::condition::truncate;
use brickline_crds::{
    ArtifactFrom, Cause, DatabricksRelease, GitSource, OnFailure, ReleasePipeline, ReleaseReason, ReleaseResult,
    Source, StageStatus, StoredArtifact,
};
use kube::ResourceExt;

use super::lineage::{Releases, created, git, has_deployed, requesters, result};
use crate::creation::{Draft, Occasion, Root, remembered, stages};

/// The longest text of a cause, as in the schema.
const MESSAGE: usize = 1024;

/// The rollbacks that are owed, each with the release it follows from.
pub(super) fn rollbacks<'a>(
    pipeline: &ReleasePipeline,
    releases: Releases<'a>,
    known: &[StageStatus],
) -> Vec<(Draft, &'a DatabricksRelease)> {
    known.iter().filter_map(|known| rollback(pipeline, releases, known)).collect()
}

fn rollback<'a>(
    pipeline: &ReleasePipeline,
    releases: Releases<'a>,
    known: &StageStatus,
) -> Option<(Draft, &'a DatabricksRelease)> {
    let (deployed, good) = (known.deployed.as_ref()?, known.last_good.as_ref()?);
    let failed = releases.get(&deployed.release).filter(|release| is_to_roll_back(release))?;
    let done =
        |release: &DatabricksRelease| release.spec.reason == ReleaseReason::Rollback && follows_from(release, failed);
    if good.artifact == deployed.artifact || releases.iter().any(done) {
        return None;
    }
    let occasion = Occasion {
        source: Source { artifact_from: vec![from(good)], ..Source::default() },
        origin: origin(pipeline, releases, good),
        reason: ReleaseReason::Rollback,
        cause: Some(Cause { release: failed.name_any(), uid: failed.uid(), message: why(failed) }),
        requested_for: failed.spec.requested_for.clone(),
        requesters: requesters(releases, failed),
        trigger: format!("rollback of {} {}", failed.name_any(), failed.uid().unwrap_or_default()),
        root: root(releases, good),
        pull_request: None,
        told: None,
    };
    Some((Draft { stage: stages::stage(pipeline, &known.name).cloned(), occasion }, failed))
}

/// Whether `failed` is the cause of `release`, and not another one that had its name before. A cause without a uid, as
/// people write it, speaks of whoever had the name then.
fn follows_from(release: &DatabricksRelease, failed: &DatabricksRelease) -> bool {
    let Some(cause) = release.spec.cause.as_ref().filter(|cause| cause.release == failed.name_any()) else {
        return false;
    };
    match &cause.uid {
        Some(uid) => failed.uid().as_ref() == Some(uid),
        None => created(release) >= created(failed),
    }
}

/// A release by hand is rolled back as well if it asks for it; a rollback never asks.
fn is_to_roll_back(release: &DatabricksRelease) -> bool {
    release.spec.on_failure == OnFailure::Rollback
        && release.spec.reason != ReleaseReason::Rollback
        && matches!(result(release), ReleaseResult::Failed | ReleaseResult::TimedOut)
        && has_deployed(release)
}

fn from(good: &StoredArtifact) -> ArtifactFrom {
    ArtifactFrom { release: good.release.clone(), digest: good.artifact.clone() }
}

fn root(releases: Releases, good: &StoredArtifact) -> Option<Root> {
    let found = releases.get(&good.release).map(|release| releases.root(release).root);
    let created = good.created.as_ref().map(|time| time.0);
    found.or_else(|| Some(Root { name: good.release.clone(), created: created? }))
}

/// Where the artifact came from, even if its release was deleted.
fn origin(pipeline: &ReleasePipeline, releases: Releases, good: &StoredArtifact) -> Option<GitSource> {
    let found = releases.get(&good.release).and_then(git).cloned();
    found.or_else(|| remembered(pipeline, good))
}

/// What went wrong: `Test failed: InnerTestsFailed: notebooks/a.py: test_x: ...`.
fn why(release: &DatabricksRelease) -> String {
    let phases = release.status.as_ref().map(|status| status.phases.as_slice()).unwrap_or_default();
    let wrong = phases.iter().find(|phase| phase.state.is_terminal() && !phase.state.lets_pass());
    let Some(phase) = wrong else { return format!("ended {}", result(release)) };
    let how = if result(release) == ReleaseResult::TimedOut { "timed out" } else { "failed" };
    let reason = phase.reason.map(|reason| format!("{reason}: ")).unwrap_or_default();
    truncate(&format!("{} {how}: {reason}{}", phase.name, phase.message), MESSAGE)
}
