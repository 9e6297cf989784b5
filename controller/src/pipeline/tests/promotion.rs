//! What goes on to which stage.

use brickline_crds::{DatabricksRelease, ReleasePipeline, ReleaseReason, ReleaseResult, annotations, labels};
use kube::ResourceExt;
use proptest::prelude::*;
use rstest::rstest;

use super::super::promotion::{Promotion, promotions};
use super::super::stage::stages;
use super::{at, built, digest, ended, failed, good, pipeline, promoted, two_stages, with};

/// Sees the pipeline once, before anything was released.
fn seen(mut pipeline: ReleasePipeline) -> ReleasePipeline {
    let stages = with(&[], |releases| stages(&pipeline, releases, at(0)));
    let status = pipeline.status.get_or_insert_default();
    (status.stages, status.observed_generation) = (stages, 1);
    pipeline
}

fn look(pipeline: &ReleasePipeline, all: &[DatabricksRelease]) -> (Vec<Promotion>, Vec<String>) {
    with(all, |releases| promotions(pipeline, releases, &stages(pipeline, releases, at(1000))))
}

/// Stage and digest of what goes on.
fn goes_on(pipeline: &ReleasePipeline, all: &[DatabricksRelease]) -> Vec<(String, String)> {
    let (promotions, troubles) = look(pipeline, all);
    assert!(troubles.is_empty(), "{troubles:?}");
    let pair = |promotion: &Promotion| {
        let digest = promotion.draft.occasion.source.artifact_from[0].digest.clone();
        (promotion.draft.stage.clone().unwrap().name, digest)
    };
    promotions.iter().map(pair).collect()
}

fn to(stage: &str, letter: char) -> (String, String) {
    (stage.to_owned(), digest(letter))
}

/// Whoever asked for anything on the way of an artifact asked for what follows: their approval counts nowhere on it.
#[test]
fn everybody_who_asked_on_the_way_has_asked_for_what_follows() {
    let pipeline = seen(pipeline(&[("dev", &[]), ("staging", &["dev"]), ("production", &["staging"])]));
    let mut root = good(built(&pipeline, "a", 1, 'a'));
    root.spec.requested_for = Some("ana".to_owned());
    let mut by_hand = good(promoted(&pipeline, "b", 2, &root, "staging"));
    by_hand.spec.reason = ReleaseReason::Manual;
    (by_hand.spec.requested_by, by_hand.spec.requested_for) = (Some("eve".to_owned()), None);
    by_hand.annotations_mut().insert("brickline.dev/requesters".to_owned(), r#"["bob"]"#.to_owned());
    let (promotions, _) = look(&pipeline, &[root, by_hand]);
    let promotion = promotions.last().expect("staging ended well");
    let release = promotion.draft.release(&pipeline, 12).unwrap();
    assert_eq!(release.spec.stage.as_deref(), Some("production"));
    assert_eq!(release.annotations()["brickline.dev/requesters"], r#"["ana","bob","eve"]"#);
}

#[test]
fn a_good_release_goes_on_with_its_artifact() {
    let pipeline = seen(two_stages());
    let mut root = good(built(&pipeline, "a", 1, 'a'));
    root.spec.requested_for = Some("ana@example.com".to_owned());
    let (promotions, _) = look(&pipeline, &[root]);
    let [promotion] = promotions.as_slice() else { panic!("{promotions:?}") };
    let release = promotion.draft.release(&pipeline, 12).unwrap();
    assert_eq!(release.spec.source.artifact_from[0].release, "a");
    assert_eq!(release.spec.reason, ReleaseReason::Promotion);
    assert_eq!(release.spec.workspace_ref.as_ref().unwrap().name, "production");
    assert_eq!(release.spec.cause.as_ref().unwrap().message, "staging ended Succeeded");
    assert_eq!(release.spec.requested_for.as_deref(), Some("ana@example.com"));
    let label = |name: &str| release.labels()[name].as_str();
    assert_eq!(
        (label(labels::STAGE), label(labels::BRANCH), label(labels::COMMIT)),
        ("production", "release", "aaaaaaa")
    );
    assert_eq!(release.annotations()[annotations::ROOT], "a");
    assert_eq!((promotion.promoted.release.as_str(), promotion.promoted.commit.len()), ("a", 40));
}

#[test]
fn it_is_promoted_once() {
    let mut pipeline = seen(two_stages());
    let all = [good(built(&pipeline, "a", 1, 'a'))];
    let (promotions, _) = look(&pipeline, &all);
    let name = |promotion: &Promotion| promotion.draft.release(&pipeline, 12).unwrap().name_any();
    let again = look(&pipeline, &all).0;
    assert_eq!(name(&promotions[0]), name(&again[0]), "before the mark is written, it is the same release");
    pipeline.status.as_mut().unwrap().stages[1].promoted = Some(promotions[0].promoted.clone());
    assert_eq!(goes_on(&pipeline, &all), [], "even if somebody deletes it");
}

#[rstest]
#[case(ReleaseResult::Succeeded, true)]
#[case(ReleaseResult::SucceededWithIssues, true)]
#[case(ReleaseResult::Failed, false)]
#[case(ReleaseResult::TimedOut, false)]
#[case(ReleaseResult::Canceled, false)]
#[case(ReleaseResult::Skipped, false)]
#[case(ReleaseResult::None, false)]
fn without_a_condition_only_what_ended_well_goes_on(#[case] result: ReleaseResult, #[case] expected: bool) {
    let pipeline = seen(two_stages());
    let release = built(&pipeline, "a", 1, 'a');
    let release = if result == ReleaseResult::None { release } else { ended(release, result) };
    assert_eq!(!goes_on(&pipeline, &[release]).is_empty(), expected);
}

#[rstest]
#[case("stages.staging.result == 'Failed'", true)]
#[case("stages.staging.result == 'Succeeded'", false)]
#[case("release.branch == 'release' && stages.staging.reason == 'push'", true)]
fn a_condition_decides_instead(#[case] condition: &str, #[case] expected: bool) {
    let mut pipeline = seen(two_stages());
    pipeline.spec.stages[1].condition = Some(condition.to_owned());
    assert_eq!(!goes_on(&pipeline, &[failed(built(&pipeline, "a", 1, 'a'))]).is_empty(), expected);
}

#[test]
fn a_condition_that_can_t_be_answered_is_told() {
    let mut pipeline = seen(two_stages());
    pipeline.spec.stages[1].condition = Some("stages.staging.commit".to_owned());
    let (promotions, troubles) = look(&pipeline, &[good(built(&pipeline, "a", 1, 'a'))]);
    assert!(promotions.is_empty() && troubles[0].starts_with("stage production: "), "{troubles:?}");
}

#[test]
fn of_several_only_the_newest_good_one_goes_on() {
    let pipeline = seen(two_stages());
    let release = |name: &str, minute, letter| built(&pipeline, name, minute, letter);
    let all =
        [good(release("b", 2, 'b')), good(release("a", 1, 'a')), failed(release("c", 3, 'c')), release("d", 4, 'd')];
    assert_eq!(goes_on(&pipeline, &all), [to("production", 'b')]);
}

#[test]
fn a_failed_one_goes_on_after_a_retry_ended_well() {
    let pipeline = seen(two_stages());
    let first = failed(built(&pipeline, "a", 1, 'a'));
    let mut retry = good(promoted(&pipeline, "again", 5, &first, "staging"));
    (retry.spec.reason, retry.spec.cause) = (ReleaseReason::Retry, None);
    assert_eq!(goes_on(&pipeline, &[first.clone(), retry.clone()]), [to("production", 'a')]);
    // One that leaves the tests out proves nothing.
    retry.spec.test.notebooks.clear();
    assert_eq!(goes_on(&pipeline, &[first, retry]), []);
}

#[test]
fn a_rollback_is_not_promoted() {
    let pipeline = seen(two_stages());
    let first = failed(built(&pipeline, "a", 1, 'a'));
    let mut rollback = good(promoted(&pipeline, "back", 5, &first, "staging"));
    rollback.spec.reason = ReleaseReason::Rollback;
    assert_eq!(goes_on(&pipeline, &[first, rollback]), []);
}

#[test]
fn every_stage_before_must_have_ended() {
    let pipeline = seen(pipeline(&[("dev", &[]), ("eu", &["dev"]), ("us", &["dev"]), ("world", &["eu", "us"])]));
    let root = good(built(&pipeline, "a", 1, 'a'));
    assert_eq!(goes_on(&pipeline, std::slice::from_ref(&root)), [to("eu", 'a'), to("us", 'a')]);
    let mut pipeline = pipeline;
    for stage in &mut pipeline.status.as_mut().unwrap().stages[1..3] {
        stage.promoted = Some(with(std::slice::from_ref(&root), |all| all.root(&root).stored(&digest('a'))));
    }
    let (eu, us) = (promoted(&pipeline, "eu", 3, &root, "eu"), promoted(&pipeline, "us", 3, &root, "us"));
    assert_eq!(goes_on(&pipeline, &[root.clone(), good(eu.clone())]), []);
    assert_eq!(goes_on(&pipeline, &[root.clone(), good(eu.clone()), us.clone()]), []);
    assert_eq!(goes_on(&pipeline, &[root.clone(), good(eu.clone()), failed(us.clone())]), []);
    assert_eq!(goes_on(&pipeline, &[root, good(eu), good(us)]), [to("world", 'a')]);
}

#[test]
fn what_is_built_on_its_own_goes_to_every_stage_that_begins() {
    let pipeline = seen(pipeline(&[("eu", &[]), ("us", &[])]));
    let root = good(built(&pipeline, "a", 1, 'a'));
    assert_eq!(root.spec.stage, None);
    assert_eq!(goes_on(&pipeline, &[root]), [to("eu", 'a'), to("us", 'a')]);
}

#[test]
fn a_stage_that_was_added_waits_for_the_next_merge() {
    let mut pipeline = pipeline(&[("staging", &[])]);
    pipeline.status.get_or_insert_default().observed_generation = 1;
    let old = good(built(&pipeline, "a", 1, 'a'));
    pipeline.spec.stages = two_stages().spec.stages;
    let added = with(std::slice::from_ref(&old), |releases| stages(&pipeline, releases, at(10)));
    pipeline.status.as_mut().unwrap().stages = added;
    assert_eq!(goes_on(&pipeline, std::slice::from_ref(&old)), []);
    let new = good(built(&pipeline, "b", 11, 'b'));
    assert_eq!(goes_on(&pipeline, &[old, new]), [to("production", 'b')]);
}

proptest! {
    /// Whatever is looked at, in whichever order releases end, and wherever the controller stops: a stage is given newer
    /// artifacts only, and at last the newest good one.
    #[test]
    fn promotions_only_go_forward(
        runs in proptest::collection::vec((0i64..4, any::<bool>()), 1..10),
        order in proptest::collection::vec(any::<prop::sample::Index>(), 30),
        crashes in proptest::collection::vec(any::<bool>(), 30),
    ) {
        let mut pipeline = seen(two_stages());
        let mut minute = 1;
        let mut all: Vec<DatabricksRelease> = Vec::new();
        for (number, (pause, _)) in runs.iter().enumerate() {
            minute += pause;
            let mut release = built(&pipeline, &format!("r{}", (number * 7) % 10), minute, 'a');
            release.status.as_mut().unwrap().run = format!("20261121.{}", number + 1);
            release.status.as_mut().unwrap().artifact.as_mut().unwrap().digest = format!("sha256:{number:064}");
            all.push(release);
        }
        let mut given: Vec<String> = Vec::new();
        for (index, crash) in order.iter().zip(&crashes) {
            let chosen = index.index(all.len());
            let result = if runs[chosen].1 { ReleaseResult::Succeeded } else { ReleaseResult::Failed };
            all[chosen] = ended(all[chosen].clone(), result);
            for (stage, digest) in goes_on(&pipeline, &all) {
                prop_assert_eq!(stage, "production");
                prop_assert!(given.last().is_none_or(|last| *last <= digest), "{:?} then {}", given, digest);
                given.push(digest);
            }
            if !crash && let Some(promotion) = look(&pipeline, &all).0.pop() {
                pipeline.status.as_mut().unwrap().stages[1].promoted = Some(promotion.promoted);
            }
        }
        let newest = all.iter().enumerate().filter(|(n, r)| runs[*n].1 && r.status.as_ref().unwrap().result == ReleaseResult::Succeeded);
        let newest = newest.map(|(number, _)| format!("sha256:{number:064}")).max();
        prop_assert_eq!(given.last().cloned(), newest);
    }
}

/// Two builds of one second: the forge delivered the later merge first.
#[test]
fn the_later_of_two_merges_within_a_second_goes_on() {
    let pipeline = seen(pipeline(&[("eu", &[]), ("us", &[])]));
    let told = |name: &str, letter: char, before: char, arrived: i64, run: &str| {
        let mut release = good(built(&pipeline, name, 1, letter));
        let arrived = (at(1) + jiff::SignedDuration::from_millis(arrived)).to_string();
        let told = [(annotations::ARRIVED, arrived), (annotations::BEFORE, before.to_string().repeat(40))];
        release.metadata.annotations = Some(told.map(|(key, value)| (key.to_owned(), value)).into());
        run.clone_into(&mut release.status.as_mut().unwrap().run);
        release
    };
    let all = [told("x", 'b', 'a', 1, "20261121.1"), told("y", 'a', '0', 2, "20261121.2")];
    assert_eq!(goes_on(&pipeline, &all), [to("eu", 'b'), to("us", 'b')]);
}
