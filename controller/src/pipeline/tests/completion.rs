//! What starts because of another pipeline.

use brickline_crds::{ArtifactTrigger, DatabricksRelease, ReleasePipeline, ReleaseReason};
use kube::ResourceExt;

use super::super::completion::{Completion, Other, completion};
use super::super::lineage::{Releases, by_name};
use super::{at, built, digest, failed, good, pipeline, promoted, two_stages};
use crate::receiver::samples;

fn libs() -> ReleasePipeline {
    let mut libs = two_stages();
    libs.metadata.name = Some("libs".to_owned());
    libs
}

fn trigger(branches: &[&str]) -> ArtifactTrigger {
    let branches = branches.iter().map(|branch| (*branch).to_owned()).collect();
    ArtifactTrigger { pipeline: "libs".to_owned(), branches }
}

fn look(app: &ReleasePipeline, branches: &[&str], all: &[DatabricksRelease]) -> Completion {
    let (libs, index) = (libs(), by_name(all));
    let other = Other { pipeline: &libs, releases: Releases::new(all, &index) };
    completion(app, &trigger(branches), Some(other), at(1000)).unwrap()
}

#[test]
fn a_good_release_starts_one_with_its_artifact() {
    let mut app = pipeline(&[("staging", &[])]);
    let all = [good(built(&libs(), "l1", 1, 'a'))];
    let found = look(&app, &[], &all);
    let release = found.drafts[0].release(&app, 12).unwrap();
    assert_eq!(release.spec.source.artifact_from[0].digest, digest('a'));
    assert_eq!(release.spec.reason, ReleaseReason::BuildCompletion);
    assert_eq!(release.spec.cause.as_ref().unwrap().message, "pipeline libs ended Succeeded");
    assert!(release.name_any().starts_with("dbxdemo-"));
    app.status.get_or_insert_default().observed_artifacts = vec![found.observed];
    assert!(look(&app, &[], &all).drafts.is_empty(), "once");
    let newer = [all[0].clone(), good(built(&libs(), "l2", 2, 'b'))];
    assert_eq!(look(&app, &[], &newer).drafts[0].occasion.source.artifact_from[0].release, "l2");
}

#[test]
fn who_asked_for_the_other_pipelines_release_asked_for_this_one() {
    let app = pipeline(&[("staging", &[])]);
    let mut by_hand = good(built(&libs(), "l1", 1, 'a'));
    by_hand.spec.reason = ReleaseReason::Manual;
    by_hand.spec.requested_by = Some("eve".to_owned());
    let found = look(&app, &[], &[by_hand]);
    let release = found.drafts[0].release(&app, 12).unwrap();
    assert_eq!(release.annotations()["brickline.dev/requesters"], r#"["ana@example.com","eve"]"#);
}

#[test]
fn every_stage_that_begins_gets_one() {
    let app = pipeline(&[("eu", &[]), ("us", &[]), ("world", &["eu"])]);
    let found = look(&app, &[], &[good(built(&libs(), "l1", 1, 'a'))]);
    let stages: Vec<String> = found.drafts.iter().map(|draft| draft.stage.clone().unwrap().name).collect();
    assert_eq!(stages, ["eu", "us"]);
}

#[test]
fn what_failed_or_built_nothing_or_is_of_another_branch_starts_none() {
    let app = pipeline(&[("staging", &[])]);
    let root = good(built(&libs(), "l1", 1, 'a'));
    let onward = good(promoted(&libs(), "l2", 2, &root, "production"));
    assert!(look(&app, &["main"], std::slice::from_ref(&root)).drafts.is_empty());
    assert!(!look(&app, &["rel*"], std::slice::from_ref(&root)).drafts.is_empty());
    assert!(look(&app, &[], &[failed(built(&libs(), "l3", 3, 'c'))]).drafts.is_empty());
    assert!(look(&app, &[], &[onward]).drafts.is_empty(), "a promotion builds nothing");
}

#[test]
fn what_was_built_before_the_trigger_is_history() {
    let mut app = pipeline(&[("staging", &[])]);
    app.status.get_or_insert_default().observed_generation = 4;
    let old = good(built(&libs(), "l1", 1, 'a'));
    let found = look(&app, &[], std::slice::from_ref(&old));
    assert!(found.drafts.is_empty());
    app.status.as_mut().unwrap().observed_artifacts = vec![found.observed];
    assert!(look(&app, &[], std::slice::from_ref(&old)).drafts.is_empty());
    assert!(!look(&app, &[], &[old, good(built(&libs(), "l2", 1001, 'b'))]).drafts.is_empty());
}

#[test]
fn without_the_other_pipeline_the_mark_begins_all_the_same() {
    let found = completion(&samples::pipeline(), &trigger(&[]), None, at(5)).unwrap();
    assert_eq!((found.drafts.len(), found.observed.newest.created.unwrap().0), (0, at(5)));
}
