//! The rules of jobs and their schedules, evaluated as the API server does.

use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::examples::{Example, rows};
use crate::release::tests::{artifact, release};
use crate::{DatabricksRelease, DatabricksReleaseSpec};

/// What the API server would say: nothing, or the sentence.
fn of_schedule(cron: &str, zone: &str) -> Option<String> {
    let schedule = json!({"cron": cron, "timeZone": zone, "paused": false});
    JobSchedule::validate_cel(&schedule, None).err().map(|errors| errors.to_string())
}

/// Releases with these jobs.
pub(crate) fn examples() -> impl Iterator<Item = Example> {
    let of = |fields: &Value| {
        let mut job = json!({"name": "nightly", "tasks": [{"key": "load", "notebook": {"path": "notebooks/load.py"}}]});
        job.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        release(&artifact(), json!({"workspaceRef": {"name": "staging"}, "operate": {"jobs": [job]}}))
    };
    let taken = taken().into_iter().map(move |fields| Example::taken(of(&fields)));
    taken.chain(refused().into_iter().map(move |(fields, words)| Example::refused((of(&fields), words))))
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

/// Fields of a job that are taken.
fn taken() -> Vec<Value> {
    rows! {
        json!({});
        tasks(&[("a", &[]), ("b", &["a"]), ("c_1-d", &["a", "b"])]);
        json!({"schedule": {"cron": "0 3 * * MON-FRI", "timeZone": "Europe/Lisbon"}});
        json!({"schedule": {"cron": "$(params.cron)", "timeZone": "$(params.zone)"}});
        json!({"tasks": [
            {"key": "a", "sparkPython": {"file": "jobs/a.py"}, "compute": {"serverless": {}}, "timeout": "10m"}
        ]});
        json!({"tags": {"team": "data", "cost center": "a/b"}, "parameters": {"env": "$(params.env)"}});
        json!({"tasks": [{"key": "a", "pythonWheel": {"package": "dbxdemo", "entryPoint": "main"}}]});
    }
}

/// Fields of a job that are refused, and in which words.
fn refused() -> Vec<(Value, &'static str)> {
    rows! {
        tasks(&[("a", &["b"])]) => "dependsOn names other tasks";
        tasks(&[("a", &["a"])]) => "dependsOn names other tasks";
        tasks(&[("a b", &[])]) => "a task's key is a word";
        json!({"tasks": [{"key": "a"}]}) => "exactly one of notebook";
        json!({"schedule": {"cron": "tomorrow"}}) => "cron is five fields";
        json!({"schedule": {"cron": "0 3 1 * MON"}}) => "not both";
        json!({"schedule": {"cron": "@daily", "timeZone": "Local"}}) => "timeZone is a name";
        json!({"tasks": [
            {"key": "a", "notebook": {"path": "a"}, "compute": {"cluster": "main", "serverless": {}}}
        ]}) => "compute is one of cluster";
        json!({"compute": {"cluster": "etl"}}) => "a job's compute.cluster is none of install.clusters";
        json!({"tags": {"brickline-owner": "x"}}) => "set by the controller";
        json!({"tags": {"1a": "x"}}) => "begin with a letter";
        json!({"parameters": {"a b": "x"}}) => "names of a job's parameters";
    }
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
