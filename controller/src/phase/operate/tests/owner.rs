//! A job is found by its tags alone, and by nobody else.

use std::collections::{BTreeMap, BTreeSet};

use rstest::rstest;
use serde_json::{Value, json};

use super::super::owner::mark_changed;
use super::super::{Changes, Operated, Owner, View};
use super::{owner, planned, with};
use crate::databricks::jobs::{Job, JobSettings, Listed};

/// What a workspace lists after the job of `tags` was created.
fn listed(tags: &BTreeMap<String, String>) -> Job {
    let settings = Listed { name: "renamed by hand".to_owned(), tags: tags.clone(), schedule: None };
    Job { job_id: 7, creator_user_name: "sp".to_owned(), created_time: 5, settings }
}

#[test]
fn a_job_is_found_again_whatever_its_name() {
    let release = with(&json!({}));
    let (wanted, settings) = planned(&release).unwrap().remove(0);
    let found = owner(&release).own(&[listed(&settings.tags), listed(&BTreeMap::new())]);
    let [found] = &found[..] else { panic!("one is ours: {found:?}") };
    assert_eq!((found.id, &found.key, &found.digest), (7, &wanted.key, &wanted.digest));
    assert_eq!((found.creator.as_str(), found.created), ("sp", 5));
}

/// The tags say what a job was set to, not what it is.
#[rstest]
#[case::as_it_was_set(json!({}), true)]
#[case::without_what_is_the_default(json!({"schedule": {"quartz_cron_expression": "0 0 3 * * ?", "timezone_id": "Etc/UTC"}}), true)]
#[case::renamed(json!({"name": "mine"}), false)]
#[case::paused(json!({"schedule": {"quartz_cron_expression": "0 0 3 * * ?", "timezone_id": "Etc/UTC", "pause_status": "PAUSED"}}), false)]
#[case::at_another_time(json!({"schedule": {"quartz_cron_expression": "0 0 4 * * ?", "timezone_id": "Etc/UTC"}}), false)]
#[case::in_words_nobody_knows(json!({"schedule": {"pause_status": 7}}), false)]
#[case::never(json!({"schedule": null}), false)]
fn what_was_changed_by_hand_is_set_right(#[case] changed: Value, #[case] same: bool) {
    let release = with(&json!({"schedule": {"cron": "0 3 * * *", "timeZone": "Etc/UTC"}}));
    let jobs = planned(&release).unwrap();
    let mut settings = serde_json::to_value(&jobs[0].1).unwrap();
    settings.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
    let there: Vec<Job> = vec![serde_json::from_value(json!({"job_id": 7, "settings": settings})).unwrap()];
    let mut found = owner(&release).own(&there);
    mark_changed(&mut found, &there, &jobs);
    assert_eq!(found[0].digest == jobs[0].0.digest, same, "{settings}");
}

/// The schedule must not run twice after a move to another installation.
#[test]
fn jobs_of_the_installation_before_are_taken_over_and_signed_anew() {
    let release = with(&json!({}));
    let (before, now) = (Owner::of(&release, "before"), owner(&release));
    let signed = |name: &str, by: &Owner| {
        let mut settings = JobSettings { name: name.to_owned(), ..JobSettings::default() };
        by.sign(&mut settings);
        listed(&settings.tags)
    };
    let wanted: Vec<_> = planned(&release).unwrap().into_iter().map(|(wanted, _)| wanted).collect();
    let jobs = [
        Job { job_id: 1, ..signed("nightly", &before) },
        Job { job_id: 2, ..signed("weekly", &before) },
        Job { job_id: 3, ..signed("nightly", &Owner::of(&release, "elsewhere")) },
    ];
    assert_eq!(now.own(&jobs), []);
    assert_eq!(now.inherited("brickline", &jobs, &wanted), []);
    let view = View { found: now.inherited("before", &jobs, &wanted), wanted, us: "sp".to_owned() };
    let reset = vec![Operated { name: "nightly".to_owned(), id: 1 }];
    let expected = Changes { reset, delete: vec![2], ..Changes::default() };
    assert_eq!(Changes::between(&view, true), expected);
}

#[test]
fn another_pipeline_stage_namespace_or_installation_is_another_owner() {
    let mut owners = BTreeSet::from([owner(&with(&json!({}))).id()]);
    let mut others = Vec::new();
    let mut change = |alter: &dyn Fn(&mut brickline_crds::DatabricksRelease)| {
        let mut release = with(&json!({}));
        alter(&mut release);
        others.push(Owner::of(&release, "brickline").id());
    };
    change(&|release| release.spec.stage = Some("production".to_owned()));
    change(&|release| release.spec.stage = None);
    change(&|release| release.metadata.namespace = Some("other".to_owned()));
    change(&|release| release.metadata.labels = None);
    others.push(Owner::of(&with(&json!({})), "another").id());
    owners.extend(others);
    assert_eq!(owners.len(), 6);
}

/// They become labels of machines, and the strictest cloud takes no other.
#[test]
fn tags_are_ones_that_every_cloud_takes() {
    let (_, settings) = planned(&with(&json!({}))).unwrap().remove(0);
    let plain =
        |text: &str| text.len() <= 63 && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    assert_eq!(settings.tags.len(), 3);
    assert!(settings.tags.iter().all(|(name, value)| plain(name) && plain(value)), "{:?}", settings.tags);
}

#[test]
fn the_digest_is_another_with_other_settings_and_only_then() {
    let digest = |fields| planned(&with(&fields)).unwrap().remove(0).0.digest;
    let same = digest(json!({}));
    assert_eq!(same, digest(json!({})));
    for other in [
        json!({"tags": {"team": "data"}}),
        json!({"schedule": {"cron": "@daily"}}),
        json!({"schedule": {"cron": "@daily", "paused": true}}),
        json!({"maxConcurrentRuns": 2}),
        json!({"compute": {"newCluster": {"policyId": "A"}}}),
    ] {
        assert_ne!(same, digest(other.clone()), "{other}");
    }
}
