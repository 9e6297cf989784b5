//! Whose output is read.

use std::convert::Infallible;
use std::sync::Arc;

use http::{Request, Response};
use kube::client::Body;
use rstest::rstest;
use serde_json::{Value, json};

use super::super::act::said;

/// An API server with these pods, whose containers say who they are.
fn kubernetes(pods: Value) -> kube::Client {
    let pods = Arc::new(pods);
    let service = tower::service_fn(move |request: Request<Body>| {
        let pods = Arc::clone(&pods);
        async move {
            let query = request.uri().query().unwrap_or_default();
            let answer = if let Some(log) = request.uri().path().strip_suffix("/log") {
                assert!(query.contains("tailLines=2000") && query.contains("limitBytes="), "{query}");
                let container = query.split('&').find_map(|one| one.strip_prefix("container=")).unwrap();
                format!("{container} of {}", log.rsplit('/').next().unwrap())
            } else {
                assert!(query.contains("job-name%3Djob-1"), "{query}");
                json!({"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": *pods}).to_string()
            };
            Ok::<_, Infallible>(Response::new(Body::from(answer.into_bytes())))
        }
    });
    kube::Client::new(service, "data")
}

fn pod(name: &str, created: &str, bundle: &Value) -> Value {
    let containers =
        json!([{"name": "bundle", "image": "i", "imageID": "i", "ready": false, "restartCount": 0, "state": bundle}]);
    let metadata = json!({"name": name, "namespace": "data", "creationTimestamp": created});
    json!({"metadata": metadata, "status": {"containerStatuses": containers}})
}

#[rstest]
#[case::ended(json!({"terminated": {"exitCode": 1}}), "bundle of second")]
#[case::to_be_stopped(json!({"running": {}}), "bundle of second")]
#[case::never_begun(json!({"waiting": {"reason": "PodInitializing"}}), "fetch of second")]
#[tokio::test]
async fn the_cli_s_output_is_read_or_why_it_never_began(#[case] state: Value, #[case] expected: &str) {
    let first = pod("first", "2026-11-21T12:00:00Z", &json!({"terminated": {"exitCode": 0}}));
    let pods = json!([first, pod("second", "2026-11-21T12:00:01Z", &state)]);
    assert_eq!(said(&kubernetes(pods), "data", "job-1").await.unwrap(), expected);
}

#[tokio::test]
async fn a_pod_that_is_gone_took_its_log_with_it() {
    let said = said(&kubernetes(json!([])), "data", "job-1").await.unwrap();
    assert_eq!(said, "its pod is gone, and its log with it");
}
