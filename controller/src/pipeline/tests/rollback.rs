//! What is rolled back.

use brickline_crds::{DatabricksRelease, OnFailure, Phase, ReleasePipeline, ReleaseReason, ReleaseResult};
use kube::ResourceExt;
use rstest::rstest;

use super::super::rollback::rollbacks;
use super::super::stage::stages;
use super::{at, built, digest, ended, good, promoted, two_stages, with};

/// Two releases to staging: a good one, then one that ended like this.
fn story(result: ReleaseResult) -> (ReleasePipeline, Vec<DatabricksRelease>) {
    let mut pipeline = two_stages();
    pipeline.spec.template.spec.on_failure = OnFailure::Rollback;
    let all = vec![good(built(&pipeline, "a", 1, 'a')), ended(built(&pipeline, "b", 2, 'b'), result)];
    (pipeline, all)
}

fn owed(pipeline: &ReleasePipeline, all: &[DatabricksRelease]) -> Vec<DatabricksRelease> {
    with(all, |releases| {
        let known = stages(pipeline, releases, at(1000));
        let drafts = rollbacks(pipeline, releases, &known);
        drafts.into_iter().map(|(draft, _)| draft.release(pipeline, 12).unwrap()).collect()
    })
}

#[test]
fn the_last_good_artifact_is_deployed_again() {
    let (pipeline, all) = story(ReleaseResult::Failed);
    let owed = owed(&pipeline, &all);
    let [rollback] = owed.as_slice() else { panic!("{owed:?}") };
    let spec = &rollback.spec;
    assert_eq!(
        (spec.source.artifact_from[0].release.as_str(), &spec.source.artifact_from[0].digest),
        ("a", &digest('a'))
    );
    assert_eq!((spec.reason, spec.on_failure), (ReleaseReason::Rollback, OnFailure::None));
    let cause = spec.cause.as_ref().unwrap();
    assert_eq!(cause.release, "b");
    assert_eq!(cause.message, "Test failed: InnerTestsFailed: notebooks/a.py: test_x");
    assert_eq!(
        (spec.stage.as_deref(), spec.workspace_ref.as_ref().unwrap().name.as_str()),
        (Some("staging"), "staging")
    );
}

#[rstest]
#[case(ReleaseResult::Failed, 1)]
#[case(ReleaseResult::TimedOut, 1)]
#[case(ReleaseResult::Canceled, 0)]
#[case(ReleaseResult::Skipped, 0)]
#[case(ReleaseResult::Succeeded, 0)]
fn only_a_failure_is_rolled_back(#[case] result: ReleaseResult, #[case] expected: usize) {
    let (pipeline, all) = story(result);
    assert_eq!(owed(&pipeline, &all).len(), expected);
}

#[test]
fn it_is_rolled_back_once_and_a_rollback_never() {
    let (pipeline, mut all) = story(ReleaseResult::Failed);
    let name = owed(&pipeline, &all)[0].name_any();
    assert_eq!(owed(&pipeline, &all)[0].name_any(), name, "a crash before it was noticed makes the same one");
    let mut rollback = promoted(&pipeline, "back", 3, &all[0], "staging");
    rollback.spec = owed(&pipeline, &all).remove(0).spec;
    all.push(rollback.clone());
    assert!(owed(&pipeline, &all).is_empty(), "it waits or runs");
    all[2] = ended(rollback, ReleaseResult::Failed);
    assert!(owed(&pipeline, &all).is_empty(), "it failed too");
}

#[test]
fn who_asked_for_what_failed_asked_for_its_rollback() {
    let (pipeline, mut all) = story(ReleaseResult::Failed);
    all[1].spec.requested_by = Some("eve".to_owned());
    assert_eq!(owed(&pipeline, &all)[0].annotations()["brickline.dev/requesters"], r#"["ana@example.com","eve"]"#);
}

/// Deleted and delivered again under the same name: another release, whose failure is rolled back as well.
#[test]
fn a_release_made_anew_under_its_name_is_rolled_back_too() {
    let (pipeline, mut all) = story(ReleaseResult::Failed);
    let mut rollback = promoted(&pipeline, "back", 3, &all[0], "staging");
    rollback.spec = owed(&pipeline, &all).remove(0).spec;
    all.push(ended(rollback, ReleaseResult::Failed));
    all[1] = ended(built(&pipeline, "b", 4, 'b'), ReleaseResult::Failed);
    all[1].metadata.uid = Some("another".to_owned());
    assert_eq!(owed(&pipeline, &all).len(), 1);
}

#[test]
fn what_was_deployed_over_since_is_history() {
    let (pipeline, mut all) = story(ReleaseResult::Failed);
    all.push(good(built(&pipeline, "c", 3, 'c')));
    assert!(owed(&pipeline, &all).is_empty());
    // A new controller that finds them all at once doesn't roll back either.
    all.reverse();
    assert!(owed(&pipeline, &all).is_empty());
}

#[test]
fn there_must_be_something_else_to_deploy() {
    let (pipeline, mut all) = story(ReleaseResult::Failed);
    assert!(owed(&pipeline, &all[1..]).is_empty(), "nothing was good yet");
    all[1].status.as_mut().unwrap().artifact.as_mut().unwrap().digest = digest('a');
    assert!(owed(&pipeline, &all).is_empty(), "the same artifact was good before: deploying it again mends nothing");
}

#[test]
fn what_failed_before_deploy_or_did_not_ask_stays() {
    let (pipeline, all) = story(ReleaseResult::Failed);
    let mut early = all.clone();
    early[1].status.as_mut().unwrap().phases.retain(|phase| phase.name != Phase::Deploy);
    assert!(owed(&pipeline, &early).is_empty());
    let mut silent = all;
    silent[1].spec.on_failure = OnFailure::None;
    assert!(owed(&pipeline, &silent).is_empty());
}
