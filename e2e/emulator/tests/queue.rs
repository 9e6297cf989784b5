//! Runs that a limit keeps from beginning: they wait, are skipped or refused. Without any driver: clusters that take long to
//! start keep the runs that are ahead going.

mod support;

use reqwest::StatusCode;
use rstest::rstest;
use serde_json::{Value, json};
use support::api::Api;

/// One run of it never ends by itself.
fn job(queue: Option<bool>) -> Value {
    let task =
        json!({ "task_key": "t", "existing_cluster_id": "c1", "notebook_task": { "notebook_path": "/Shared/n" } });
    let mut job = json!({ "name": "busy", "tasks": [task] });
    if let Some(enabled) = queue {
        job["queue"] = json!({ "enabled": enabled });
    }
    job
}

fn start() -> Api {
    Api::start(&["--start-delay-ms", "600000"])
}

async fn create(api: &Api, version: &str, job: Value) -> Value {
    api.ok(&format!("/api/{version}/jobs/create"), job).await["job_id"].clone()
}

async fn run_now(api: &Api, job_id: &Value) -> Value {
    api.ok("/api/2.2/jobs/run-now", json!({ "job_id": job_id })).await["run_id"].clone()
}

async fn run(api: &Api, run_id: &Value) -> Value {
    api.get(&format!("/api/2.2/jobs/runs/get?run_id={run_id}")).await.1
}

fn state(run: &Value) -> &str {
    run["state"]["life_cycle_state"].as_str().unwrap()
}

async fn cancel(api: &Api, run_id: &Value) -> Value {
    api.ok("/api/2.2/jobs/runs/cancel", json!({ "run_id": run_id })).await;
    let path = format!("/api/2.2/jobs/runs/get?run_id={run_id}");
    api.until(&path, |run| run["state"]["result_state"] == "CANCELED").await
}

#[rstest]
#[case::asked_for("2.1", Some(true), "QUEUED")]
#[case::by_itself("2.2", None, "QUEUED")]
#[case::not_in_the_older_version("2.1", None, "SKIPPED")]
#[case::declined("2.2", Some(false), "SKIPPED")]
#[tokio::test]
async fn a_run_too_many(#[case] version: &str, #[case] queue: Option<bool>, #[case] want: &str) {
    let api = start();
    let id = create(&api, version, job(queue)).await;
    let first = run_now(&api, &id).await;
    let second = run(&api, &run_now(&api, &id).await).await;
    assert_eq!((state(&run(&api, &first).await), state(&second)), ("PENDING", want));
}

#[tokio::test]
async fn those_who_wait_come_in_their_order() {
    let api = start();
    let id = create(&api, "2.2", job(None)).await;
    let mut runs = Vec::new();
    for _ in 0..4 {
        runs.push(run_now(&api, &id).await);
    }
    let second = run(&api, &runs[1]).await;
    assert_eq!(second["state"]["queue_reason"], "Queued due to reaching maximum concurrent runs of 1.");
    assert_eq!(
        (&second["status"]["state"], &second["status"]["queue_details"]["code"]),
        (&json!("QUEUED"), &json!("MAX_CONCURRENT_RUNS_REACHED"))
    );
    assert_eq!(second["tasks"][0]["state"]["life_cycle_state"], "BLOCKED");
    let active = api.get("/api/2.2/jobs/runs/list?active_only=true").await.1;
    assert_eq!(active["runs"].as_array().unwrap().len(), 4, "whoever waits is active");
    // One that gives up makes no room.
    let canceled = cancel(&api, &runs[2]).await;
    assert_eq!(state(&canceled), "TERMINATED");
    assert_eq!(state(&run(&api, &runs[1]).await), "QUEUED");
    cancel(&api, &runs[0]).await;
    let path = format!("/api/2.2/jobs/runs/get?run_id={}", runs[1]);
    let second = api.until(&path, |run| run["state"]["life_cycle_state"] == "PENDING").await;
    assert!(second["queue_duration"].as_i64().is_some_and(|waited| waited > 0), "{second}");
    assert!(second["state"]["queue_reason"].is_null());
    assert_eq!(state(&run(&api, &runs[3]).await), "QUEUED");
    // A higher limit lets the next one in.
    let more = json!({ "job_id": id, "new_settings": { "max_concurrent_runs": 2 } });
    api.ok("/api/2.2/jobs/update", more).await;
    let path = format!("/api/2.2/jobs/runs/get?run_id={}", runs[3]);
    api.until(&path, |run| run["state"]["life_cycle_state"] == "PENDING").await;
}

#[tokio::test]
async fn whoever_waits_outlives_the_emulator() {
    let api = start();
    let id = create(&api, "2.2", job(None)).await;
    let (first, second) = (run_now(&api, &id).await, run_now(&api, &id).await);
    let api = api.restart();
    assert_eq!(run(&api, &first).await["status"]["termination_details"]["code"], "CLUSTER_ERROR");
    let path = format!("/api/2.2/jobs/runs/get?run_id={second}");
    // There is no driver: that it fails shows that its turn came.
    let second = api.until(&path, |run| run["state"]["life_cycle_state"] == "INTERNAL_ERROR").await;
    assert!(second["state"]["state_message"].as_str().is_some_and(|text| text.contains("--no-drivers")), "{second}");
}

#[tokio::test]
async fn waiting_runs_are_canceled_together() {
    let api = start();
    let id = create(&api, "2.2", job(None)).await;
    let (first, second) = (run_now(&api, &id).await, run_now(&api, &id).await);
    assert_eq!(api.post("/api/2.2/jobs/runs/cancel-all", json!({})).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(api.post("/api/2.2/jobs/runs/cancel-all", json!({ "job_id": 5 })).await.0, StatusCode::BAD_REQUEST);
    api.ok("/api/2.2/jobs/runs/cancel-all", json!({ "all_queued_runs": true })).await;
    let canceled = |run: &Value| run["state"]["result_state"] == "CANCELED";
    api.until(&format!("/api/2.2/jobs/runs/get?run_id={second}"), canceled).await;
    assert_eq!(state(&run(&api, &first).await), "PENDING");
    api.ok("/api/2.2/jobs/runs/cancel-all", json!({ "job_id": id })).await;
    api.until(&format!("/api/2.2/jobs/runs/get?run_id={first}"), canceled).await;
}

#[tokio::test]
async fn a_full_workspace_refuses_or_lets_wait() {
    let api = start();
    api.ok("/emulator/limits", json!({ "mode": "documented", "task_runs": 1 })).await;
    let submit = |queue: Value| {
        let mut body = json!({ "existing_cluster_id": "c1", "notebook_task": { "notebook_path": "/Shared/n" } });
        body["queue"] = queue;
        body
    };
    let path = "/api/2.2/jobs/runs/submit";
    let first = api.ok(path, submit(Value::Null)).await["run_id"].clone();
    let (status, answer) = api.post(path, submit(json!({ "enabled": false }))).await;
    assert_eq!((status.as_u16(), &answer["error_code"]), (429, &json!("REQUEST_LIMIT_EXCEEDED")), "{answer}");
    let patient = api.ok(path, submit(json!({ "enabled": true }))).await["run_id"].clone();
    let waiting = run(&api, &patient).await;
    assert_eq!(
        (state(&waiting), &waiting["status"]["queue_details"]["code"]),
        ("QUEUED", &json!("ACTIVE_RUNS_LIMIT_REACHED"))
    );
    assert_eq!(api.post(path, submit(json!({}))).await.0, StatusCode::BAD_REQUEST, "enabled is required");
    cancel(&api, &first).await;
    let path = format!("/api/2.2/jobs/runs/get?run_id={patient}");
    api.until(&path, |run| run["state"]["life_cycle_state"] == "PENDING").await;
}
