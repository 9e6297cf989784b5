//! Whether what a release left behind is surely over.

use std::sync::Arc;

use rstest::rstest;
use secrecy::SecretString;
use serde_json::{Value, json};
use url::Url;
use wiremock::matchers::{method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::super::{Outside, UNKNOWN, Witness};
use super::fake::Cluster;
use super::work;
use crate::databricks::{Auth, Client, ClientConfig, HttpConfig, Limits, Timings, Unobserved, connect};
use crate::trouble::Trouble;

fn databricks(server: &MockServer) -> Client {
    let config = ClientConfig {
        host: Url::parse(&server.uri()).unwrap(),
        auth: Auth::Token(SecretString::from("dapi-0123456789")),
        http: connect(&HttpConfig::default()).unwrap(),
        timings: Timings::default(),
        limits: Limits::default(),
        observer: Arc::new(Unobserved),
    };
    Client::new(config).unwrap()
}

async fn answers(server: &MockServer, run: &str, code: u16, body: Value) {
    let get = Mock::given(method("GET")).and(path("/api/2.2/jobs/runs/get")).and(query_param("run_id", run));
    get.respond_with(ResponseTemplate::new(code).set_body_json(body)).mount(server).await;
}

fn state(life_cycle: &str) -> Value {
    json!({"run_id": 12, "state": {"life_cycle_state": life_cycle}})
}

#[rstest]
#[case(200, state("TERMINATED"), None)]
#[case(200, state("SKIPPED"), None)]
#[case(200, state("INTERNAL_ERROR"), None)]
#[case(400, json!({"error_code": "INVALID_PARAMETER_VALUE", "message": "Run 12 does not exist."}), None)]
#[case(200, state("RUNNING"), Some("run 12 (RUNNING)"))]
#[case(200, state("TERMINATING"), Some("run 12 (TERMINATING)"))]
#[case(200, state("A_NEW_WORD"), Some("run 12 (UNKNOWN)"))]
#[case(403, json!({"error_code": "PERMISSION_DENIED", "message": "no"}), Some("run 12, which the workspace's identity may not see"))]
#[tokio::test]
async fn a_run_is_over_only_if_databricks_says_so(#[case] code: u16, #[case] body: Value, #[case] alive: Option<&str>) {
    let (server, cluster) = (MockServer::start().await, Cluster::default());
    answers(&server, "12", code, body).await;
    let (databricks, kube) = (databricks(&server), cluster.client());
    let said = Outside { databricks: &databricks, kube: &kube }.still_alive("data", &work(&["12"], None)).await;
    assert_eq!(said, Ok(alive.map(str::to_owned).into_iter().collect()));
}

#[tokio::test]
async fn every_run_is_asked_for_and_one_that_has_no_id_counts_as_alive() {
    let (server, cluster) = (MockServer::start().await, Cluster::default());
    answers(&server, "1", 200, state("TERMINATED")).await;
    answers(&server, "2", 200, state("RUNNING")).await;
    let (databricks, kube) = (databricks(&server), cluster.client());
    let outside = Outside { databricks: &databricks, kube: &kube };
    let said = outside.still_alive("data", &work(&["1", "2", UNKNOWN, "x"], None)).await.unwrap();
    let unknown = "a run whose id nobody knows: look for it at Databricks";
    assert_eq!(said, ["run 2 (RUNNING)", unknown, "run \"x\", which is no id of Databricks"]);
}

#[tokio::test]
async fn who_can_not_ask_does_not_know() {
    let (server, cluster) = (MockServer::start().await, Cluster::default());
    answers(&server, "12", 401, json!({})).await;
    let (databricks, kube) = (databricks(&server), cluster.client());
    let said: Result<_, Trouble> =
        Outside { databricks: &databricks, kube: &kube }.still_alive("data", &work(&["12"], None)).await;
    assert!(said.is_err(), "{said:?}");
}

#[rstest]
#[case(None, &[])]
#[case(Some(json!([])), &["Job data/build"])]
#[case(Some(json!([{"type": "FailureTarget", "status": "True"}])), &["Job data/build"])]
#[case(Some(json!([{"type": "Failed", "status": "True"}])), &[])]
#[case(Some(json!([{"type": "Complete", "status": "True"}])), &[])]
#[tokio::test]
async fn a_job_is_over_when_it_is_gone_or_says_so(#[case] conditions: Option<Value>, #[case] alive: &[&str]) {
    let (server, cluster) = (MockServer::start().await, Cluster::default());
    if let Some(conditions) = &conditions {
        cluster.state().put_job("build", conditions);
    }
    let (databricks, kube) = (databricks(&server), cluster.client());
    let outside = Outside { databricks: &databricks, kube: &kube };
    assert_eq!(outside.still_alive("data", &work(&[], Some("build"))).await.unwrap(), alive);
}
