//! Saved jobs over REST: their settings, their runs and their schedules, without any driver.

mod support;

use rstest::rstest;
use serde_json::{Value, json};
use support::api::{Api, api};

fn settings(name: &str) -> Value {
    let task =
        json!({ "task_key": "main", "existing_cluster_id": "c1", "notebook_task": { "notebook_path": "/Shared/n" } });
    json!({ "name": name, "tags": { "owner": "ana" }, "tasks": [task] })
}

/// A job that comes every ten seconds.
fn scheduled(pause: &str) -> Value {
    let mut job = settings("often");
    job["schedule"] =
        json!({ "quartz_cron_expression": "*/10 * * * * ?", "timezone_id": "UTC", "pause_status": pause });
    job
}

/// One whose runs don't wait, as they would by themselves in version 2.2 of the API.
fn impatient(mut job: Value) -> Value {
    job["queue"] = json!({ "enabled": false });
    job
}

async fn create(api: &Api, settings: Value) -> i64 {
    api.ok("/api/2.2/jobs/create", settings).await["job_id"].as_i64().unwrap()
}

#[rstest]
#[tokio::test]
async fn a_job_is_what_was_written_last(api: Api) {
    let id = create(&api, settings("nightly")).await;
    assert!(id > 1 << 53);
    let path = format!("/api/2.2/jobs/get?job_id={id}");
    let (_, job) = api.get(&path).await;
    assert_eq!(
        (&job["settings"]["tags"]["owner"], &job["creator_user_name"]),
        (&json!("ana"), &json!("ana@example.com"))
    );
    assert_eq!(
        (&job["settings"]["max_concurrent_runs"], &job["settings"]["format"]),
        (&json!(1), &json!("MULTI_TASK"))
    );
    let change = json!({ "job_id": id, "new_settings": { "tags": { "team": "data" } }, "fields_to_remove": ["name"] });
    api.ok("/api/2.2/jobs/update", change).await;
    let (_, job) = api.get(&path).await;
    assert_eq!((&job["settings"]["tags"], &job["settings"]["name"]), (&json!({ "team": "data" }), &json!("Untitled")));
    assert_eq!(job["settings"]["tasks"][0]["task_key"], "main");
    // Ids as strings, as the old client sends them.
    api.ok("/api/2.1/jobs/reset", json!({ "job_id": id.to_string(), "new_settings": settings("weekly") })).await;
    let (_, job) = api.get(&path).await;
    assert_eq!((&job["settings"]["tags"], &job["settings"]["name"]), (&json!({ "owner": "ana" }), &json!("weekly")));
    let api = api.restart();
    assert_eq!(api.get(&path).await.1["settings"]["name"], "weekly");
    api.ok("/api/2.1/jobs/delete", json!({ "job_id": id })).await;
    let (status, answer) = api.get(&path).await;
    let message = json!(format!("Job {id} does not exist."));
    assert_eq!(
        (status.as_u16(), &answer["error_code"], &answer["message"]),
        (400, &json!("INVALID_PARAMETER_VALUE"), &message)
    );
}

#[rstest]
#[case::get("GET", "get?job_id=5", json!({}))]
#[case::delete("POST", "delete", json!({ "job_id": 5 }))]
#[case::reset("POST", "reset", json!({ "job_id": 5, "new_settings": {} }))]
#[case::update("POST", "update", json!({ "job_id": 5 }))]
#[case::run_now("POST", "run-now", json!({ "job_id": 5 }))]
#[case::cluster("POST", "create", json!({ "tasks": [{ "task_key": "a", "existing_cluster_id": "x", "notebook_task": { "notebook_path": "/n" } }] }))]
#[case::cron("POST", "create", json!({ "schedule": { "quartz_cron_expression": "* * * * *", "timezone_id": "UTC" } }))]
#[case::zone("POST", "create", json!({ "schedule": { "quartz_cron_expression": "0 0 1 * * ?", "timezone_id": "x" } }))]
#[case::page("GET", "list?limit=101", json!({}))]
#[tokio::test]
async fn what_cannot_be_is_refused(api: Api, #[case] method: &str, #[case] path: &str, #[case] body: Value) {
    let (status, answer) = api.call(method.parse().unwrap(), &format!("/api/2.2/jobs/{path}"), Some(&body)).await;
    assert_eq!((status.as_u16(), &answer["error_code"]), (400, &json!("INVALID_PARAMETER_VALUE")), "{answer}");
}

#[rstest]
#[tokio::test]
async fn jobs_are_listed_in_pages_and_by_name(api: Api) {
    let mut made = Vec::new();
    for number in 0..5 {
        made.push(create(&api, settings(if number % 2 == 0 { "Even" } else { "odd" })).await);
    }
    let (_, none) = api.get("/api/2.2/jobs/list?name=eve").await;
    assert_eq!(none, json!({ "has_more": false }), "a name is compared as a whole");
    let (mut path, mut seen) = ("/api/2.2/jobs/list?limit=2".to_owned(), Vec::new());
    loop {
        let (_, page) = api.get(&path).await;
        seen.extend(page["jobs"].as_array().unwrap().iter().map(|job| job["job_id"].as_i64().unwrap()));
        assert!(page["jobs"][0]["settings"]["tasks"].is_null(), "tasks come only on demand");
        let Some(token) = page["next_page_token"].as_str() else { break };
        path = format!("/api/2.2/jobs/list?limit=2&page_token={token}");
    }
    seen.sort_unstable();
    made.sort_unstable();
    assert_eq!(seen, made);
    let (_, even) = api.get("/api/2.2/jobs/list?name=even&expand_tasks=true").await;
    assert_eq!(even["jobs"].as_array().unwrap().len(), 3);
    assert_eq!(even["jobs"][0]["settings"]["tasks"][0]["task_key"], "main");
}

#[rstest]
#[tokio::test]
async fn many_tasks_are_shown_a_hundred_at_a_time(api: Api) {
    let task = |n: usize| json!({ "task_key": format!("t{n}"), "existing_cluster_id": "c1", "notebook_task": { "notebook_path": "/n" } });
    let job = json!({ "name": "many", "tasks": (0..150).map(task).collect::<Vec<_>>() });
    let id = create(&api, job).await;
    let run = api.ok("/api/2.2/jobs/run-now", json!({ "job_id": id })).await["run_id"].clone();
    let count = |tasks: &Value| tasks.as_array().unwrap().len();
    let job = format!("/api/2.2/jobs/get?job_id={id}");
    let (_, first) = api.get(&job).await;
    assert_eq!((count(&first["settings"]["tasks"]), &first["has_more"]), (100, &json!(true)));
    let token = first["next_page_token"].as_str().unwrap();
    let (_, second) = api.get(&format!("{job}&page_token={token}")).await;
    assert_eq!((count(&second["settings"]["tasks"]), &second["next_page_token"]), (50, &Value::Null));
    assert_eq!(second["settings"]["tasks"][0]["task_key"], "t100");
    let run = format!("/api/2.2/jobs/runs/get?run_id={run}");
    let (_, first) = api.get(&run).await;
    let token = first["next_page_token"].as_str().unwrap();
    let (_, second) = api.get(&format!("{run}&page_token={token}")).await;
    assert_eq!((count(&first["tasks"]), count(&second["tasks"])), (100, 50));
    let (_, listed) = api.get("/api/2.2/jobs/runs/list?expand_tasks=true").await;
    assert_eq!((count(&listed["runs"][0]["tasks"]), &listed["runs"][0]["has_more"]), (100, &json!(true)));
}

#[rstest]
#[tokio::test]
async fn a_job_runs_now_with_its_parameters(api: Api) {
    let mut job = settings("asked");
    job["parameters"] = json!([{ "name": "day", "default": "today" }, { "name": "size", "default": "1" }]);
    job["max_concurrent_runs"] = 10.into();
    let id = create(&api, job).await;
    let ask = json!({ "job_id": id, "job_parameters": { "day": "monday" }, "notebook_params": { "who": "ana" }, "idempotency_token": "t" });
    let first = api.ok("/api/2.2/jobs/run-now", ask.clone()).await;
    assert_eq!(api.ok("/api/2.2/jobs/run-now", ask).await, first, "the same token gives the same run");
    let (_, run) = api.get(&format!("/api/2.2/jobs/runs/get?run_id={}", first["run_id"])).await;
    assert_eq!(
        (&run["job_id"], &run["run_type"], &run["trigger"]),
        (&json!(id), &json!("JOB_RUN"), &json!("ONE_TIME"))
    );
    let given = &run["tasks"][0]["notebook_task"]["base_parameters"];
    assert_eq!(given, &json!({ "day": "monday", "size": "1", "who": "ana" }));
    let unknown = json!({ "job_id": id, "job_parameters": { "none": "1" } });
    assert_eq!(api.post("/api/2.2/jobs/run-now", unknown).await.0, 400);
    let submit =
        json!({ "existing_cluster_id": "c1", "notebook_task": { "notebook_path": "/n" }, "idempotency_token": "t" });
    let other = api.ok("/api/2.2/jobs/runs/submit", submit).await;
    assert_ne!(other, first, "a job's tokens are its own");
    let (_, runs) = api.get(&format!("/api/2.2/jobs/runs/list?job_id={id}&run_type=JOB_RUN")).await;
    assert_eq!(runs["runs"].as_array().unwrap().len(), 1);
    let (_, runs) = api.get("/api/2.2/jobs/runs/list?run_type=SUBMIT_RUN").await;
    assert_eq!(runs["runs"][0]["run_id"], other["run_id"]);
}

#[tokio::test]
async fn a_schedule_runs_its_job_and_skips_what_would_be_too_much() {
    // The cluster takes its time, so that the first run is still going when the second one is due.
    let api = Api::start(&["--start-delay-ms", "60000"]);
    let paused = create(&api, scheduled("PAUSED")).await;
    let id = create(&api, impatient(scheduled("UNPAUSED"))).await;
    let list = format!("/api/2.2/jobs/runs/list?job_id={id}");
    let two = api.until(&list, |found| found["runs"].as_array().is_some_and(|runs| runs.len() == 2)).await;
    let (second, first) = (&two["runs"][0], &two["runs"][1]);
    assert_eq!((&first["trigger"], &first["state"]["life_cycle_state"]), (&json!("PERIODIC"), &json!("PENDING")));
    assert_eq!(first["schedule"]["quartz_cron_expression"], "*/10 * * * * ?");
    let state = &second["state"];
    assert_eq!(
        (&state["life_cycle_state"], &state["result_state"]),
        (&json!("SKIPPED"), &json!("MAXIMUM_CONCURRENT_RUNS_REACHED"))
    );
    assert_eq!(second["status"]["termination_details"]["code"], "MAX_CONCURRENT_RUNS_EXCEEDED");
    assert_eq!(
        state["state_message"],
        "Skipping this run because the limit of 1 maximum concurrent runs has been reached."
    );
    let (_, none) = api.get(&format!("/api/2.2/jobs/runs/list?job_id={paused}")).await;
    assert_eq!(none["runs"], json!([]), "a paused schedule rests");
    api.ok("/api/2.2/jobs/delete", json!({ "job_id": id })).await;
    let path = format!("/api/2.2/jobs/runs/get?run_id={}", first["run_id"]);
    api.until(&path, |run| run["state"]["result_state"] == "CANCELED").await;
}
