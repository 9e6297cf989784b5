//! Changes carried out over the API: in order, and with words that name the job.

use std::cell::RefCell;
use std::sync::Arc;

use brickline_crds::Reason;
use serde_json::{Value, json};
use wiremock::matchers::{body_partial_json, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::super::act::apply;
use super::super::{Changes, Operated};
use super::{job, planned, release};
use crate::databricks::jobs::JobSettings;
use crate::databricks::{Auth, Client, ClientConfig, HttpConfig, Limits, Timings, Unobserved, connect};
use crate::trouble::Trouble;

fn client(server: &MockServer) -> Client {
    let (auth, http) = (Auth::Token("dapi-1".into()), connect(&HttpConfig::default()).unwrap());
    let (host, timings) = (server.uri().parse().unwrap(), Timings::default());
    let config = ClientConfig { host, auth, http, timings, limits: Limits::default(), observer: Arc::new(Unobserved) };
    Client::new(config).unwrap()
}

/// The settings of these jobs.
fn settings(names: &[&str]) -> Vec<JobSettings> {
    let jobs: Vec<Value> = names.iter().map(|name| job(&json!({"name": name}))).collect();
    planned(&release(&json!({"jobs": jobs}))).unwrap().into_iter().map(|(_, settings)| settings).collect()
}

fn known(name: &str, id: i64) -> Operated {
    Operated { name: name.to_owned(), id }
}

fn changes() -> Changes {
    let (create, reset) = (vec!["new".to_owned()], vec![known("old", 5)]);
    Changes { create, reset, keep: vec![known("same", 6)], delete: vec![7] }
}

async fn on(server: &MockServer, call: &str, body: Value, answer: ResponseTemplate) {
    let at = format!("/api/2.2/jobs/{call}");
    Mock::given(path(at)).and(body_partial_json(body)).respond_with(answer).mount(server).await;
}

fn ok(body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

/// What changing the jobs brought, and the lines that were told.
async fn applied(server: &MockServer) -> (Result<Vec<Operated>, Trouble>, Vec<String>) {
    let told: RefCell<Vec<String>> = RefCell::default();
    let tell = |line| told.borrow_mut().push(line);
    let done = apply(&client(server), &changes(), &settings(&["new", "old", "same"]), tell).await;
    (done, told.into_inner())
}

async fn calls(server: &MockServer) -> Vec<String> {
    let sent = server.received_requests().await.unwrap();
    sent.iter().map(|request: &Request| request.url.path().replace("/api/2.2/jobs/", "")).collect()
}

#[tokio::test]
async fn jobs_are_created_reset_and_deleted() {
    let server = MockServer::start().await;
    on(&server, "create", json!({"name": "new", "max_concurrent_runs": 1}), ok(&json!({"job_id": 4}))).await;
    on(&server, "reset", json!({"job_id": 5, "new_settings": {"name": "old"}}), ok(&json!({}))).await;
    on(&server, "delete", json!({"job_id": 7}), ok(&json!({}))).await;
    let (done, told) = applied(&server).await;
    assert_eq!(done.unwrap(), [known("same", 6), known("new", 4), known("old", 5)]);
    assert_eq!(told, ["job new: created, id 4", "job old: reset, id 5", "job deleted, id 7"]);
    assert_eq!(calls(&server).await, ["create", "reset", "delete"]);
}

#[tokio::test]
async fn a_refusal_names_the_job_and_nothing_is_deleted() {
    let server = MockServer::start().await;
    let refusal = json!({"error_code": "INVALID_PARAMETER_VALUE", "message": "the policy forbids it"});
    on(&server, "create", json!({}), ok(&json!({"job_id": 4}))).await;
    on(&server, "reset", json!({}), ResponseTemplate::new(400).set_body_json(refusal)).await;
    let (done, told) = applied(&server).await;
    let trouble = done.unwrap_err();
    assert_eq!(told, ["job new: created, id 4"], "what was done before is told");
    assert_eq!((trouble.reason, trouble.transient), (Reason::DeployFailed, false));
    assert_eq!(trouble.message, "job old: jobs/reset: 400 INVALID_PARAMETER_VALUE: the policy forbids it");
    assert_eq!(calls(&server).await, ["create", "reset"]);
}
