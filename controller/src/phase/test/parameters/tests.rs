//! What a notebook is given, and that its secrets go nowhere else.

use http::{Request, Response, StatusCode};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::client::Body;
use serde_json::json;

use super::super::tests::samples;
use super::*;
use crate::databricks::tasks::{NotebookTask, Origin};

const CANARY: &str = "canary-4f2c91d0";

/// Kubernetes as far as it is asked here: one Secret, `data/vars`, whose key `api` ends with a line end.
fn kube() -> Client {
    let answer = |request: Request<Body>| async move {
        let secret = Secret {
            data: Some([("api".to_owned(), ByteString(format!("{CANARY}\n").into_bytes()))].into()),
            ..Secret::default()
        };
        let missing = json!({"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404, "message": ""});
        let (code, body) = match request.uri().path() {
            "/api/v1/namespaces/data/secrets/vars" => (StatusCode::OK, serde_json::to_vec(&secret)),
            _ => (StatusCode::NOT_FOUND, serde_json::to_vec(&missing)),
        };
        Response::builder().status(code).body(Body::from(body.expect("JSON")))
    };
    Client::new(tower::service_fn(answer), "data")
}

fn workspace() -> DatabricksWorkspace {
    let spec = json!({
        "host": "https://adb-1.2.azuredatabricks.net",
        "auth": {"token": {"secretRef": {"name": "dbx", "key": "token"}}},
        "variables": {
            "plain": {"value": "changed since"},
            "apiKey": {"secretRef": {"name": "vars", "key": "api"}},
            "other": {"secretRef": {"name": "vars", "key": "other"}},
            "gone": {"secretRef": {"name": "gone", "key": "api"}},
        },
    });
    let mut workspace = DatabricksWorkspace::new("staging", serde_json::from_value(spec).expect("a spec"));
    workspace.metadata.namespace = Some("data".into());
    workspace
}

fn item(text: &str) -> Item {
    let base_parameters = [("it".to_owned(), text.to_owned())].into();
    let notebook = NotebookTask { notebook_path: "/Shared/one.py".into(), source: Origin::Workspace, base_parameters };
    Item { work: Work::NotebookTask(notebook), ..samples::notebook("notebooks/one.py") }
}

async fn filled(text: &str) -> Result<Filled, Trouble> {
    let resolved = [("params.env".to_owned(), "staging $(workspace.vars.apiKey)".to_owned())].into();
    fill(&item(text), &resolved, &workspace(), &kube()).await
}

#[tokio::test]
async fn a_notebook_gets_values_and_secrets() {
    let cases = [
        ("plain", "plain".to_owned(), 0),
        ("key=$(workspace.vars.apiKey);", format!("key={CANARY};"), 1),
        ("$(workspace.vars.apiKey)$(workspace.vars.apiKey)", format!("{CANARY}{CANARY}"), 1),
        // A value is text: what looks like a name in it brings no secret in.
        ("$(params.env)", "staging $(workspace.vars.apiKey)".to_owned(), 0),
        ("$$(workspace.vars.apiKey)", "$(workspace.vars.apiKey)".to_owned(), 0),
    ];
    for (text, expected, secrets) in cases {
        let Filled { mut work, secrets: found } = filled(text).await.unwrap_or_else(|trouble| panic!("{trouble:?}"));
        assert_eq!((work.parameters_mut()[0].as_str(), found.len()), (expected.as_str(), secrets), "{text}");
    }
}

#[tokio::test]
async fn what_is_missing_is_told_without_a_value() {
    let cases = [
        ("$(workspace.vars.gone)", Reason::DependencyNotReady, "Secret data/gone, named by $(workspace.vars.gone)"),
        ("$(workspace.vars.other)", Reason::DependencyNotReady, "Secret data/vars has no key other"),
        ("$(workspace.vars.plain)", Reason::InvalidSpec, "notebooks/one.py: its parameters in test use"),
        ("$(workspace.vars.none)", Reason::InvalidSpec, "names no Secret any more"),
        ("$(params.none)", Reason::InvalidSpec, "use $(params.none)"),
    ];
    for (text, reason, expected) in cases {
        let text = format!("$(workspace.vars.apiKey) {text}");
        let trouble = filled(&text).await.err().unwrap_or_else(|| panic!("{text} was filled"));
        assert_eq!(trouble.reason, reason, "{trouble:?}");
        assert!(trouble.message.contains(expected) && !trouble.message.contains(CANARY), "{trouble:?}");
    }
}
