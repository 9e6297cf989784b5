//! What a look at the releases leads to: one value, and the marks to set when it was done. Pure.

use brickline_crds::{
    DatabricksRelease, ObservedArtifact, ReleasePipeline, ReleasePipelineStatus, ReleaseReason, StoredArtifact,
};
use jiff::Timestamp;

use super::completion::{self, Completion};
use super::lineage::Releases;
use super::retention::{self, Expiry};
use super::timetable::Due;
use super::{poll, promotion, rollback, stage};
use crate::creation::{Draft, Occasion};
use crate::forge::event::Push;
use crate::forge::refs::Refs;

/// What a release to be follows from.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Follows {
    /// A failed release, which is rolled back.
    Failure(Box<DatabricksRelease>),
    /// An artifact that goes on: the stage's mark.
    Promotion(String, StoredArtifact),
    /// Another pipeline's release: this pipeline's mark, when all of its releases exist.
    Completion,
    /// A branch that moved: the pipeline knows its commit, when all of its releases exist.
    Move,
    /// A schedule that came due.
    Schedule,
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Steps {
    pub(super) drafts: Vec<(Draft, Follows)>,
    /// The marks to set when every draft is a release.
    pub(super) observed: Vec<ObservedArtifact>,
    pub(super) expiry: Expiry,
    /// What could not be answered, in sentences for the user.
    pub(super) troubles: Vec<String>,
}

/// Another pipeline that this one follows, with its releases.
pub(super) struct Source<'a> {
    pub(super) name: &'a str,
    pub(super) other: Option<completion::Other<'a>>,
}

/// What the repository was asked for, and its answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) tips: &'a Refs,
    /// Whether branches that moved are to be released.
    pub(super) polls: bool,
    pub(super) due: &'a [Due],
}

/// Brings the stages of `status` up to date, and says what follows. While the pipeline may not `start` anything (it is
/// suspended, or not valid), rollbacks and retention go on.
pub(super) fn steps(
    pipeline: &ReleasePipeline,
    releases: Releases,
    sources: &[Source],
    asked: Option<Asked>,
    status: &mut ReleasePipelineStatus,
    start: bool,
    now: Timestamp,
) -> Steps {
    status.stages = stage::stages(pipeline, releases, now);
    status.last = promotion::last(releases).unwrap_or_else(|| status.last.clone());
    let mut steps = Steps::default();
    for (draft, failed) in rollback::rollbacks(pipeline, releases, &status.stages) {
        steps.drafts.push((draft, Follows::Failure(Box::new(failed.clone()))));
    }
    steps.observed.clone_from(&status.observed_artifacts);
    if start {
        let (promotions, troubles) = promotion::promotions(pipeline, releases, &status.stages);
        steps.troubles = troubles;
        for promotion in promotions {
            let name = promotion.draft.stage.as_ref().map(|stage| stage.name.clone()).unwrap_or_default();
            steps.drafts.push((promotion.draft, Follows::Promotion(name, promotion.promoted)));
        }
        complete(pipeline, sources, &mut steps, now);
    }
    if let Some(asked) = asked {
        follow_branches(pipeline, releases, asked, &mut steps);
    }
    let polled: Vec<&str> = status.observed_commits.iter().map(|observed| observed.reference.as_str()).collect();
    steps.expiry = retention::expired(releases, &pipeline.spec.retention, &status.stages, &polled, now);
    steps
}

/// What starts because branches moved, or their time has come.
fn follow_branches(pipeline: &ReleasePipeline, releases: Releases, asked: Asked, steps: &mut Steps) {
    let Asked { tips, polls, due } = asked;
    let mut add = |occasion: Occasion, follows: Follows| {
        steps.drafts.push((Draft::building(pipeline, occasion), follows));
    };
    if polls {
        let observed = poll::observed(pipeline, tips);
        for occasion in poll::moves(pipeline, releases, &observed) {
            add(occasion, Follows::Move);
        }
    }
    for due in due {
        let reference = due.reference();
        let Some(commit) = tips.get(&reference) else { continue };
        let push = Push { repository_urls: Vec::new(), reference, commit: commit.clone(), before: None, pusher: None };
        let (reason, trigger) = (ReleaseReason::Schedule, format!("schedule {}", due.at));
        add(Occasion { reason, trigger, ..Occasion::push(pipeline, &push) }, Follows::Schedule);
    }
}

/// What starts because other pipelines' releases ended well.
fn complete(pipeline: &ReleasePipeline, sources: &[Source], steps: &mut Steps, now: Timestamp) {
    let known = std::mem::take(&mut steps.observed);
    for trigger in &pipeline.spec.trigger.artifacts {
        let other = sources.iter().find(|source| source.name == trigger.pipeline).and_then(|source| source.other);
        match completion::completion(pipeline, trigger, other, now) {
            Ok(Completion { drafts, observed }) => {
                steps.drafts.extend(drafts.into_iter().map(|draft| (draft, Follows::Completion)));
                steps.observed.push(observed);
            }
            Err(why) => {
                steps.troubles.push(why);
                steps.observed.extend(known.iter().find(|known| known.pipeline == trigger.pipeline).cloned());
            }
        }
    }
}
