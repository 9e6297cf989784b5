//! What Kubernetes may answer when a token is requested.

use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::{Json, Router, routing};
use brickline_crds::Reason;
use rstest::rstest;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::*;

type Asked = Arc<Mutex<Vec<Value>>>;

/// An API server that answers every request for a token like this.
fn tokens(code: u16, body: Value) -> (ServiceAccountTokens, Asked) {
    let asked = Asked::default();
    let answer = move |State(asked): State<Asked>, Json(request): Json<Value>| async move {
        asked.lock().unwrap().push(request);
        (StatusCode::from_u16(code).unwrap(), Json(body)).into_response()
    };
    let path = "/api/v1/namespaces/data/serviceaccounts/release/token";
    let router = Router::new().route(path, routing::post(answer)).with_state(asked.clone());
    (ServiceAccountTokens::new(Client::new(router, "default"), "data", "release", "databricks"), asked)
}

fn refused(code: u16, reason: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": reason, "message": "no", "code": code})
}

fn granted(token: &str) -> Value {
    json!({
        "kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "metadata": {}, "spec": {"audiences": []},
        "status": {"token": token, "expirationTimestamp": "2030-01-01T00:00:00Z"},
    })
}

#[tokio::test]
async fn each_token_is_a_new_one_for_one_audience() {
    let (tokens, asked) = tokens(201, granted("jwt"));
    for _ in 0..2 {
        assert_eq!(tokens.token().await.unwrap().expose_secret(), "jwt");
    }
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0]["spec"], json!({"audiences": ["databricks"], "expirationSeconds": 3600}));
    assert_eq!(tokens.describe(), "subject system:serviceaccount:data:release, audience databricks");
}

#[rstest]
#[case(403, refused(403, "Forbidden"), Reason::NotAuthorized, "bind ClusterRole brickline-tenant there", true)]
#[case(
    404,
    refused(404, "NotFound"),
    Reason::DependencyNotReady,
    "ServiceAccount data/release, named by spec.auth",
    true
)]
#[case(422, refused(422, "Invalid"), Reason::InvalidSpec, "makes no token of ServiceAccount data/release: no", false)]
#[case(500, refused(500, "InternalError"), Reason::InternalError, "did not answer as it should", true)]
#[case(201, granted(""), Reason::InternalError, "without a token", true)]
#[tokio::test]
async fn a_refusal_says_what_to_do(
    #[case] code: u16,
    #[case] body: Value,
    #[case] reason: Reason,
    #[case] words: &str,
    #[case] transient: bool,
) {
    let error = tokens(code, body).0.token().await.unwrap_err();
    let trouble = Trouble::from(error);
    assert_eq!((trouble.reason, trouble.transient), (reason, transient), "{}", trouble.message);
    assert!(trouble.message.contains(words), "{}", trouble.message);
}
