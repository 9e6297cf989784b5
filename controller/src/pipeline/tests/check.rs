//! What a pipeline is told that can't be carried out as written.

use rstest::rstest;
use serde_json::{Value, json};

use super::super::check::spec;
use super::pipeline;

/// A job with this schedule.
fn job(cron: &str, zone: &str) -> Value {
    let tasks = json!([{"key": "load", "notebook": {"path": "notebooks/load.py"}}]);
    json!({"jobs": [{"name": "nightly", "tasks": tasks, "schedule": {"cron": cron, "timeZone": zone}}]})
}

/// What is said of a job's schedule in the template, and in a stage.
fn said(operate: &Value) -> [Result<(), String>; 2] {
    let operate: brickline_crds::Operate = serde_json::from_value(operate.clone()).expect("jobs");
    let [mut template, mut stage] = [pipeline(&[("staging", &[])]), pipeline(&[("staging", &[])])];
    template.spec.template.spec.operate = operate.clone();
    stage.spec.stages[0].overrides = Some(brickline_crds::Overrides { operate: Some(operate), ..Default::default() });
    [template, stage].map(|pipeline| spec(&pipeline).map_err(|trouble| trouble.message))
}

#[rstest]
#[case("0 3 * * 1-5", "Europe/Lisbon")]
#[case("0 0 $(params.day) 2 *", "UTC")]
#[case("0 0 30 2 *", "$(workspace.vars.zone)")]
fn a_schedule_that_comes_or_is_not_known_yet_is_taken(#[case] cron: &str, #[case] zone: &str) {
    assert_eq!(said(&job(cron, zone)), [Ok(()), Ok(())]);
}

#[rstest]
#[case("0 0 30 2 *", "UTC", "operate.jobs: nightly: schedule '0 0 30 2 *' never comes")]
#[case("0 25 * * *", "UTC", "operate.jobs: nightly: cron '0 25 * * *' can't be read")]
#[case("0 3 * * *", "Europe/Nowhere", "operate.jobs: nightly: timeZone 'Europe/Nowhere' is not in the IANA")]
fn a_schedule_of_a_job_that_never_comes_is_a_condition_of_the_pipeline(
    #[case] cron: &str,
    #[case] zone: &str,
    #[case] words: &str,
) {
    let [template, stage] = said(&job(cron, zone)).map(|said| said.expect_err("a sentence"));
    assert!(template.starts_with("template.spec.") && template.contains(words), "{template}");
    assert!(stage.starts_with("stage staging: overrides.") && stage.contains(words), "{stage}");
}
