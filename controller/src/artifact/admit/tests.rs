//! Who is let in: a build's pod to hand in, a deployment's pod to fetch, and nobody else.

use std::convert::Infallible;

use axum::body::{Body, to_bytes};
use brickline_crds::{DatabricksRelease, DatabricksReleaseSpec};
use http::{Request, Response, StatusCode};
use rstest::rstest;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::super::samples::{Shop, built};
use super::super::server::router;
use crate::metrics::Metrics;
use crate::phase::job::Jobs;

/// A namespace with a release that was built and now deploys its bundle: pods `build` and `bundle`, each of the Job in its
/// phase's ticket, and `old`, of a Job that another attempt has taken the place of.
struct Cluster {
    digest: String,
    deploying: &'static str,
}

fn pod(name: &str, job: &str) -> Value {
    let owner = json!([{"apiVersion": "batch/v1", "kind": "Job", "name": job, "uid": format!("uid-{job}"), "controller": true}]);
    json!({"metadata": {"name": name, "namespace": "data", "uid": format!("uid-{name}"), "ownerReferences": owner}})
}

fn job(name: &str, release: &str) -> Value {
    let kind = "DatabricksRelease";
    let owner = json!([{"apiVersion": "brickline.dev/v1alpha1", "kind": kind, "name": release, "uid": format!("uid-{release}")}]);
    json!({"metadata": {"name": name, "namespace": "data", "uid": format!("uid-{name}"), "ownerReferences": owner}})
}

/// The Job of the second attempt of job `lint`.
fn of_lint() -> String {
    let mut release = DatabricksRelease::new("one", DatabricksReleaseSpec::default());
    release.metadata.uid = Some("uid-one".to_owned());
    crate::phase::job::of_build(&release, "lint", 2)
}

impl Cluster {
    fn release(&self, name: &str) -> Value {
        let phases = json!([
            {"name": "Build", "state": "Succeeded", "attempts": 1, "ticket": {"job": "job-build"}, "jobs": [
                {"name": "artifact", "state": "Succeeded", "attempts": 1},
                {"name": "lint", "state": "Running", "attempts": 2},
            ]},
            {"name": "Deploy", "state": self.deploying, "attempts": 2, "ticket": {"bundle": {"job": "job-bundle"}}},
        ]);
        let status = json!({"phases": phases, "artifact": {"digest": self.digest}, "conditions": []});
        let metadata = json!({"name": name, "namespace": "data", "uid": format!("uid-{name}")});
        json!({
            "apiVersion": "brickline.dev/v1alpha1", "kind": "DatabricksRelease", "metadata": metadata,
            "spec": {"source": {}}, "status": status,
        })
    }

    fn answer(&self, path: &str, body: &Value) -> (u16, Value) {
        let parts: Vec<&str> = path.split('/').collect();
        match parts.as_slice() {
            [.., "tokenreviews"] => {
                let token = body["spec"]["token"].as_str().unwrap();
                let known = ["build", "lint", "bundle", "old", "stranger"].contains(&token);
                let namespace = if token == "stranger" { "other" } else { "data" };
                let extra = json!({
                    "authentication.kubernetes.io/pod-name": [token],
                    "authentication.kubernetes.io/pod-uid": [format!("uid-{token}")],
                });
                let user = json!({"username": format!("system:serviceaccount:{namespace}:default"), "extra": extra});
                let status = json!({"authenticated": known, "audiences": ["brickline-artifacts"], "user": user});
                (201, json!({"metadata": {}, "spec": {}, "status": status}))
            }
            [.., "pods", name @ ("build" | "bundle" | "old")] => (200, pod(name, &format!("job-{name}"))),
            [.., "pods", "lint"] => (200, pod("lint", &of_lint())),
            [.., "jobs", name] if *name == of_lint() => (200, job(name, "one")),
            [.., "jobs", name @ ("job-build" | "job-bundle" | "job-old")] => (200, job(name, "one")),
            [.., "databricksreleases", name @ ("one" | "two")] => (200, self.release(name)),
            _ => {
                (404, json!({"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404, "message": ""}))
            }
        }
    }

    fn client(self) -> kube::Client {
        let cluster = std::sync::Arc::new(self);
        let service = tower::service_fn(move |request: Request<kube::client::Body>| {
            let cluster = std::sync::Arc::clone(&cluster);
            async move {
                let path = request.uri().path().to_owned();
                let body = request.into_body().collect_bytes().await.unwrap();
                let (status, answer) = cluster.answer(&path, &serde_json::from_slice(&body).unwrap_or_default());
                let response = Response::builder().status(status);
                let body = kube::client::Body::from(answer.to_string().into_bytes());
                Ok::<_, Infallible>(response.body(body).unwrap())
            }
        });
        kube::Client::new(service, "data")
    }
}

async fn asked(deploying: &'static str, method: &str, path: &str, token: &str) -> (StatusCode, Vec<u8>, Vec<u8>) {
    let shop = Shop::new();
    let zip = built("one", &[("databricks.yml", "bundle: {name: etl}")], &[]);
    let digest = shop.hand_in("one", &zip).await;
    let kube = Cluster { digest: digest.to_string(), deploying }.client();
    let router = router(kube, Jobs::unseen(), shop.artifacts.clone(), Metrics::new().unwrap());
    let request = Request::builder().method(method).uri(format!("/v1/namespaces/data/releases/{path}"));
    let request = request.header("authorization", format!("Bearer {token}"));
    let response = router.oneshot(request.body(Body::from("{}")).unwrap()).await.unwrap();
    let status = response.status();
    (status, to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec(), zip.to_vec())
}

#[tokio::test]
async fn the_pod_that_deploys_a_bundle_gets_the_releases_artifact() {
    let (status, body, zip) = asked("Running", "GET", "one/deployments/2/artifact", "bundle").await;
    assert_eq!((status, body), (StatusCode::OK, zip));
}

#[rstest]
#[case::a_builds_pod("Running", "one/deployments/2/artifact", "build", StatusCode::FORBIDDEN)]
#[case::a_pod_of_a_job_that_is_not_in_the_ticket("Running", "one/deployments/2/artifact", "old", StatusCode::FORBIDDEN)]
#[case::another_release("Running", "two/deployments/2/artifact", "bundle", StatusCode::FORBIDDEN)]
#[case::no_release("Running", "three/deployments/2/artifact", "bundle", StatusCode::FORBIDDEN)]
#[case::another_attempt("Running", "one/deployments/1/artifact", "bundle", StatusCode::FORBIDDEN)]
#[case::another_namespace("Running", "one/deployments/2/artifact", "stranger", StatusCode::FORBIDDEN)]
#[case::a_deployment_that_is_over("Failed", "one/deployments/2/artifact", "bundle", StatusCode::FORBIDDEN)]
#[case::nobody_of_this_cluster("Running", "one/deployments/2/artifact", "forged", StatusCode::UNAUTHORIZED)]
#[tokio::test]
async fn nobody_else_fetches(
    #[case] deploying: &'static str,
    #[case] path: &str,
    #[case] token: &str,
    #[case] expected: StatusCode,
) {
    let (status, body, zip) = asked(deploying, "GET", path, token).await;
    assert_eq!(status, expected);
    assert_ne!(body, zip);
}

#[rstest]
#[case("build", "one/attempts/1/result", StatusCode::BAD_REQUEST)]
#[case("bundle", "one/attempts/1/result", StatusCode::FORBIDDEN)]
#[case("bundle", "one/attempts/2/result", StatusCode::FORBIDDEN)]
#[case("build", "one/attempts/2/result", StatusCode::FORBIDDEN)]
#[tokio::test]
async fn a_bundles_pod_hands_nothing_in(#[case] token: &str, #[case] path: &str, #[case] expected: StatusCode) {
    let (status, ..) = asked("Running", "PUT", path, token).await;
    assert_eq!(status, expected, "400: a build's pod is let in, and {{}} is no result");
}

#[rstest]
#[case::its_own("lint", "one/jobs/lint/attempts/2/result", StatusCode::BAD_REQUEST)]
#[case::an_attempt_before("lint", "one/jobs/lint/attempts/1/result", StatusCode::FORBIDDEN)]
#[case::the_artifacts_job("lint", "one/attempts/1/result", StatusCode::FORBIDDEN)]
#[case::by_another_address("lint", "one/jobs/artifact/attempts/1/result", StatusCode::FORBIDDEN)]
#[case::another_job("build", "one/jobs/lint/attempts/2/result", StatusCode::FORBIDDEN)]
#[case::the_artifact_as_a_job("build", "one/jobs/artifact/attempts/1/result", StatusCode::FORBIDDEN)]
#[case::an_artifact("lint", "one/jobs/lint/attempts/2/artifact", StatusCode::NOT_FOUND)]
#[tokio::test]
async fn a_job_hands_in_for_itself_alone(#[case] token: &str, #[case] path: &str, #[case] expected: StatusCode) {
    let (status, ..) = asked("Running", "PUT", path, token).await;
    assert_eq!(status, expected, "400: the pod is let in, and {{}} is no result");
}
