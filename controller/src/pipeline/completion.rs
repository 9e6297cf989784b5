//! What starts here because another pipeline's release ended well. Pure.
//!
//! What counts is a release of the other pipeline that built something, ended well and is of one of the wanted branches.
//! Only the newest starts something here. The mark in the status begins with the time when the other pipeline was first
//! named: what it built before is history.

use std::collections::BTreeMap;

use brickline_crds::{
    ArtifactFrom, ArtifactTrigger, Cause, DatabricksRelease, ObservedArtifact, PipelineStage, ReleasePipeline,
    ReleaseReason, Source,
};
use jiff::Timestamp;
use kube::ResourceExt;

use super::lineage::{Releases, digest, git, is_good, requesters, result};
use super::promotion::release_view;
use super::stage::{first_seen, nothing_yet};
use super::trust::{counts, is_branch_wanted};
use crate::condition::{self, StageView};
use crate::creation::{Draft, Occasion, stages};

/// What starts here, and the mark to set when the releases exist.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Completion {
    pub(super) drafts: Vec<Draft>,
    pub(super) observed: ObservedArtifact,
}

/// Another pipeline with its releases.
#[derive(Clone, Copy)]
pub(super) struct Other<'a> {
    pub(super) pipeline: &'a ReleasePipeline,
    pub(super) releases: Releases<'a>,
}

/// What follows from the releases of `other`.
///
/// # Errors
/// A sentence for the user: a condition that can't be answered.
pub(super) fn completion(
    pipeline: &ReleasePipeline,
    trigger: &ArtifactTrigger,
    other: Option<Other>,
    now: Timestamp,
) -> Result<Completion, String> {
    let observed = observed(pipeline, &trigger.pipeline, now);
    let Some(other) = other else { return Ok(Completion { drafts: Vec::new(), observed }) };
    let mark = other.releases.age_of(&observed.newest);
    let wanted = |release: &&DatabricksRelease| {
        is_good(release)
            && counts(other.pipeline, other.releases, release)
            && release.spec.source.git.as_ref().is_some_and(|git| is_branch_wanted(&trigger.branches, &git.reference))
            && other.releases.age(release) > mark
    };
    let newest = other.releases.iter().filter(wanted).max_by_key(|release| other.releases.age(release));
    let Some((release, digest)) = newest.and_then(|release| Some((release, digest(release)?))) else {
        return Ok(Completion { drafts: Vec::new(), observed });
    };
    let mut drafts = Vec::new();
    for stage in stages::roots(pipeline) {
        if lets(stage, release)? {
            drafts.push(draft(stage, trigger, other, release, digest));
        }
    }
    let newest = other.releases.root(release).stored(digest);
    Ok(Completion { drafts, observed: ObservedArtifact { newest, ..observed } })
}

fn observed(pipeline: &ReleasePipeline, other: &str, now: Timestamp) -> ObservedArtifact {
    let known = pipeline.status.as_ref().map(|status| status.observed_artifacts.as_slice()).unwrap_or_default();
    let first = || ObservedArtifact { pipeline: other.to_owned(), newest: nothing_yet(first_seen(pipeline, now)) };
    known.iter().find(|known| known.pipeline == other).cloned().unwrap_or_else(first)
}

fn lets(stage: &PipelineStage, release: &DatabricksRelease) -> Result<bool, String> {
    let Some(condition) = &stage.condition else { return Ok(true) };
    condition::holds::<StageView>(condition, &BTreeMap::new(), &release_view(release))
        .map_err(|why| format!("stage {}: {why}", stage.name))
}

fn draft(
    stage: &PipelineStage,
    trigger: &ArtifactTrigger,
    other: Other,
    release: &DatabricksRelease,
    digest: &str,
) -> Draft {
    let name = release.name_any();
    let from = ArtifactFrom { release: name.clone(), digest: digest.to_owned() };
    let message = format!("pipeline {} ended {}", trigger.pipeline, result(release));
    let occasion = Occasion {
        source: Source { artifact_from: vec![from], ..Source::default() },
        origin: git(release).cloned(),
        reason: ReleaseReason::BuildCompletion,
        cause: Some(Cause { release: name.clone(), uid: release.uid(), message }),
        requested_for: release.spec.requested_for.clone(),
        requesters: requesters(other.releases, release),
        trigger: format!("{digest} of {name}"),
        root: Some(other.releases.root(release).root),
        pull_request: None,
        told: None,
    };
    Draft { stage: Some(stage.clone()), occasion }
}
