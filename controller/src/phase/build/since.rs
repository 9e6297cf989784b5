//! Which commits a build is compared with: what its stage had before. Pure.

use brickline_artifact::plan::is_commit;
use brickline_crds::{DatabricksRelease, ReleasePipeline, ReleaseReason, StageStatus, StoredArtifact};

use crate::creation::stages::roots;

/// Commits that a build is compared with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Since {
    /// The last one released well: changes are marked against it.
    pub(super) base: Option<String>,
    /// The one the stage has now: what is behind it must not be released over it. None for releases that a person
    /// asked for: they may go back.
    pub(super) deployed: Option<String>,
}

/// What the release's stage had. What is only built goes on to every stage that begins, so it is compared with the one
/// that is furthest behind: too much is marked as changed rather than too little.
pub(super) fn since(release: &DatabricksRelease, pipeline: &ReleasePipeline) -> Since {
    let Some(status) = &pipeline.status else { return Since::default() };
    let known = |name: &str| status.stages.iter().find(|stage| stage.name == name);
    let Some(name) = &release.spec.stage else {
        let good: Option<Vec<&StoredArtifact>> =
            roots(pipeline).map(|stage| known(&stage.name)?.last_good.as_ref()).collect();
        let oldest =
            good.unwrap_or_default().into_iter().min_by_key(|stored| stored.created.as_ref().map(|time| time.0));
        return Since { base: oldest.and_then(commit), deployed: None };
    };
    let known: Option<&StageStatus> = known(name);
    let follows_the_branch = matches!(release.spec.reason, ReleaseReason::Push | ReleaseReason::Schedule);
    Since {
        base: known.and_then(|stage| commit(stage.last_good.as_ref()?)),
        deployed: known.and_then(|stage| commit(stage.deployed.as_ref()?)).filter(|_| follows_the_branch),
    }
}

fn commit(stored: &StoredArtifact) -> Option<String> {
    is_commit(&stored.commit).then(|| stored.commit.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::creation::{Draft, Occasion};
    use crate::receiver::samples;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    fn stored(letter: char, second: i64) -> StoredArtifact {
        let created = jiff::Timestamp::from_second(second).map(Time).ok();
        StoredArtifact { commit: letter.to_string().repeat(40), created, ..StoredArtifact::default() }
    }

    /// Stages `staging` and, if told, `second`; each with what was good and what is deployed.
    fn pipeline(stages: &[(&str, Option<StoredArtifact>, Option<StoredArtifact>)]) -> ReleasePipeline {
        let mut pipeline = samples::pipeline();
        let template = pipeline.spec.stages[0].clone();
        pipeline.spec.stages.clear();
        for (name, last_good, deployed) in stages {
            pipeline.spec.stages.push(brickline_crds::PipelineStage { name: (*name).to_owned(), ..template.clone() });
            pipeline.status.get_or_insert_default().stages.push(StageStatus {
                name: (*name).to_owned(),
                deployed: deployed.clone(),
                last_good: last_good.clone(),
                promoted: None,
            });
        }
        pipeline
    }

    fn release(pipeline: &ReleasePipeline, reason: ReleaseReason) -> DatabricksRelease {
        let occasion = Occasion { reason, ..Occasion::push(pipeline, &samples::push()) };
        Draft::building(pipeline, occasion).release(pipeline, 12).unwrap()
    }

    #[test]
    fn changes_count_from_the_last_good_one_and_order_from_the_last() {
        let pipeline = pipeline(&[("staging", Some(stored('a', 1)), Some(stored('b', 2)))]);
        let pushed = since(&release(&pipeline, ReleaseReason::Push), &pipeline);
        assert_eq!(pushed, Since { base: Some("a".repeat(40)), deployed: Some("b".repeat(40)) });
        let by_hand = since(&release(&pipeline, ReleaseReason::Manual), &pipeline);
        assert_eq!(by_hand, Since { base: Some("a".repeat(40)), deployed: None });
    }

    #[test]
    fn what_is_only_built_is_compared_with_the_stage_that_is_furthest_behind() {
        let both = pipeline(&[("eu", Some(stored('a', 5)), None), ("us", Some(stored('b', 2)), None)]);
        assert_eq!(since(&release(&both, ReleaseReason::Push), &both).base, Some("b".repeat(40)));
        let one = pipeline(&[("eu", Some(stored('a', 5)), None), ("us", None, None)]);
        assert_eq!(since(&release(&one, ReleaseReason::Push), &one), Since::default());
    }

    #[test]
    fn what_is_no_commit_is_none() {
        let pipeline = pipeline(&[("staging", Some(StoredArtifact::default()), None)]);
        assert_eq!(since(&release(&pipeline, ReleaseReason::Push), &pipeline), Since::default());
    }
}
