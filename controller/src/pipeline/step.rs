//! What a look at the releases leads to: one value, and the marks to set when it was done. Pure.

use brickline_crds::{DatabricksRelease, ObservedArtifact, ReleasePipeline, ReleasePipelineStatus, StoredArtifact};
use jiff::Timestamp;

use super::completion::{self, Completion};
use super::lineage::Releases;
use super::retention::{self, Expiry};
use super::{promotion, rollback, stage};
use crate::creation::Draft;

/// What a release to be follows from.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Follows {
    /// A failed release, which is rolled back.
    Failure(Box<DatabricksRelease>),
    /// An artifact that goes on: the stage's mark.
    Promotion(String, StoredArtifact),
    /// Another pipeline's release: this pipeline's mark, when all of its releases exist.
    Completion,
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

/// Brings the stages of `status` up to date, and says what follows. While the pipeline may not `start` anything (it is
/// suspended, or not valid), rollbacks and retention go on.
pub(super) fn steps(
    pipeline: &ReleasePipeline,
    releases: Releases,
    sources: &[Source],
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
    let polled: Vec<&str> = status.observed_commits.iter().map(|observed| observed.reference.as_str()).collect();
    steps.expiry = retention::expired(releases, &pipeline.spec.retention, &status.stages, &polled, now);
    steps
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
