//! What branches that moved ask for.

use brickline_crds::{DatabricksRelease, ObservedCommit, ReleasePipeline, ReleaseResult};
use kube::ResourceExt;

use super::super::poll::{is_known, moves, observed};
use super::{built, ended, good, two_stages, with};
use crate::creation::{Draft, Occasion};
use crate::forge::refs::Refs;

const RELEASE: &str = "refs/heads/release";

fn tips(branches: &[(&str, char)]) -> Refs {
    branches.iter().map(|(reference, letter)| ((*reference).to_owned(), letter.to_string().repeat(40))).collect()
}

/// A pipeline that polled once and saw its branches there.
fn polled(branches: &[(&str, char)]) -> ReleasePipeline {
    let mut pipeline = two_stages();
    pipeline.metadata.generation = Some(1);
    let seen = observed(&pipeline, &tips(branches));
    let status = pipeline.status.get_or_insert_default();
    (status.observed_commits, status.polled_generation) = (seen, Some(1));
    pipeline
}

fn look(pipeline: &ReleasePipeline, all: &[DatabricksRelease], branches: &[(&str, char)]) -> Vec<Occasion> {
    with(all, |releases| moves(pipeline, releases, &observed(pipeline, &tips(branches))))
}

fn name(pipeline: &ReleasePipeline, occasion: Occasion) -> String {
    Draft::building(pipeline, occasion).release(pipeline, 12).unwrap().name_any()
}

#[test]
fn the_first_look_only_writes_down() {
    let mut pipeline = two_stages();
    pipeline.metadata.generation = Some(1);
    assert_eq!(look(&pipeline, &[], &[(RELEASE, 'a')]), []);
    assert!(!is_known(&pipeline, &observed(&pipeline, &tips(&[(RELEASE, 'a')]))), "it must be written down");
}

#[test]
fn a_branch_that_moved_is_released_as_its_webhook_would_have() {
    let pipeline = polled(&[(RELEASE, 'a')]);
    assert_eq!(look(&pipeline, &[], &[(RELEASE, 'a')]), []);
    let found = look(&pipeline, &[], &[(RELEASE, 'b')]).remove(0);
    let push = crate::forge::event::Push { commit: "b".repeat(40), ..crate::receiver::samples::push() };
    assert_eq!(name(&pipeline, found), name(&pipeline, Occasion::push(&pipeline, &push)));
    assert_eq!(look(&pipeline, &[good(built(&pipeline, "b", 1, 'b'))], &[(RELEASE, 'b')]), [], "its webhook came");
}

#[test]
fn a_new_branch_is_released_but_not_one_that_was_only_added_to_the_spec() {
    let mut pipeline = polled(&[(RELEASE, 'a')]);
    let both = [(RELEASE, 'a'), ("refs/heads/release/2", 'b')];
    assert_eq!(look(&pipeline, &[], &both).len(), 1);
    pipeline.metadata.generation = Some(2);
    assert_eq!(look(&pipeline, &[], &both), []);
    assert_eq!(look(&pipeline, &[], &[(RELEASE, 'b')]).len(), 1, "one that is known may move meanwhile");
}

#[test]
fn only_branches_of_the_trigger_count() {
    let pipeline = polled(&[]);
    assert_eq!(look(&pipeline, &[], &[("refs/heads/main", 'a'), ("refs/tags/release", 'b')]), []);
}

#[test]
fn a_branch_that_came_back_is_released_again_once() {
    let pipeline = polled(&[(RELEASE, 'b')]);
    let mut all = vec![good(built(&pipeline, "a", 1, 'a')), good(built(&pipeline, "b", 2, 'b'))];
    let first = look(&pipeline, &all, &[(RELEASE, 'a')]).remove(0);
    let again = look(&pipeline, &all, &[(RELEASE, 'a')]).remove(0);
    let push = crate::forge::event::Push { commit: "a".repeat(40), ..crate::receiver::samples::push() };
    let name_a = name(&pipeline, Occasion::push(&pipeline, &push));
    assert_ne!(name(&pipeline, first.clone()), name_a, "that one ran before");
    assert_eq!(name(&pipeline, first), name(&pipeline, again));
    all.push(built(&pipeline, "a-again", 3, 'a'));
    assert_eq!(look(&pipeline, &all, &[(RELEASE, 'a')]), []);
    // And forth, and back: each time once more.
    all.push(built(&pipeline, "b-again", 4, 'b'));
    assert_eq!(look(&pipeline, &all, &[(RELEASE, 'a')]).len(), 1);
}

#[test]
fn a_branch_that_went_and_came_back_between_two_looks_is_seen_by_its_releases() {
    let pipeline = polled(&[(RELEASE, 'a')]);
    let all = [good(built(&pipeline, "a", 1, 'a')), good(built(&pipeline, "b", 2, 'b'))];
    assert_eq!(look(&pipeline, &all, &[(RELEASE, 'a')]).len(), 1);
    // Nobody can order two of the same second.
    let all = [good(built(&pipeline, "a", 1, 'a')), good(built(&pipeline, "b", 1, 'b'))];
    assert_eq!(look(&pipeline, &all, &[(RELEASE, 'a')]), []);
}

#[test]
fn what_was_deleted_or_skipped_does_not_start_anything() {
    let pipeline = polled(&[(RELEASE, 'b')]);
    assert_eq!(look(&pipeline, &[good(built(&pipeline, "a", 1, 'a'))], &[(RELEASE, 'b')]), [], "b's was deleted");
    let skipped = ended(built(&pipeline, "c", 3, 'c'), ReleaseResult::Skipped);
    assert_eq!(look(&pipeline, &[good(built(&pipeline, "b", 2, 'b')), skipped], &[(RELEASE, 'b')]), []);
}

#[test]
fn at_most_a_hundred_branches_are_followed() {
    let pipeline = two_stages();
    let many: Refs = (0..300).map(|n| (format!("refs/heads/release/{n:03}"), "a".repeat(40))).collect();
    let seen: Vec<ObservedCommit> = observed(&pipeline, &many);
    assert_eq!((seen.len(), seen[99].reference.as_str()), (100, "refs/heads/release/099"));
}
