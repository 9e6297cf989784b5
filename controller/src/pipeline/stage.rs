//! What each stage has: derived from the releases, never moving back. Pure.
//!
//! A stage of the status says what its workspace holds: only releases to the stage's own workspace count, because they
//! passed what protects it. The newest release wins, by its creation; what the status knows stays when its release is
//! deleted.

use brickline_crds::{DatabricksRelease, PipelineStage, ReleasePipeline, StageStatus, StoredArtifact};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use super::lineage::{Releases, digest, has_deployed, is_good, stored};
use crate::creation::stages::entry;

/// The status of every stage, as the releases tell it.
pub(super) fn stages(pipeline: &ReleasePipeline, releases: Releases, now: Timestamp) -> Vec<StageStatus> {
    let begin = entry(pipeline).map(|stage| &stage.name);
    let since = first_seen(pipeline, now);
    let of_stage = |stage: &PipelineStage| {
        let known = known(pipeline, &stage.name);
        let before = known.deployed.clone();
        // One that began after Deploy says something of the stage only if what it tested was there.
        let has = |release: &DatabricksRelease| {
            let older = |stored: &StoredArtifact| releases.age_of(stored) < releases.age(release);
            let there = deployed(stage, releases).chain(before.clone()).filter(older);
            let there = there.max_by_key(|stored| releases.age_of(stored));
            there.is_some_and(|there| digest(release) == Some(there.artifact.as_str()))
        };
        let promoted = known.promoted.clone().or_else(|| Some(nothing_yet(since)));
        StageStatus {
            name: stage.name.clone(),
            deployed: newest(stage, releases, known.deployed, has_deployed),
            last_good: newest(stage, releases, known.last_good, |release| {
                is_good(release) && (has_deployed(release) || has(release))
            }),
            promoted: promoted.filter(|_| begin != Some(&stage.name)),
        }
    };
    pipeline.spec.stages.iter().map(of_stage).collect()
}

/// From when on something counts that was first seen now: for a new pipeline from its creation, else from now. What was
/// released before somebody edited the pipeline is history.
pub(super) fn first_seen(pipeline: &ReleasePipeline, now: Timestamp) -> Timestamp {
    let is_new = pipeline.status.as_ref().is_none_or(|status| status.observed_generation < 0);
    pipeline.creation_timestamp().filter(|_| is_new).map_or(now, |created| created.0)
}

/// A mark that only says since when.
pub(super) fn nothing_yet(since: Timestamp) -> StoredArtifact {
    StoredArtifact { created: Some(Time(since)), ..StoredArtifact::default() }
}

fn known(pipeline: &ReleasePipeline, stage: &str) -> StageStatus {
    let stages = pipeline.status.as_ref().map(|status| status.stages.as_slice()).unwrap_or_default();
    stages.iter().find(|known| known.name == stage).cloned().unwrap_or_default()
}

fn here<'a>(stage: &PipelineStage, releases: Releases<'a>) -> impl Iterator<Item = &'a DatabricksRelease> {
    releases.iter().filter(|release| {
        release.spec.stage.as_ref() == Some(&stage.name)
            && release.spec.workspace_ref.as_ref() == Some(&stage.workspace_ref)
    })
}

fn deployed(stage: &PipelineStage, releases: Releases) -> impl Iterator<Item = StoredArtifact> {
    here(stage, releases).filter(|release| has_deployed(release)).filter_map(stored)
}

fn newest(
    stage: &PipelineStage,
    releases: Releases,
    known: Option<StoredArtifact>,
    wanted: impl Fn(&DatabricksRelease) -> bool,
) -> Option<StoredArtifact> {
    let found = here(stage, releases).filter(|release| wanted(release)).filter_map(stored);
    found.chain(known).max_by_key(|stored| releases.age_of(stored))
}
