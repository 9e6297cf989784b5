//! Saved jobs: listed to the last page, created at most once, deleted for good.

use serde_json::{Value, json};
use wiremock::matchers::{path, query_param, query_param_is_missing};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::super::Category;
use super::super::compute::NewCluster;
use super::super::jobs::{
    CronSchedule, Dependency, EmailNotifications, Job, JobCluster, JobParameter, JobSettings, JobTask, PauseStatus,
};
use super::super::tasks::{NotebookTask, Origin, PythonWheelTask, Task, Work};
use super::{always, client, first, sent};

const LIST: &str = "/api/2.2/jobs/list";

fn ok(body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

#[tokio::test]
async fn all_pages_of_jobs_are_read() {
    let server = MockServer::start().await;
    let ours = json!({
        "job_id": 9_007_199_254_740_993_i64,
        "creator_user_name": "sp-release",
        "created_time": 7,
        "settings": {"name": "nightly", "tags": {"team": "data"}, "format": "MULTI_TASK"},
    });
    let bare = json!({"job_id": "12", "creator_user_name": null, "settings": {"name": null, "tags": null}});
    let last = Mock::given(path(LIST)).and(query_param("page_token", "two")).and(query_param("limit", "100"));
    last.respond_with(ok(&json!({"jobs": [bare], "has_more": false, "next_page_token": ""}))).mount(&server).await;
    let page = Mock::given(path(LIST)).and(query_param_is_missing("page_token"));
    page.respond_with(ok(&json!({"jobs": [ours], "has_more": true, "next_page_token": "two"}))).mount(&server).await;
    let jobs = client(&server).0.jobs().await.expect("jobs");
    assert_eq!(jobs.iter().map(|job| job.job_id).collect::<Vec<_>>(), [9_007_199_254_740_993, 12]);
    assert_eq!((jobs[0].settings.name.as_str(), jobs[0].settings.tags["team"].as_str()), ("nightly", "data"));
    assert_eq!((jobs[0].creator_user_name.as_str(), jobs[0].created_time), ("sp-release", 7));
    assert!(jobs[1].settings.tags.is_empty() && jobs[1].creator_user_name.is_empty());
}

#[tokio::test]
async fn a_workspace_without_jobs_lists_none() {
    let server = always(ok(&json!({}))).await;
    assert_eq!(client(&server).0.jobs().await, Ok(Vec::new()));
}

/// Whoever took a part for the whole would create what is there already.
#[tokio::test]
async fn a_listing_without_end_is_an_error() {
    let server = always(ok(&json!({"jobs": [{"job_id": 1}], "next_page_token": "again"}))).await;
    let error = client(&server).0.pages_of_jobs::<Job>(3, false).await.expect_err("an error");
    assert_eq!(error.to_string(), "jobs/list: the workspace has more than 3 jobs: delete some");
    assert_eq!(sent(&server).await.len(), 3);
}

fn settings() -> JobSettings {
    let (notebook_path, source) = ("/Shared/load.py".to_owned(), Origin::Workspace);
    let notebook = Work::NotebookTask(NotebookTask { notebook_path, source, base_parameters: [].into() });
    let load = Task::new("load", notebook, 0);
    let (package_name, entry_point) = ("dbxdemo".to_owned(), "report".to_owned());
    let wheel = PythonWheelTask { package_name, entry_point, ..PythonWheelTask::default() };
    let new_cluster = Box::new(NewCluster { num_workers: Some(1), ..NewCluster::default() });
    let report = Task::new("report", Work::PythonWheelTask(wheel), 60);
    JobSettings {
        name: "nightly".to_owned(),
        tags: [("team".to_owned(), "data".to_owned())].into(),
        tasks: vec![
            JobTask { task: load, depends_on: Vec::new(), job_cluster_key: Some("job".to_owned()) },
            JobTask {
                task: report,
                depends_on: vec![Dependency { task_key: "load".to_owned() }],
                job_cluster_key: None,
            },
        ],
        job_clusters: vec![JobCluster { job_cluster_key: "job".to_owned(), new_cluster }],
        schedule: Some(CronSchedule {
            quartz_cron_expression: "0 0 3 ? * MON-FRI".to_owned(),
            timezone_id: "Europe/Lisbon".to_owned(),
            pause_status: PauseStatus::Paused,
        }),
        parameters: vec![JobParameter { name: "env".to_owned(), default: "staging".to_owned() }],
        email_notifications: Some(EmailNotifications { on_failure: vec!["data@example.com".to_owned()] }),
        timeout_seconds: 3600,
        max_concurrent_runs: 1,
        ..JobSettings::default()
    }
}

#[tokio::test]
async fn a_job_is_created_as_the_api_wants_it() {
    let server = always(ok(&json!({"job_id": 9_007_199_254_740_993_i64}))).await;
    assert_eq!(client(&server).0.create_job(&settings()).await, Ok(9_007_199_254_740_993));
    let request = &sent(&server).await[0];
    assert_eq!((request.method.as_str(), request.url.path()), ("POST", "/api/2.2/jobs/create"));
    insta::assert_json_snapshot!(request.body_json::<Value>().expect("JSON"));
}

#[tokio::test]
async fn a_job_is_never_created_twice_by_one_call() {
    let server = first(1, ResponseTemplate::new(503)).await;
    let error = client(&server).0.create_job(&settings()).await.expect_err("an error");
    assert_eq!((error.category(), sent(&server).await.len()), (Category::Unavailable, 1));
}

#[tokio::test]
async fn a_reset_replaces_everything_and_is_repeated() {
    let server = first(1, ResponseTemplate::new(503)).await;
    client(&server).0.reset_job(5, &settings()).await.expect("the second attempt");
    let requests = sent(&server).await;
    let body: Value = requests[1].body_json().expect("JSON");
    assert_eq!((requests.len(), requests[1].url.path()), (2, "/api/2.2/jobs/reset"));
    assert_eq!((&body["job_id"], &body["new_settings"]), (&json!(5), &json!(settings())));
}

#[tokio::test]
async fn a_job_that_is_gone_counts_as_deleted() {
    let gone = json!({"error_code": "INVALID_PARAMETER_VALUE", "message": "Job 5 does not exist."});
    let server = always(ResponseTemplate::new(400).set_body_json(gone)).await;
    assert_eq!(client(&server).0.delete_job(5).await, Ok(()));
    assert_eq!(sent(&server).await[0].body_json::<Value>().expect("JSON"), json!({"job_id": 5}));
}
