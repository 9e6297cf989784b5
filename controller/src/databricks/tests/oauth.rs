//! Tokens are fetched once for many callers, renewed early and again when refused.

use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use wiremock::matchers::{body_string, header, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::super::{Auth, Category, Client, Upload};
use super::{client_with, quick, sent};

fn oauth(server: &MockServer) -> Client {
    let auth = Auth::OAuth { client_id: "sp".into(), client_secret: "s3cret".into() };
    client_with(&server.uri(), auth, quick()).0
}

fn token(name: &str, life: u64) -> ResponseTemplate {
    let body = json!({"access_token": name, "expires_in": life, "token_type": "Bearer", "scope": "all-apis"});
    ResponseTemplate::new(200).set_body_json(body)
}

async fn on_token(server: &MockServer, answer: ResponseTemplate, times: u64) {
    let known = Mock::given(path("/oidc/v1/token"))
        .and(header("authorization", "Basic c3A6czNjcmV0"))
        .and(body_string("grant_type=client_credentials&scope=all-apis"));
    known.respond_with(answer).up_to_n_times(times).mount(server).await;
}

async fn accepts(server: &MockServer, name: &str) {
    let me = Mock::given(path("/api/2.0/preview/scim/v2/Me")).and(header("authorization", format!("Bearer {name}")));
    me.respond_with(ResponseTemplate::new(200).set_body_json(json!({"id": name}))).mount(server).await;
}

async fn fetched(server: &MockServer) -> usize {
    sent(server).await.iter().filter(|request| request.url.path() == "/oidc/v1/token").count()
}

#[tokio::test]
async fn many_callers_make_one_token_request() {
    let server = MockServer::start().await;
    on_token(&server, token("one", 3600).set_delay(Duration::from_millis(50)), 100).await;
    accepts(&server, "one").await;
    let client = oauth(&server);
    let answers = join_all((0..10).map(|_| client.me())).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(fetched(&server).await, 1);
}

#[tokio::test]
async fn a_refused_token_is_fetched_anew_within_the_call() {
    let server = MockServer::start().await;
    on_token(&server, token("revoked", 3600), 1).await;
    on_token(&server, token("new", 3600), 1).await;
    accepts(&server, "new").await;
    let refused = Mock::given(header("authorization", "Bearer revoked"));
    refused.respond_with(ResponseTemplate::new(401)).mount(&server).await;
    assert_eq!(oauth(&server).me().await.expect("me").id, "new");
    assert_eq!(fetched(&server).await, 2);
}

/// A large file is read again from its beginning.
#[tokio::test]
async fn a_token_that_is_refused_for_a_large_file_is_fetched_anew_within_the_call() {
    let server = MockServer::start().await;
    on_token(&server, token("revoked", 3600), 1).await;
    on_token(&server, token("new", 3600), 1).await;
    let refused = Mock::given(header("authorization", "Bearer revoked"));
    refused.respond_with(ResponseTemplate::new(401)).mount(&server).await;
    let taken = Mock::given(header("authorization", "Bearer new"));
    taken.respond_with(ResponseTemplate::new(200).set_body_json(json!({}))).mount(&server).await;
    let file = vec![7; 1 << 20];
    oauth(&server).upload("/Workspace/Shared/f", &Upload::of(file.clone())).await.expect("uploaded");
    assert_eq!(sent(&server).await.last().expect("a request").body, file);
    assert_eq!(fetched(&server).await, 2);
}

/// The token service hangs while the old token still holds.
#[tokio::test]
async fn nobody_waits_for_a_renewal_while_the_old_token_holds() {
    let server = MockServer::start().await;
    on_token(&server, token("old", 3600), 1).await;
    on_token(&server, token("new", 3600).set_delay(Duration::from_mins(10)), 100).await;
    accepts(&server, "old").await;
    let client = oauth(&server);
    client.me().await.expect("me");
    client.inner.credentials.grow_old().await;
    let calls = join_all((0..3).map(|_| client.me()));
    let answers = tokio::time::timeout(quick().attempt / 2, calls).await.expect("without waiting");
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    while fetched(&server).await < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(fetched(&server).await, 2, "one renewal for all of them");
}

/// The next call has the new one.
#[tokio::test]
async fn a_token_is_renewed_beside_the_calls() {
    let server = MockServer::start().await;
    on_token(&server, token("old", 3600), 1).await;
    on_token(&server, token("new", 3600), 1).await;
    accepts(&server, "old").await;
    accepts(&server, "new").await;
    let client = oauth(&server);
    client.me().await.expect("me");
    client.inner.credentials.grow_old().await;
    while client.me().await.expect("me").id != "new" {
        tokio::task::yield_now().await;
    }
    assert_eq!(fetched(&server).await, 2);
}

#[tokio::test]
async fn wrong_client_secrets_are_an_authentication_error() {
    let server = MockServer::start().await;
    let body = json!({"error": "invalid_client", "error_description": "Client authentication failed", "error_id": "1"});
    on_token(&server, ResponseTemplate::new(400).set_body_json(body), 100).await;
    let error = oauth(&server).me().await.expect_err("an error");
    assert_eq!(error.category(), Category::Authentication);
    assert_eq!(error.to_string(), "oidc/token: 400 invalid_client: Client authentication failed");
    assert!(!error.to_string().contains("s3cret"));
}

#[tokio::test]
async fn an_answer_without_token_says_nothing_of_its_content() {
    let server = MockServer::start().await;
    on_token(&server, ResponseTemplate::new(200).set_body_json(json!({"id_token": "very-secret"})), 100).await;
    let error = oauth(&server).me().await.expect_err("an error");
    assert_eq!(error.category(), Category::Protocol);
    assert!(!format!("{error:?}").contains("very-secret"), "{error:?}");
}
