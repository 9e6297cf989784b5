use std::convert::Infallible;

use brickline_artifact::Digest;
use http::{Request, Response, StatusCode};
use kube::client::Body;
use serde_json::{Value, json};

use super::super::samples::{Shop, built};
use super::*;

fn digest(name: &str) -> String {
    Digest::of(name.as_bytes()).to_string()
}

fn release(uid: &str, source: &Value, status: &Value) -> DatabricksRelease {
    let json = json!({
        "apiVersion": "brickline.dev/v1alpha1", "kind": "DatabricksRelease",
        "metadata": {"name": uid, "namespace": "data", "uid": uid},
        "spec": {"source": source}, "status": status,
    });
    serde_json::from_value(json).unwrap()
}

fn pipeline(stages: &Value) -> ReleasePipeline {
    let json = json!({
        "apiVersion": "brickline.dev/v1alpha1", "kind": "ReleasePipeline",
        "metadata": {"name": "dbxdemo", "namespace": "data"},
        "spec": {"repository": {"url": "https://git.example.com/data/dbxdemo.git"}},
        "status": {"stages": stages},
    });
    serde_json::from_value(json).unwrap()
}

fn git() -> Value {
    json!({"git": {"url": "https://git.example.com/d.git", "ref": "refs/heads/release", "commit": "a".repeat(40)}})
}

#[tokio::test]
async fn releases_and_stages_mark_what_they_have_and_what_they_may_go_back_to() {
    let mut marking = Marking::default();
    let stored = |name: &str| json!({"release": "gone", "artifact": digest(name)});
    marking.pipeline(&pipeline(&json!([
        {"name": "staging", "deployed": stored("deployed"), "lastGood": stored("last good")},
        {"name": "production"},
    ])));
    let taken = json!({"artifactFrom": [{"release": "gone", "digest": digest("taken")}]});
    marking.release(&release("waiting", &taken, &json!({})));
    let fetched = json!({"artifact": {"url": "https://store.example.com/1.zip", "digest": digest("fetched")}});
    marking.release(&release("fetching", &fetched, &json!({})));
    let has = |name: &str| json!({"result": "Succeeded", "artifact": {"digest": digest(name), "size": 1, "uri": ""}});
    marking.release(&release("built", &git(), &has("built")));
    marking.release(&release("odd", &git(), &json!({"artifact": {"digest": "not one", "size": 1, "uri": ""}})));
    let marks = marking.finish(&Shop::new().artifacts).await.unwrap();
    let names = ["deployed", "last good", "taken", "fetched", "built"];
    assert_eq!(marks.artifacts, names.iter().map(|name| Digest::of(name.as_bytes())).collect());
    let uids = marks.releases.iter().map(|(namespace, uid)| (namespace.as_str(), uid.as_str()));
    assert_eq!(
        uids.collect::<Vec<_>>(),
        [("data", "built"), ("data", "fetching"), ("data", "odd"), ("data", "waiting")]
    );
}

#[tokio::test]
async fn what_a_build_handed_in_is_marked_before_its_release_knows() {
    let shop = Shop::new();
    let building = shop.hand_in("building", &built("building", &[("a", "a")], &[])).await;
    let failed = shop.hand_in("failed", &built("failed", &[("b", "b")], &[])).await;
    let mut marking = Marking::default();
    marking.release(&release("building", &git(), &json!({"state": "Running"})));
    marking.release(&release("failed", &git(), &json!({"state": "Finished", "result": "Failed"})));
    let marks = marking.finish(&shop.artifacts).await.unwrap();
    assert!(marks.artifacts.contains(&building));
    assert!(!marks.artifacts.contains(&failed), "nobody can deploy what its release never named");
}

/// An API server with one pipeline and two pages of releases, the second of which may have expired.
fn kubernetes(expired: bool) -> Client {
    let service = tower::service_fn(move |request: Request<Body>| {
        let uri = request.uri().to_string();
        let (status, answer) = match (uri.contains("databricksreleases"), uri.contains("continue=more")) {
            (false, _) => (StatusCode::OK, list("ReleasePipelineList", &json!([pipeline(&json!([]))]), "")),
            (true, false) => (StatusCode::OK, list("DatabricksReleaseList", &json!([built_release("first")]), "more")),
            (true, true) if expired => (
                StatusCode::GONE,
                json!({
                    "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": "too old",
                    "reason": "Expired", "code": 410,
                }),
            ),
            (true, true) => (StatusCode::OK, list("DatabricksReleaseList", &json!([built_release("second")]), "")),
        };
        let response = Response::builder().status(status).body(Body::from(answer.to_string().into_bytes()));
        async { Ok::<_, Infallible>(response.unwrap()) }
    });
    Client::new(service, "default")
}

fn list(kind: &str, items: &Value, more: &str) -> Value {
    json!({
        "apiVersion": "brickline.dev/v1alpha1", "kind": kind, "items": items,
        "metadata": {"resourceVersion": "1", "continue": more},
    })
}

fn built_release(name: &str) -> DatabricksRelease {
    let artifact = json!({"digest": digest(name), "size": 1, "uri": ""});
    release(name, &git(), &json!({"result": "Succeeded", "artifact": artifact}))
}

#[tokio::test]
async fn every_page_of_releases_is_marked() {
    let marks = marks(&kubernetes(false), &Shop::new().artifacts).await.unwrap();
    assert_eq!(marks.artifacts, ["first", "second"].iter().map(|name| Digest::of(name.as_bytes())).collect());
}

#[tokio::test]
async fn half_of_the_marks_are_none() {
    let trouble = marks(&kubernetes(true), &Shop::new().artifacts).await.unwrap_err();
    assert!(trouble.transient, "the next time tries again: {}", trouble.message);
}
