//! An API server that knows people and one release.

use std::convert::Infallible;

use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

/// `ana` may see this subresource of every release in `data`, `bob` may not, and anybody else is unknown. There is one
/// release, `dbxdemo`, with this status.
pub(crate) fn kubernetes(subresource: &'static str, status: Value) -> Client {
    let service = tower::service_fn(move |request: Request<Body>| {
        let status = status.clone();
        async move {
            let path = request.uri().path().to_owned();
            let body = request.into_body().collect_bytes().await.unwrap();
            let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
            let (code, answer) = answer(path.rsplit('/').next().unwrap(), &asked, subresource, &status);
            let response = Response::builder().status(code).body(Body::from(answer.to_string().into_bytes()));
            Ok::<_, Infallible>(response.unwrap())
        }
    });
    Client::new(service, "data")
}

fn answer(name: &str, asked: &Value, subresource: &str, status: &Value) -> (u16, Value) {
    match name {
        "tokenreviews" => {
            let token = asked["spec"]["token"].as_str().unwrap();
            let known = ["ana", "bob"].contains(&token);
            let user = json!({"username": token, "groups": ["data"], "extra": {"x": ["y"]}});
            (201, json!({"metadata": {}, "spec": {}, "status": {"authenticated": known, "user": user}}))
        }
        "subjectaccessreviews" => {
            let attributes = &asked["spec"]["resourceAttributes"];
            let wanted = json!({
                "group": "brickline.dev", "resource": "databricksreleases", "subresource": subresource, "verb": "get",
                "namespace": "data", "name": attributes["name"],
            });
            assert_eq!(*attributes, wanted);
            assert_eq!((&asked["spec"]["groups"], &asked["spec"]["extra"]), (&json!(["data"]), &json!({"x": ["y"]})));
            (201, json!({"metadata": {}, "spec": {}, "status": {"allowed": asked["spec"]["user"] == "ana"}}))
        }
        "dbxdemo" => {
            let metadata = json!({"name": "dbxdemo", "namespace": "data", "uid": "uid"});
            let kind = json!({"apiVersion": "brickline.dev/v1alpha1", "kind": "DatabricksRelease"});
            let mut release = json!({"metadata": metadata, "spec": {"source": {}}, "status": status});
            release["apiVersion"] = kind["apiVersion"].clone();
            release["kind"] = kind["kind"].clone();
            (200, release)
        }
        _ => (404, json!({"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404, "message": ""})),
    }
}
