//! The rules of jobs and their schedules, evaluated as the API server does.

use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::{DatabricksRelease, DatabricksReleaseSpec};

/// What the API server would say: nothing, or the sentence.
fn of_schedule(cron: &str, zone: &str) -> Option<String> {
    let schedule = json!({"cron": cron, "timeZone": zone, "paused": false});
    JobSchedule::validate_cel(&schedule, None).err().map(|errors| errors.to_string())
}

/// The same of a release with this job.
fn of_job(fields: &Value) -> Option<String> {
    let mut job = json!({"name": "nightly", "tasks": [{"key": "load", "notebook": {"path": "notebooks/load.py"}}]});
    job.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let spec: DatabricksReleaseSpec = serde_json::from_value(json!({
        "source": {"artifactFrom": [{"release": "a", "digest": format!("sha256:{}", "a".repeat(64))}]},
        "workspaceRef": {"name": "staging"},
        "operate": {"jobs": [job]},
    }))
    .unwrap();
    let mut release = DatabricksRelease::new("by-hand", spec);
    release.metadata.namespace = Some("data".to_owned());
    release.validate_cel().err().map(|errors| errors.to_string())
}

fn tasks(tasks: &[(&str, &[&str])]) -> Value {
    let task = |(key, after): &(&str, &[&str])| json!({"key": key, "dependsOn": after, "notebook": {"path": "notebooks/load.py"}});
    json!({"tasks": tasks.iter().map(task).collect::<Vec<_>>()})
}

#[rstest]
#[case("0 3 * * 1-5", "UTC")]
#[case("0 3 1,15 * *", "Europe/Lisbon")]
#[case("0 3 ? * MON", "UTC")]
#[case("0 3 */2 * ?", "UTC")]
#[case("@daily", "$(params.zone)")]
#[case("$(params.cron)", "$(workspace.vars.zone)")]
fn a_schedule_is_taken(#[case] cron: &str, #[case] zone: &str) {
    assert_eq!(of_schedule(cron, zone), None);
}

#[rstest]
#[case("0 3 1 * MON", "UTC", "not both")]
#[case("0 3 */2 * 1", "UTC", "not both")]
#[case("0 0 3 * * 1-5", "UTC", "cron is five fields")]
#[case("$(params.minute) 3 * * *", "UTC", "cron is five fields")]
#[case("@daily", "Local", "timeZone is a name")]
#[case("@daily", "$(params.zone)/x", "timeZone is a name")]
fn another_schedule_is_refused(#[case] cron: &str, #[case] zone: &str, #[case] sentence: &str) {
    let said = of_schedule(cron, zone).expect("a refusal");
    assert!(said.contains(sentence), "{said}");
}

#[rstest]
#[case(json!({}))]
#[case(tasks(&[("a", &[]), ("b", &["a"]), ("c_1-d", &["a", "b"])]))]
#[case(json!({"tags": {"team": "data", "cost center": "a/b"}, "parameters": {"env": "$(params.env)"}}))]
#[case(json!({"tasks": [{"key": "a", "pythonWheel": {"package": "dbxdemo", "entryPoint": "main"}}]}))]
fn a_job_is_taken(#[case] fields: Value) {
    assert_eq!(of_job(&fields), None);
}

#[rstest]
#[case(tasks(&[("a", &["b"])]), "dependsOn names other tasks")]
#[case(tasks(&[("a", &["a"])]), "dependsOn names other tasks")]
#[case(tasks(&[("a b", &[])]), "a task's key is a word")]
#[case(json!({"tasks": [{"key": "a"}]}), "exactly one of notebook")]
#[case(json!({"tags": {"brickline-owner": "x"}}), "set by the controller")]
#[case(json!({"tags": {"1a": "x"}}), "begin with a letter")]
#[case(json!({"parameters": {"a b": "x"}}), "names of a job's parameters")]
fn another_job_is_refused(#[case] fields: Value, #[case] sentence: &str) {
    let said = of_job(&fields).expect("a refusal");
    assert!(said.contains(sentence), "{said}");
}

/// On which clusters libraries are installed, and where a job runs.
fn on_cluster(install: &Value, job: &Value, task: &Value, allowed: bool) -> Option<String> {
    let mut task_ = json!({"key": "load", "notebook": {"path": "notebooks/load.py"}});
    if !task.is_null() {
        task_["compute"] = task.clone();
    }
    let spec: DatabricksReleaseSpec = serde_json::from_value(json!({
        "source": {"artifactFrom": [{"release": "a", "digest": format!("sha256:{}", "a".repeat(64))}]},
        "workspaceRef": {"name": "staging"},
        "install": install,
        "test": {"notebooks": []},
        "operate": {"jobs": [{"name": "nightly", "tasks": [task_], "compute": job}], "allowOtherCluster": allowed},
    }))
    .unwrap();
    let mut release = DatabricksRelease::new("by-hand", spec);
    release.metadata.namespace = Some("data".to_owned());
    release.validate_cel().err().map(|errors| errors.to_string())
}

#[rstest]
#[case(json!({}), json!({}), json!(null))]
#[case(json!({"clusters": ["etl"]}), json!({"cluster": "etl"}), json!(null))]
#[case(json!({"clusters": ["etl"]}), json!({}), json!({"cluster": "etl"}))]
#[case(json!({}), json!({"serverless": {}}), json!(null))]
#[case(json!({}), json!({"newCluster": {"policyId": "P1"}}), json!(null))]
#[case(json!({"clusters": []}), json!({"cluster": "etl"}), json!(null))]
#[case(json!({"libraries": []}), json!({"cluster": "etl"}), json!(null))]
fn a_job_runs_where_the_libraries_are(#[case] install: Value, #[case] job: Value, #[case] task: Value) {
    assert_eq!(on_cluster(&install, &job, &task, false), None);
}

#[rstest]
#[case(json!({}), json!({"cluster": "etl"}), json!(null))]
#[case(json!({"clusters": ["etl"]}), json!({}), json!(null))]
#[case(json!({}), json!({}), json!({"cluster": "etl"}))]
#[case(json!({}), json!({"cluster": "main"}), json!({"cluster": "etl"}))]
fn a_job_on_another_cluster_is_refused_unless_allowed(#[case] install: Value, #[case] job: Value, #[case] task: Value) {
    let said = on_cluster(&install, &job, &task, false).expect("a refusal");
    assert!(said.contains("a job's compute.cluster is none of install.clusters"), "{said}");
    assert_eq!(on_cluster(&install, &job, &task, true), None);
}
