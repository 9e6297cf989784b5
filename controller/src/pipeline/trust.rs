//! Which releases count: what follows from a release must not follow from one that only looks like it. Pure.
//!
//! The controller's own releases count. One that a person made (`manual`, `retry`) counts if it did what the pipeline as
//! it stands now would have done: the same build, items, libraries, tests, jobs and parameters to the stage's own workspace,
//! with the stage's approvals, of a branch of the pipeline or an artifact that it built. Otherwise a release without tests could carry an artifact past
//! the stage that should have tested it. A rollback never counts: what was promoted once is not promoted again. Neither does
//! a release of a pull request, nor what people make of its artifact: nobody has merged it.

use std::collections::BTreeSet;

use brickline_crds::{DatabricksRelease, DatabricksReleaseSpec, Phase, ReleasePipeline, ReleaseReason, labels};

use super::lineage::{Releases, digest};
use crate::creation::{Draft, Occasion, canonical, stages};
use crate::forge::branch::is_wanted;

/// Whether something may follow from the release.
pub(super) fn counts(pipeline: &ReleasePipeline, releases: Releases, release: &DatabricksRelease) -> bool {
    match release.spec.reason {
        ReleaseReason::Push | ReleaseReason::Schedule | ReleaseReason::BuildCompletion | ReleaseReason::Promotion => {
            true
        }
        // What nobody has merged goes nowhere.
        ReleaseReason::Rollback | ReleaseReason::PullRequest => false,
        ReleaseReason::Manual | ReleaseReason::Retry => is_faithful(pipeline, releases, release),
    }
}

fn is_faithful(pipeline: &ReleasePipeline, releases: Releases, release: &DatabricksRelease) -> bool {
    let spec = &release.spec;
    let stage = spec.stage.as_deref().map(|name| stages::stage(pipeline, name));
    if stage == Some(None) || !matches!(spec.start_at, None | Some(Phase::Deploy)) {
        return false;
    }
    let occasion = Occasion {
        source: spec.source.clone(),
        origin: None,
        reason: spec.reason,
        cause: None,
        requested_for: None,
        requesters: BTreeSet::new(),
        trigger: String::new(),
        root: None,
        pull_request: None,
        told: None,
    };
    let Ok(wanted) = (Draft { stage: stage.flatten().cloned(), occasion }).spec(pipeline) else { return false };
    does_the_same(spec, &wanted) && is_ours(pipeline, releases, spec)
}

fn does_the_same(spec: &DatabricksReleaseSpec, wanted: &DatabricksReleaseSpec) -> bool {
    spec.workspace_ref == wanted.workspace_ref
        && spec.parameters == wanted.parameters
        && (spec.source.git.is_none() || spec.build == wanted.build)
        && spec.deploy == wanted.deploy
        && spec.install == wanted.install
        && spec.test == wanted.test
        && spec.operate == wanted.operate
        && approvals(spec) >= approvals(wanted)
}

/// How many people the stage wants to approve, beside those that the workspace asks for.
fn approvals(spec: &DatabricksReleaseSpec) -> u32 {
    spec.approvals.as_ref().map_or(0, |approvals| approvals.required)
}

/// Whether it builds a branch of the pipeline, or releases what the pipeline built.
fn is_ours(pipeline: &ReleasePipeline, releases: Releases, spec: &DatabricksReleaseSpec) -> bool {
    if let Some(git) = &spec.source.git {
        let branch = git.reference.strip_prefix("refs/heads/");
        return canonical(&git.url).eq_ignore_ascii_case(&canonical(&pipeline.spec.repository.url))
            && branch.is_some_and(|branch| is_wanted(&pipeline.spec.trigger.branches, branch));
    }
    let automatic =
        |reason| !matches!(reason, ReleaseReason::Manual | ReleaseReason::Retry | ReleaseReason::PullRequest);
    spec.source.artifact_from.iter().all(|from| {
        let built = |other: &DatabricksRelease| automatic(other.spec.reason) && digest(other) == Some(&from.digest);
        releases.iter().any(built)
    }) && !spec.source.artifact_from.is_empty()
}

/// The branch of a release as patterns see it.
pub(super) fn is_branch_wanted(patterns: &[String], reference: &str) -> bool {
    patterns.is_empty() || is_wanted(patterns, labels::branch_of(reference))
}
