//! Jobs as Databricks takes them, from what the release brings.

use jiff::Timestamp;
use rstest::rstest;
use serde_json::{Value, json};

use super::super::plan::next_run;
use super::{job, planned, release, with};

fn settings(fields: &Value) -> Value {
    let (_, mut settings) = planned(&with(fields)).unwrap().remove(0);
    settings.tags.retain(|name, _| !name.starts_with("brickline"));
    json!(settings)
}

fn refusal(operate: &Value) -> String {
    planned(&release(operate)).expect_err("a refusal").message
}

#[test]
fn a_job_on_a_cluster_of_its_own() {
    insta::assert_json_snapshot!(settings(&json!({
        "tasks": [
            {"key": "load", "notebook": {"path": "notebooks/load.py", "parameters": {"full": "true"}}},
            {"key": "report", "dependsOn": ["load"], "sparkPython": {"file": "jobs/report.py", "parameters": ["--all"]}},
            {
                "key": "wheel",
                "dependsOn": ["load"],
                "pythonWheel": {"package": "dbx_demo", "entryPoint": "main", "namedParameters": {"env": "staging"}},
                "timeout": "10m",
            },
        ],
        "compute": {"newCluster": {"sparkVersion": "15.4.x-scala2.12", "nodeTypeId": "Standard_DS3_v2", "numWorkers": 2}},
        "schedule": {"cron": "0 3 * * MON-FRI", "timeZone": "Europe/Lisbon"},
        "parameters": {"env": "staging"},
        "tags": {"team": "data"},
        "timeout": "2h",
        "emailOnFailure": ["data@example.com"],
    })));
}

#[test]
fn a_task_may_run_elsewhere_than_the_others() {
    let own = settings(&json!({
        "tasks": [
            {"key": "load", "notebook": {"path": "notebooks/load.py"}},
            {"key": "own", "notebook": {"path": "notebooks/load.py"}, "compute": {"newCluster": {"policyId": "B"}}},
            {"key": "quick", "sparkPython": {"file": "jobs/report.py"}, "compute": {"serverless": {}}},
            {"key": "light", "notebook": {"path": "notebooks/publish.sql"}, "compute": {"serverless": {}}},
            {"key": "main", "notebook": {"path": "notebooks/load.py"}, "compute": {"cluster": "main"}},
        ],
        "compute": {"newCluster": {"policyId": "A"}},
    }));
    let tasks = own["tasks"].as_array().unwrap();
    assert_eq!(tasks[0]["job_cluster_key"], "job");
    assert_eq!(own["job_clusters"].as_array().unwrap().len(), 1);
    assert_eq!(own["job_clusters"][0]["new_cluster"]["policy_id"], "A");
    assert_eq!((&tasks[1]["new_cluster"]["policy_id"], &tasks[1]["job_cluster_key"]), (&json!("B"), &Value::Null));
    assert_eq!(tasks[2]["environment_key"], "quick");
    // Databricks takes no environment for a notebook.
    assert_eq!(tasks[3]["environment_key"], Value::Null);
    assert_eq!(own["environments"].as_array().unwrap().len(), 1);
    assert_eq!(own["environments"][0]["environment_key"], "quick");
    assert_eq!((&tasks[4]["existing_cluster_id"], &tasks[4]["libraries"]), (&json!("0123-456789-abc"), &Value::Null));
}

/// The wheel that was tested, at the place named by its content.
#[test]
fn wheels_travel_to_clusters_and_environments_of_the_job() {
    let root = "/Volumes/main/release/libs/dbx-demo/";
    let new = settings(&json!({"compute": {"newCluster": {"policyId": "A"}}}));
    let wheel = new["tasks"][0]["libraries"][0]["whl"].as_str().unwrap();
    assert!(wheel.starts_with(root) && wheel.ends_with("/dbx_demo-0.1.0-py3-none-any.whl"), "{wheel}");
    let task = json!([{"key": "a", "pythonWheel": {"package": "dbx.demo", "entryPoint": "main"}}]);
    let serverless = settings(&json!({"tasks": task, "compute": {"serverless": {"environmentVersion": "2"}}}));
    assert_eq!(serverless["environments"][0]["spec"]["dependencies"], json!([wheel]));
    assert_eq!(settings(&json!({}))["tasks"][0]["libraries"], Value::Null);
}

#[rstest]
#[case(json!({"tasks": [{"key": "a", "notebook": {"path": "notebooks/none.py"}}]}), "is not among the notebooks")]
#[case(json!({"tasks": [{"key": "a", "notebook": {"path": "jobs/report.py"}}]}), "is not among the notebooks")]
#[case(json!({"tasks": [{"key": "a", "sparkPython": {"file": "notebooks/load.py"}}]}), "is not among the files")]
#[case(json!({"tasks": [{"key": "a", "pythonWheel": {"package": "other", "entryPoint": "m"}}]}), "no wheel of the artifact")]
#[case(json!({"compute": {"cluster": "etl"}}), "there is no cluster etl")]
#[case(json!({"schedule": {"cron": "0 99 * * *"}}), "can't be read")]
#[case(json!({"schedule": {"cron": "0 0 1 * MON"}}), "only one of them")]
#[case(json!({"schedule": {"cron": "0 0 30 2 *"}}), "never comes")]
#[case(json!({"schedule": {"cron": "@daily", "timeZone": "Europe/Atlantis"}}), "not in the IANA time zone database")]
fn what_can_t_be_is_refused_with_a_sentence(#[case] fields: Value, #[case] sentence: &str) {
    let why = refusal(&json!({"jobs": [job(&fields)]}));
    assert!(why.contains(sentence) && why.contains("nightly"), "{why}");
}

#[test]
fn tasks_that_wait_for_each_other_are_refused() {
    let task =
        |key: &str, after: &[&str]| json!({"key": key, "dependsOn": after, "notebook": {"path": "notebooks/load.py"}});
    let tasks = json!([task("a", &[]), task("b", &["a", "d"]), task("c", &["b"]), task("d", &["c"])]);
    let why = refusal(&json!({"jobs": [job(&json!({"tasks": tasks}))]}));
    assert!(why.contains("task b waits for itself"), "{why}");
}

#[test]
fn two_jobs_of_one_name_are_refused() {
    let why = refusal(&json!({"jobs": [job(&json!({})), job(&json!({}))]}));
    assert!(why.contains("another job has the same name"), "{why}");
}

#[test]
fn without_a_pipeline_nothing_is_pruned() {
    let mut by_hand = release(&json!({"jobs": [job(&json!({}))], "prune": true}));
    assert!(planned(&by_hand).is_ok());
    by_hand.metadata.labels = None;
    assert!(planned(&by_hand).expect_err("a refusal").message.contains("prune needs a pipeline"));
    by_hand.spec.operate.prune = false;
    assert!(planned(&by_hand).is_ok());
}

#[rstest]
#[case(json!({"schedule": {"cron": "0 3 * * MON-FRI", "timeZone": "Europe/Lisbon"}}), Some("2026-07-06T02:00:00Z"))]
#[case(json!({"schedule": {"cron": "0 3 * * *", "paused": true}}), None)]
#[case(json!({}), None)]
fn the_next_run_is_known(#[case] fields: Value, #[case] expected: Option<&str>) {
    let friday: Timestamp = "2026-07-03T12:00:00Z".parse().unwrap();
    let next = next_run(&with(&fields).spec.operate.jobs[0], friday);
    assert_eq!(next.map(|next| next.to_string()).as_deref(), expected);
}
