//! Which artifacts go on to which stage. Pure.
//!
//! A run is what one release built and everything that followed from it. An artifact goes on to a stage when the newest
//! releases of its run in all stages before have ended and the condition holds. Of several such artifacts only the newest
//! goes on: it would supersede the others at once. "Newer" is decided by the releases that built them.
//!
//! What a stage was given last stands in the pipeline's status as `promoted`, and older artifacts never follow. The mark
//! begins with the time when the stage was first seen: neither a restart nor an edited pipeline promotes history.

use std::collections::BTreeMap;

use brickline_crds::{
    ArtifactFrom, Cause, DatabricksRelease, PipelineStage, ReleasePipeline, ReleaseReason, Source, StageStatus,
    StoredArtifact, labels,
};
use kube::ResourceExt;

use super::lineage::{Lineage, Releases, branch, digest, git, is_finished, is_good, result};
use super::trust::counts;
use crate::condition::{self, ReleaseView, StageView};
use crate::creation::{Draft, Occasion, stages};

/// An artifact that goes on, and the mark to set when its release exists.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Promotion {
    pub(super) draft: Draft,
    pub(super) promoted: StoredArtifact,
}

/// What goes on to each stage; a sentence for each stage whose condition could not be answered.
pub(super) fn promotions(
    pipeline: &ReleasePipeline,
    releases: Releases,
    known: &[StageStatus],
) -> (Vec<Promotion>, Vec<String>) {
    let begin = stages::entry(pipeline).map(|stage| &stage.name);
    let (mut promotions, mut troubles) = (Vec::new(), Vec::new());
    for stage in pipeline.spec.stages.iter().filter(|stage| begin != Some(&stage.name)) {
        let mark = known.iter().find(|known| known.name == stage.name).and_then(|known| known.promoted.as_ref());
        let Some(mark) = mark.map(|mark| releases.age_of(mark)) else { continue };
        let age = |run: &Run| releases.age_of(&run.lineage.stored(""));
        let mut candidates: Vec<Run> = runs(pipeline, releases).into_values().filter(|run| age(run) > mark).collect();
        candidates.sort_by_key(|run| std::cmp::Reverse(age(run)));
        for run in candidates {
            match run.to(stage) {
                Ok(None) => {}
                Ok(Some(promotion)) => {
                    promotions.push(promotion);
                    break;
                }
                Err(why) => {
                    troubles.push(format!("stage {}: {why}", stage.name));
                    break;
                }
            }
        }
    }
    (promotions, troubles)
}

/// What one release built, and the newest release of it in each stage; in "" what was only built.
struct Run<'a> {
    lineage: Lineage<'a>,
    newest: BTreeMap<&'a str, &'a DatabricksRelease>,
}

fn runs<'a>(pipeline: &ReleasePipeline, releases: Releases<'a>) -> BTreeMap<String, Run<'a>> {
    let mut runs: BTreeMap<String, Run> = BTreeMap::new();
    for release in releases.iter().filter(|release| counts(pipeline, releases, release)) {
        let lineage = releases.root(release);
        let run = runs.entry(lineage.root.name.clone()).or_insert_with(|| Run { lineage, newest: BTreeMap::new() });
        let stage = release.spec.stage.as_deref().unwrap_or_default();
        let newest = run.newest.entry(stage).or_insert(release);
        if releases.age(release) > releases.age(newest) {
            *newest = release;
        }
    }
    runs
}

impl Run<'_> {
    /// The release to `stage`; none if it is not its turn, or the condition doesn't hold.
    fn to(&self, stage: &PipelineStage) -> Result<Option<Promotion>, String> {
        let before = before(stage);
        let found: Vec<&DatabricksRelease> =
            before.iter().filter_map(|name| self.newest.get(name).copied()).filter(|one| is_finished(one)).collect();
        let [first, ..] = found.as_slice() else { return Ok(None) };
        let Some(artifact) = digest(first) else { return Ok(None) };
        if found.len() < before.len() || found.iter().any(|one| digest(one) != Some(artifact)) {
            return Ok(None);
        }
        let lets = match &stage.condition {
            None => found.iter().all(|release| is_good(release)),
            Some(condition) => condition::holds(condition, &views(&before, &found), &release_view(first))?,
        };
        Ok(lets.then(|| self.promotion(stage, &found, artifact)).flatten())
    }

    fn promotion(&self, stage: &PipelineStage, found: &[&DatabricksRelease], artifact: &str) -> Option<Promotion> {
        let first = found.first()?;
        let requesters = found.iter().map(|release| release.requesters());
        let requesters = requesters.chain([self.lineage.release.requesters()]).flatten().collect();
        let root = &self.lineage.root;
        let origin = git(first).or_else(|| git(self.lineage.release)).cloned();
        let place = first.spec.stage.as_deref().unwrap_or("the build");
        let occasion = Occasion {
            source: Source { artifact_from: vec![from(first, artifact)], ..Source::default() },
            origin,
            reason: ReleaseReason::Promotion,
            cause: Some(Cause {
                release: first.name_any(),
                uid: first.uid(),
                message: format!("{place} ended {}", result(first)),
            }),
            requested_for: self.lineage.release.spec.requested_for.clone(),
            requesters,
            trigger: format!("{artifact} of {}", root.name),
            root: Some(root.clone()),
            pull_request: None,
            told: None,
        };
        let draft = Draft { stage: Some(stage.clone()), occasion };
        Some(Promotion { draft, promoted: self.lineage.stored(artifact) })
    }
}

/// The stages before this one; without any, what is only built.
fn before(stage: &PipelineStage) -> Vec<&str> {
    match stage.depends_on.as_slice() {
        [] => vec![""],
        names => names.iter().map(String::as_str).collect(),
    }
}

/// The artifact as the release itself has it: by its own name if it says what it has, else by the name it got it from.
fn from(release: &DatabricksRelease, digest: &str) -> ArtifactFrom {
    let says = release.status.as_ref().is_some_and(|status| status.artifact.is_some());
    match release.spec.source.artifact_from.as_slice() {
        [from] if !says => from.clone(),
        _ => ArtifactFrom { release: release.name_any(), digest: digest.to_owned() },
    }
}

fn views(before: &[&str], found: &[&DatabricksRelease]) -> BTreeMap<String, StageView> {
    let named = before.iter().zip(found).filter(|(name, _)| !name.is_empty());
    named.map(|(name, release)| ((*name).to_owned(), stage_view(release))).collect()
}

fn stage_view(release: &DatabricksRelease) -> StageView {
    StageView {
        result: result(release).to_string(),
        commit: git(release).map(|git| git.commit.clone()).unwrap_or_default(),
        artifact: digest(release).unwrap_or_default().to_owned(),
        reason: release.spec.reason.to_string(),
    }
}

/// What a condition sees of the release that would go on.
pub(super) fn release_view(release: &DatabricksRelease) -> ReleaseView {
    ReleaseView {
        branch: branch(release).to_owned(),
        commit: git(release).map(|git| git.commit.clone()).unwrap_or_default(),
        reason: release.spec.reason.to_string(),
    }
}

/// The newest release, for people: `promotion dbxdemo-4f2c91d0a7be to production`.
pub(super) fn last(releases: Releases) -> Option<String> {
    let newest = releases.iter().max_by_key(|release| releases.age(release))?;
    let stage = newest.spec.stage.as_ref().map(|stage| format!(" to {stage}")).unwrap_or_default();
    let reason = newest.labels().get(labels::REASON).cloned().unwrap_or_else(|| newest.spec.reason.to_string());
    Some(format!("{reason} {}{stage}", newest.name_any()))
}
