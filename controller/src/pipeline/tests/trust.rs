//! Which releases count.

use brickline_crds::{DatabricksRelease, ExtraApprovals, LocalRef, Phase, ReleaseReason};
use rstest::rstest;

use super::super::trust::counts;
use super::{built, good, promoted, two_stages, with};

#[rstest]
#[case::push(ReleaseReason::Push, true)]
#[case::schedule(ReleaseReason::Schedule, true)]
#[case::promotion(ReleaseReason::Promotion, true)]
#[case::build_completion(ReleaseReason::BuildCompletion, true)]
#[case::pull_request(ReleaseReason::PullRequest, false)]
#[case::rollback(ReleaseReason::Rollback, false)]
#[case::by_hand(ReleaseReason::Manual, true)]
#[case::again(ReleaseReason::Retry, true)]
fn the_controllers_own_count_and_those_that_do_the_same(#[case] reason: ReleaseReason, #[case] expected: bool) {
    let pipeline = two_stages();
    let mut release = good(built(&pipeline, "a", 1, 'a'));
    release.spec.reason = reason;
    let all = [release];
    assert_eq!(with(&all, |releases| counts(&pipeline, releases, &all[0])), expected);
}

#[rstest]
#[case::without_tests(|release: &mut DatabricksRelease| release.spec.test.notebooks.clear())]
#[case::from_a_later_phase(|release: &mut DatabricksRelease| release.spec.start_at = Some(Phase::Test))]
#[case::elsewhere(|release: &mut DatabricksRelease| release.spec.workspace_ref = Some(LocalRef::new("sandbox")))]
#[case::another_stage(|release: &mut DatabricksRelease| release.spec.stage = Some("gone".to_owned()))]
#[case::another_branch(|release: &mut DatabricksRelease| release.spec.source.git.as_mut().unwrap().reference = "refs/heads/mine".to_owned())]
#[case::another_repository(|release: &mut DatabricksRelease| release.spec.source.git.as_mut().unwrap().url = "https://git.example.com/me/x".to_owned())]
#[case::another_build(|release: &mut DatabricksRelease| release.spec.build.include.clear())]
#[case::other_values(|release: &mut DatabricksRelease| { release.spec.parameters.insert("env".to_owned(), "x".to_owned()); })]
fn one_by_hand_that_does_something_else_does_not(#[case] change: fn(&mut DatabricksRelease)) {
    let pipeline = two_stages();
    let mut release = good(built(&pipeline, "a", 1, 'a'));
    release.spec.reason = ReleaseReason::Manual;
    change(&mut release);
    let all = [release];
    assert!(!with(&all, |releases| counts(&pipeline, releases, &all[0])));
}

#[rstest]
#[case::none(None, false)]
#[case::fewer(Some(1), false)]
#[case::as_many(Some(2), true)]
#[case::more(Some(3), true)]
fn one_by_hand_counts_with_the_approvals_that_the_stage_wants(#[case] required: Option<u32>, #[case] expected: bool) {
    let mut pipeline = two_stages();
    pipeline.spec.stages[0].approvals = Some(ExtraApprovals { required: 2 });
    let mut release = good(built(&pipeline, "a", 1, 'a'));
    release.spec.reason = ReleaseReason::Manual;
    release.spec.approvals = required.map(|required| ExtraApprovals { required });
    let all = [release];
    assert_eq!(with(&all, |releases| counts(&pipeline, releases, &all[0])), expected);
}

#[test]
fn an_artifact_that_the_pipeline_did_not_build_does_not_count() {
    let pipeline = two_stages();
    let root = good(built(&pipeline, "a", 1, 'a'));
    let mut by_hand = good(promoted(&pipeline, "b", 2, &root, "staging"));
    by_hand.spec.reason = ReleaseReason::Manual;
    let both = [root, by_hand.clone()];
    assert!(with(&both, |releases| counts(&pipeline, releases, &both[1])));
    let alone = [by_hand];
    assert!(!with(&alone, |releases| counts(&pipeline, releases, &alone[0])));
}

#[test]
fn what_people_make_of_a_pull_requests_artifact_does_not_count() {
    let pipeline = two_stages();
    let mut root = good(built(&pipeline, "a", 1, 'a'));
    root.spec.reason = ReleaseReason::PullRequest;
    let mut by_hand = good(promoted(&pipeline, "b", 2, &root, "staging"));
    by_hand.spec.reason = ReleaseReason::Manual;
    let both = [root, by_hand];
    assert!(!with(&both, |releases| counts(&pipeline, releases, &both[1])));
}
