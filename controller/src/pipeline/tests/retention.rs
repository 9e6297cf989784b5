//! What may go.

use std::collections::BTreeSet;

use brickline_crds::{
    ArtifactFrom, DatabricksRelease, GoDuration, ReleaseReason, ReleaseResult, Retention, StageStatus,
};
use jiff::ToSpan;
use kube::ResourceExt;
use proptest::prelude::*;

use super::super::retention::{Expiry, expired};
use super::super::stage::stages;
use super::{at, built, ended, good, promoted, two_stages, with};

const HOURS: u64 = 100;

fn retention(succeeded: u32, failed: u32, skipped: u32, minimum_per_stage: u32) -> Retention {
    let max_age = GoDuration::from_secs(HOURS * 3600);
    Retention { succeeded, failed, skipped, minimum_per_stage, max_age, pull_requests: 2 }
}

fn look(all: &[DatabricksRelease], retention: &Retention, minute: i64) -> Expiry {
    let pipeline = two_stages();
    with(all, |releases| {
        let known = stages(&pipeline, releases, at(0));
        expired(releases, retention, &known, &[], at(minute))
    })
}

fn names(expiry: &Expiry) -> Vec<&str> {
    expiry.gone.iter().map(|gone| gone.name.as_str()).collect()
}

/// Good releases `r1` to `rN`, one each minute.
fn releases(count: i64) -> Vec<DatabricksRelease> {
    let pipeline = two_stages();
    (1..=count).map(|minute| good(built(&pipeline, &format!("r{minute}"), minute, 'a'))).collect()
}

#[test]
fn the_newest_are_kept() {
    let expiry = look(&releases(5), &retention(2, 9, 9, 0), 10);
    assert_eq!(names(&expiry), ["r1", "r2", "r3"]);
    assert_eq!(expiry.gone[0].uid.as_deref(), Some("uid of r1"));
    assert_eq!(names(&look(&releases(5), &retention(2, 9, 9, 4), 10)), ["r1"], "four of each stage");
}

#[test]
fn pull_requests_are_counted_by_themselves() {
    let mut all = releases(8);
    for release in &mut all[2..] {
        (release.spec.reason, release.spec.stage) = (ReleaseReason::PullRequest, None);
    }
    all[5] = ended(all[5].clone(), ReleaseResult::Skipped);
    assert_eq!(names(&look(&all, &retention(2, 0, 0, 9), 10)), ["r3", "r4", "r5", "r6"]);
}

#[test]
fn the_next_look_is_when_one_is_too_old() {
    let all = releases(3);
    let hours = i64::try_from(HOURS).unwrap();
    let expiry = look(&all, &retention(9, 9, 9, 0), 10);
    // Each ended a minute after it was created; r3 is what the stage has.
    assert_eq!((names(&expiry), expiry.next), (vec![], Some(at(2) + hours.hours())));
    let expiry = look(&all, &retention(9, 9, 9, 0), 2 + hours * 60);
    assert_eq!((names(&expiry), expiry.next), (vec!["r1"], Some(at(3) + hours.hours())));
    let expiry = look(&all, &retention(9, 9, 9, 0), 1000 + hours * 60);
    assert_eq!((names(&expiry), expiry.next), (vec!["r1", "r2"], None));
}

#[test]
fn what_another_release_is_to_deploy_is_kept() {
    let mut all = releases(3);
    let waiting = promoted(&two_stages(), "waiting", 4, &all[0], "production");
    assert_eq!(names(&look(&all, &retention(0, 0, 0, 0), 10)), ["r1", "r2"]);
    all.push(waiting);
    assert_eq!(names(&look(&all, &retention(0, 0, 0, 0), 10)), ["r2"]);
}

#[test]
fn the_answer_to_a_failure_is_kept_while_the_stage_has_it() {
    let pipeline = two_stages();
    let mut all = releases(1);
    all.push(ended(built(&pipeline, "bad", 2, 'b'), ReleaseResult::Failed));
    let mut rollback = ended(promoted(&pipeline, "back", 3, &all[0], "staging"), ReleaseResult::Failed);
    rollback.spec.reason = ReleaseReason::Rollback;
    rollback.spec.cause = Some(brickline_crds::Cause { release: "bad".to_owned(), ..Default::default() });
    rollback.status.as_mut().unwrap().phases.clear();
    all.push(rollback);
    assert_eq!(names(&look(&all, &retention(0, 0, 0, 0), 10)), Vec::<&str>::new());
}

#[test]
fn the_newest_release_of_a_polled_branch_is_kept() {
    let pipeline = two_stages();
    let skipped = |name: &str, minute| {
        let mut release = ended(built(&pipeline, name, minute, 'a'), ReleaseResult::Skipped);
        release.status.as_mut().unwrap().phases.clear();
        release
    };
    let all = [skipped("s1", 1), skipped("s2", 2)];
    let expiry = |polled: &[&str]| with(&all, |r| expired(r, &retention(0, 0, 0, 0), &[], polled, at(5)));
    assert_eq!(names(&expiry(&[])), ["s1", "s2"]);
    assert_eq!(names(&expiry(&["refs/heads/release"])), ["s1"]);
    assert_eq!(names(&expiry(&["refs/heads/other"])), ["s1", "s2"]);
}

fn any_result() -> impl Strategy<Value = ReleaseResult> {
    use strum::IntoEnumIterator;
    proptest::sample::select(ReleaseResult::iter().collect::<Vec<_>>())
}

proptest! {
    #[test]
    fn nothing_goes_that_somebody_needs(
        rows in proptest::collection::vec((any_result(), any::<bool>(), 0i64..10_000, any::<prop::sample::Index>()), 1..30),
        limits in (0u32..5, 0u32..5, 0u32..5, 0u32..4),
        minute in 0i64..20_000,
    ) {
        let pipeline = two_stages();
        let mut all: Vec<DatabricksRelease> = Vec::new();
        for (number, (result, production, minute, from)) in rows.iter().enumerate() {
            let mut release = built(&pipeline, &format!("r{number}"), *minute, 'a');
            if *production && !all.is_empty() {
                let source = all[from.index(all.len())].name_any();
                release.spec.source.git = None;
                release.spec.source.artifact_from = vec![ArtifactFrom { release: source, digest: super::digest('a') }];
                release.spec.stage = Some("production".to_owned());
                release.spec.workspace_ref = Some(brickline_crds::LocalRef::new("production"));
            }
            all.push(if *result == ReleaseResult::None { release } else { ended(release, *result) });
        }
        let rule = retention(limits.0, limits.1, limits.2, limits.3);
        let known: Vec<StageStatus> = with(&all, |releases| stages(&pipeline, releases, at(0)));
        let expiry = with(&all, |releases| expired(releases, &rule, &known, &[], at(minute)));
        let gone: BTreeSet<&str> = names(&expiry).into_iter().collect();
        prop_assert_eq!(gone.len(), expiry.gone.len(), "each once");
        for release in &all {
            let (name, status) = (release.name_any(), release.status.as_ref().unwrap());
            if status.result == ReleaseResult::None {
                prop_assert!(!gone.contains(name.as_str()), "it has not ended");
                for from in &release.spec.source.artifact_from {
                    prop_assert!(!gone.contains(from.release.as_str()), "its artifact is to be deployed");
                }
            }
        }
        for stage in &known {
            for stored in [&stage.deployed, &stage.last_good].into_iter().flatten() {
                prop_assert!(!gone.contains(stored.release.as_str()), "a stage has it");
            }
            let ended = |r: &&DatabricksRelease| r.spec.stage.as_ref() == Some(&stage.name) && r.status.as_ref().unwrap().result != ReleaseResult::None;
            let (here, left) = (all.iter().filter(ended).count(), all.iter().filter(ended).filter(|r| !gone.contains(r.name_any().as_str())).count());
            prop_assert!(left >= here.min(rule.minimum_per_stage as usize), "{} of {} left", left, here);
        }
        // Looking again finds nothing more, and waiting only makes more go.
        let rest: Vec<DatabricksRelease> = all.iter().filter(|r| !gone.contains(r.name_any().as_str())).cloned().collect();
        let again = with(&rest, |releases| expired(releases, &rule, &known, &[], at(minute)));
        prop_assert_eq!(again.gone, vec![]);
        prop_assert!(again.next.is_none_or(|next| next > at(minute)));
    }
}
