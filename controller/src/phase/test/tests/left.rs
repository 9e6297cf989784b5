//! What can't be read of a run is never taken for a run whose tests had nothing to say.

use std::sync::Arc;

use brickline_crds::{Framework, InnerTests};
use rstest::rstest;
use serde_json::{Value, json};
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::super::collect::judged;
use super::super::{Item, left};
use super::samples::notebook;
use crate::databricks::tasks::{Origin, PythonWheelTask, SparkPythonTask, Work};
use crate::databricks::{Auth, Client, ClientConfig, HttpConfig, Limits, Timings, Unobserved, connect};
use crate::trouble::Trouble;
use crate::verdict::{NotebookVerdict, Reason, Verdict};

/// A notebook's page without cells.
const EMPTY: &str = "<script>var __DATABRICKS_NOTEBOOK_MODEL = {\"commands\": []};</script>";

fn client(server: &MockServer) -> Client {
    let (auth, http) = (Auth::Token("dapi-1".into()), connect(&HttpConfig::default()).unwrap());
    let (host, timings) = (server.uri().parse().unwrap(), Timings::default());
    let config = ClientConfig { host, auth, http, timings, limits: Limits::default(), observer: Arc::new(Unobserved) };
    Client::new(config).unwrap()
}

fn ok(body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

fn refused(status: u16, code: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(json!({"error_code": code, "message": "no"}))
}

/// A run that ended so, and whose output is answered so.
async fn server(result: &str, output: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    let state = json!({"life_cycle_state": "TERMINATED", "result_state": result});
    let run = json!({"run_id": 7, "state": state, "tasks": [{"run_id": 8, "task_key": "test", "state": state}]});
    let views = json!({"views": [{"type": "NOTEBOOK", "content": EMPTY}]});
    for (call, answer) in [("get", ok(&run)), ("export", ok(&views)), ("get-output", output)] {
        Mock::given(path(format!("/api/2.2/jobs/runs/{call}"))).respond_with(answer).mount(&server).await;
    }
    server
}

async fn verdict(result: &str, output: ResponseTemplate, item: &Item) -> Result<NotebookVerdict, Trouble> {
    let server = server(result, output).await;
    Ok(judged(item, &left::read(&client(&server), 7, item).await?.expect("the run is there"), None))
}

fn wheel() -> Item {
    let (package_name, entry_point) = ("dbxdemo".to_owned(), "smoke".to_owned());
    let (parameters, named_parameters) = (Vec::new(), [].into());
    let work = PythonWheelTask { package_name, entry_point, parameters, named_parameters };
    Item { work: Work::PythonWheelTask(work), ..notebook("smoke") }
}

fn python() -> Item {
    let (python_file, source, parameters) = ("/Shared/smoke.py".to_owned(), Origin::Workspace, Vec::new());
    Item { work: Work::SparkPythonTask(SparkPythonTask { python_file, source, parameters }), ..notebook("smoke") }
}

/// A notebook of whose tests only these count.
fn listens(frameworks: &[Framework]) -> Item {
    Item { inner: InnerTests { frameworks: frameworks.to_vec(), required: false }, ..notebook("notebooks/one.py") }
}

#[rstest]
#[tokio::test]
async fn a_run_whose_output_cant_be_read_does_not_pass(
    #[values(wheel(), python(), notebook("notebooks/one.py"))] item: Item,
    #[values(
        refused(403, "PERMISSION_DENIED"),
        refused(400, "INVALID_PARAMETER_VALUE"),
        ResponseTemplate::new(200).set_body_string("{\"logs\": \"Ran 3 te"),
        ResponseTemplate::new(200).set_body_string("{\"logs\": 7}"),
    )]
    output: ResponseTemplate,
) {
    let verdict = verdict("SUCCESS", output, &item).await.expect("a verdict").verdict;
    let Verdict::Failed { reason, message } = verdict else { panic!("passed") };
    assert_eq!(reason, Reason::NoTestReport, "{message}");
    assert!(message.contains("what it left can't be read") && message.contains("get-output"), "{message}");
}

#[tokio::test]
async fn what_is_not_listened_to_need_not_be_read() {
    for frameworks in [&[][..], &[Framework::Unittest]] {
        let told = verdict("SUCCESS", refused(403, "PERMISSION_DENIED"), &listens(frameworks)).await;
        assert_eq!(told.expect("a verdict").verdict, Verdict::Passed);
    }
}

#[tokio::test]
async fn a_run_that_never_started_is_judged_by_its_state() {
    let told = verdict("FAILED", refused(400, "INVALID_PARAMETER_VALUE"), &wheel()).await.expect("a verdict");
    let Verdict::Failed { reason, message } = told.verdict else { panic!("passed") };
    assert_eq!(reason, Reason::NotebookFailed, "{message}");
}

#[tokio::test]
async fn refused_credentials_are_waited_for() {
    for item in [wheel(), notebook("notebooks/one.py")] {
        let trouble = verdict("SUCCESS", refused(401, "UNAUTHENTICATED"), &item).await.expect_err("no verdict");
        assert_eq!((trouble.reason, trouble.transient), (brickline_crds::Reason::AuthenticationFailed, true));
    }
}

#[tokio::test]
async fn what_can_be_read_is_listened_to() {
    let printed = json!({"logs": "Ran 1 test in 0.001s\n\nFAILED (failures=1)\n"});
    let told = verdict("SUCCESS", ok(&printed), &wheel()).await.expect("a verdict");
    assert!(matches!(told.verdict, Verdict::Failed { reason: Reason::InnerTestsFailed, .. }), "{told:?}");
    assert_eq!(verdict("SUCCESS", ok(&json!({})), &wheel()).await.expect("a verdict").verdict, Verdict::Passed);
}

/// Notebooks print what they were given; status, log and report are for everybody who may see the release.
#[tokio::test]
async fn no_secret_of_a_run_is_told_wherever_it_was_printed() {
    const CANARY: &str = "canary-4f2c\"91d0";
    let server = MockServer::start().await;
    let state = json!({"life_cycle_state": "INTERNAL_ERROR", "result_state": "FAILED", "state_message": CANARY});
    let run = json!({"run_id": 7, "state": state, "tasks": [{"run_id": 8, "task_key": "test", "state": state}]});
    let exit = json!({"tests": [{"name": "rows", "outcome": "failed", "message": CANARY}]}).to_string();
    let output = json!({"notebook_output": {"result": exit}, "error": CANARY, "error_trace": CANARY, "logs": CANARY});
    let failed = format!("FAILED a.py::test_{CANARY} - {}{CANARY}\n", "x".repeat(490));
    let cell = json!({"commandTitle": CANARY, "state": "error", "errorSummary": CANARY,
        "results": {"type": "ansi", "data": failed}});
    let page = format!("<script>var __DATABRICKS_NOTEBOOK_MODEL = {};</script>", json!({"commands": [cell]}));
    let views = json!({"views": [{"type": "NOTEBOOK", "content": page}]});
    for (call, answer) in [("get", ok(&run)), ("export", ok(&views)), ("get-output", ok(&output))] {
        Mock::given(path(format!("/api/2.2/jobs/runs/{call}"))).respond_with(answer).mount(&server).await;
    }
    for item in [notebook("notebooks/one.py"), wheel()] {
        let mut left = left::read(&client(&server), 7, &item).await.unwrap().expect("the run is there");
        left.conceal(&[CANARY.into()]);
        let verdict = judged(&item, &left, None);
        let kept = [serde_json::to_string(&verdict).unwrap(), serde_json::to_string(&left.run).unwrap()];
        assert!(kept.iter().all(|text| text.contains("***") && !text.contains("canary")), "{kept:?}");
        assert!(matches!(verdict.verdict, Verdict::Failed { .. }));
    }
}
