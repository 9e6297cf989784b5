//! What a stage has.

use brickline_crds::{DatabricksRelease, LocalRef, Phase, PhaseStatus, ReleasePipeline, ReleaseResult, StageStatus};
use kube::ResourceExt;
use proptest::prelude::*;
use rstest::rstest;

use super::super::stage::stages;
use super::{at, built, ended, failed, good, promoted, two_stages, with};

/// The pipeline after one look.
fn looked(mut pipeline: ReleasePipeline, all: &[DatabricksRelease]) -> ReleasePipeline {
    let stages = with(all, |releases| stages(&pipeline, releases, at(1000)));
    let status = pipeline.status.get_or_insert_default();
    (status.stages, status.observed_generation) = (stages, 1);
    pipeline
}

fn names(pipeline: &ReleasePipeline, stage: &str) -> (Option<String>, Option<String>) {
    let stage: StageStatus = pipeline.status.clone().unwrap().stages.into_iter().find(|s| s.name == stage).unwrap();
    (stage.deployed.map(|stored| stored.release), stage.last_good.map(|stored| stored.release))
}

#[test]
fn a_failed_release_is_deployed_but_not_good() {
    let pipeline = two_stages();
    let all = [good(built(&pipeline, "a", 1, 'a')), failed(built(&pipeline, "b", 2, 'b'))];
    let pipeline = looked(pipeline, &all);
    assert_eq!(names(&pipeline, "staging"), (Some("b".into()), Some("a".into())));
    assert_eq!(names(&pipeline, "production"), (None, None));
    let deployed = pipeline.status.unwrap().stages[0].deployed.clone().unwrap();
    assert_eq!((deployed.artifact, deployed.commit), (super::digest('b'), "b".repeat(40)));
    assert_eq!((deployed.run.as_str(), deployed.created.unwrap().0), ("20261121.2", at(2)));
}

#[test]
fn what_did_not_deploy_or_elsewhere_changes_nothing() {
    let pipeline = two_stages();
    let mut skipped = ended(built(&pipeline, "b", 2, 'b'), ReleaseResult::Skipped);
    skipped.status.as_mut().unwrap().phases.clear();
    // Somebody's own release that says it is of this stage.
    let mut elsewhere = good(built(&pipeline, "c", 3, 'c'));
    elsewhere.spec.workspace_ref = Some(LocalRef::new("sandbox"));
    let pipeline = looked(pipeline.clone(), &[good(built(&pipeline, "a", 1, 'a')), skipped, elsewhere]);
    assert_eq!(names(&pipeline, "staging"), (Some("a".into()), Some("a".into())));
}

/// Somebody ran the tests alone, of an artifact that is in the stage or of one that never was.
#[rstest]
#[case::of_what_is_there('b', "c")]
#[case::of_what_was_there('a', "a")]
#[case::of_what_never_was('x', "a")]
fn only_what_the_stage_had_was_good_there(#[case] letter: char, #[case] last_good: &str) {
    let pipeline = two_stages();
    let mut tested = good(built(&pipeline, "c", 3, letter));
    tested.spec.start_at = Some(Phase::Test);
    tested.status.as_mut().unwrap().phases[0] = PhaseStatus::pending(Phase::Deploy);
    let all = [good(built(&pipeline, "a", 1, 'a')), failed(built(&pipeline, "b", 2, 'b')), tested];
    let pipeline = looked(pipeline, &all);
    assert_eq!(names(&pipeline, "staging"), (Some("b".into()), Some(last_good.into())));
}

#[test]
fn a_release_under_way_is_what_the_stage_has_once_deploy_began() {
    let pipeline = two_stages();
    let mut under_way = good(built(&pipeline, "b", 2, 'b'));
    let status = under_way.status.as_mut().unwrap();
    (status.state, status.result) = Default::default();
    let pipeline = looked(pipeline.clone(), &[good(built(&pipeline, "a", 1, 'a')), under_way]);
    assert_eq!(names(&pipeline, "staging"), (Some("b".into()), Some("a".into())));
}

#[test]
fn a_stage_that_is_promoted_to_knows_since_when() {
    let mark = |pipeline: &ReleasePipeline, stage: usize| {
        let stages = with(&[], |releases| stages(pipeline, releases, at(1000)));
        stages[stage].promoted.clone().map(|mark| mark.created.unwrap().0)
    };
    let mut pipeline = two_stages();
    assert_eq!(mark(&pipeline, 0), None, "merges begin there");
    assert_eq!(mark(&pipeline, 1), Some(at(0)), "a new pipeline: since its creation");
    pipeline.status.get_or_insert_default().observed_generation = 3;
    assert_eq!(mark(&pipeline, 1), Some(at(1000)), "a stage that was added: since now");
}

proptest! {
    #[test]
    fn no_stage_moves_back_whatever_is_deleted_or_listed_in_which_order(
        results in proptest::collection::vec((any::<bool>(), any::<bool>(), 0i64..50), 1..12),
        kept in proptest::collection::vec(any::<bool>(), 12),
        seed in any::<usize>(),
    ) {
        let empty = two_stages();
        let all: Vec<DatabricksRelease> = results.iter().enumerate().map(|(number, (well, stage, minute))| {
            let root = built(&empty, &format!("r{number}"), *minute, 'a');
            let release = if *stage { promoted(&empty, &format!("p{number}"), *minute, &root, "production") } else { root };
            if *well { good(release) } else { failed(release) }
        }).collect();
        let before = looked(empty.clone(), &all);
        let mut rest: Vec<DatabricksRelease> =
            all.iter().zip(&kept).filter(|(_, kept)| **kept).map(|(release, _)| release.clone()).collect();
        let length = rest.len().max(1);
        rest.rotate_left(seed % length);
        let after = looked(before.clone(), &rest);
        prop_assert_eq!(&before.status, &after.status);
        for stage in ["staging", "production"] {
            let here = all.iter().filter(|release| release.spec.stage.as_deref() == Some(stage));
            let newest = here.max_by_key(|r| (r.creation_timestamp(), r.status.clone().unwrap().run.len(), r.status.clone().unwrap().run, r.name_any()));
            prop_assert_eq!(names(&after, stage).0.is_some(), newest.is_some());
        }
    }
}
