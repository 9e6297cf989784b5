//! Tokens that are got in exchange for other tokens, and credentials that are refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::{BoxFuture, join_all};
use rstest::rstest;
use secrecy::SecretString;
use serde_json::{Value, json};
use wiremock::matchers::{body_string, body_string_contains, header, header_exists, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::super::{Auth, Azure, Category, Client, Error, Identity, Proof};
use super::{TOKEN, client_with, quick, sent};

/// Makes `jwt-1`, `jwt-2` and so on.
#[derive(Default)]
struct Tokens(AtomicUsize);

impl Identity for Tokens {
    fn token(&self) -> BoxFuture<'_, Result<SecretString, Error>> {
        let number = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        Box::pin(async move { Ok(format!("jwt-{number}").into()) })
    }

    fn describe(&self) -> String {
        "subject system:serviceaccount:data:release, audience databricks".to_owned()
    }
}

fn federation(server: &MockServer, client_id: Option<&str>) -> Client {
    let auth = Auth::Federation { client_id: client_id.map(str::to_owned), identity: Arc::new(Tokens::default()) };
    client_with(&server.uri(), auth, quick()).0
}

fn azure(server: &MockServer, login: &MockServer, proof: Proof, resource_id: Option<&str>) -> Client {
    let (tenant_id, client_id) = ("contoso.example.com".to_owned(), "app".to_owned());
    let (login, resource_id) = (login.uri().parse().ok(), resource_id.map(str::to_owned));
    let auth = Auth::Azure(Azure { login, tenant_id, client_id, proof, resource_id });
    client_with(&server.uri(), auth, quick()).0
}

fn token(name: &str, life: u64) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({"access_token": name, "expires_in": life}))
}

fn json(status: u16, body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(body)
}

async fn accepts(server: &MockServer, name: &str) {
    let me = Mock::given(path("/api/2.0/preview/scim/v2/Me")).and(header("authorization", format!("Bearer {name}")));
    me.respond_with(json(200, &json!({"id": name}))).mount(server).await;
}

async fn count(server: &MockServer, at: &str) -> usize {
    sent(server).await.iter().filter(|request| request.url.path() == at).count()
}

#[rstest]
#[case(None, "")]
#[case(Some("sp 1"), "&client_id=sp+1")]
#[tokio::test]
async fn a_token_of_kubernetes_is_exchanged(#[case] client_id: Option<&str>, #[case] id: &str) {
    let server = MockServer::start().await;
    let form = format!(
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange\
         &subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt&subject_token=jwt-1&scope=all-apis{id}"
    );
    let exchange = Mock::given(method("POST")).and(path("/oidc/v1/token")).and(body_string(form));
    exchange.respond_with(token("one", 3600)).mount(&server).await;
    accepts(&server, "one").await;
    let client = federation(&server, client_id);
    for _ in 0..3 {
        assert_eq!(client.me().await.expect("me").id, "one");
    }
    let exchanges: Vec<_> = sent(&server).await.into_iter().filter(|one| one.url.path() == "/oidc/v1/token").collect();
    assert_eq!(exchanges.len(), 1);
    assert!(!exchanges[0].headers.contains_key("authorization"), "the token itself says who asks");
}

/// What was got lives no longer than what was given, so each exchange needs a new one.
#[tokio::test]
async fn a_token_that_ran_out_in_mid_phase_is_renewed_with_a_new_one() {
    let server = MockServer::start().await;
    for (jwt, name, life) in [("jwt-1", "one", 0), ("jwt-2", "two", 3600)] {
        let exchange = Mock::given(path("/oidc/v1/token")).and(body_string_contains(format!("={jwt}&")));
        exchange.respond_with(token(name, life)).mount(&server).await;
        accepts(&server, name).await;
    }
    let client = federation(&server, None);
    assert_eq!(client.me().await.expect("me").id, "one");
    assert_eq!(client.me().await.expect("me").id, "two");
    assert_eq!(client.me().await.expect("me").id, "two");
}

#[tokio::test]
async fn a_policy_that_does_not_match_is_named_with_what_it_should_say() {
    let server = MockServer::start().await;
    let body = json!({"error": "invalid_request", "error_description": "no policy for jwt-1"});
    Mock::given(path("/oidc/v1/token")).respond_with(json(400, &body)).mount(&server).await;
    let error = federation(&server, None).me().await.expect_err("refused");
    assert_eq!(error.category(), Category::Authentication);
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("subject system:serviceaccount:data:release, audience databricks"), "{shown}");
    assert!(shown.contains("no policy for ***") && !shown.contains("jwt-1"), "{shown}");
}

#[rstest]
#[case(json(404, &json!({})), "/oidc/v1/token")]
#[case(ResponseTemplate::new(200).set_body_raw("<html>docs</html>", "text/html"), "/oidc/v1/token")]
#[case(ResponseTemplate::new(302).insert_header("location", "https://evil.example.com/"), "/oidc/v1/token")]
#[case(json(200, &json!({"issuer": "x"})), "/oidc/v1/token")]
#[tokio::test]
async fn a_workspace_need_not_tell_where_tokens_are_made(#[case] page: ResponseTemplate, #[case] at: &str) {
    let server = MockServer::start().await;
    Mock::given(path("/oidc/.well-known/oauth-authorization-server")).respond_with(page).mount(&server).await;
    Mock::given(path(at)).respond_with(token("one", 3600)).mount(&server).await;
    accepts(&server, "one").await;
    assert_eq!(federation(&server, None).me().await.expect("me").id, "one");
}

#[tokio::test]
async fn the_page_is_followed_on_the_same_host_alone_and_read_once() {
    for (other, expected) in [(false, Ok("one")), (true, Err(Category::Protocol))] {
        let (server, elsewhere) = (MockServer::start().await, MockServer::start().await);
        let host = if other { elsewhere.uri() } else { server.uri() };
        let page = json!({"token_endpoint": format!("{host}/oidc/special")});
        let discovery = "/oidc/.well-known/oauth-authorization-server";
        Mock::given(path(discovery)).respond_with(json(200, &page)).mount(&server).await;
        Mock::given(path("/oidc/special")).respond_with(token("one", 0)).mount(&server).await;
        accepts(&server, "one").await;
        let client = federation(&server, None);
        for _ in 0..2 {
            let me = client.me().await;
            assert_eq!(me.as_ref().map(|me| me.id.as_str()).map_err(Error::category), expected);
        }
        assert!(sent(&elsewhere).await.is_empty(), "credentials stay on the host");
        assert_eq!(count(&server, discovery).await, if other { 2 } else { 1 });
    }
}

const ENTRA: &str = "/contoso.example.com/oauth2/v2.0/token";
const RESOURCE: &str = "/subscriptions/1/resourceGroups/g/providers/Microsoft.Databricks/workspaces/w";

#[tokio::test]
async fn a_service_principal_of_azure_logs_in_by_secret_or_by_a_trusted_token() {
    let proofs = [
        (Proof::Secret("s3cret".into()), "&client_secret=s3cret"),
        (
            Proof::Assertion(Arc::new(Tokens::default())),
            "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer\
             &client_assertion=jwt-1",
        ),
    ];
    for (proof, words) in proofs {
        let (server, login) = (MockServer::start().await, MockServer::start().await);
        let form = format!(
            "grant_type=client_credentials&client_id=app\
             &scope=2ff814a6-3304-4ab8-85cb-cd0e6f879c1d%2F.default{words}"
        );
        let entra = Mock::given(method("POST")).and(path(ENTRA)).and(body_string(form));
        entra.respond_with(token("one", 3599)).mount(&login).await;
        accepts(&server, "one").await;
        let client = azure(&server, &login, proof, None);
        let answers = join_all((0..5).map(|_| client.me())).await;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        assert_eq!(count(&login, ENTRA).await, 1, "one refresh for all");
        let request = &sent(&server).await[0];
        assert!(!request.headers.contains_key("x-databricks-azure-sp-management-token"));
    }
}

#[tokio::test]
async fn who_is_no_member_shows_that_it_manages_the_workspace() {
    let (server, login) = (MockServer::start().await, MockServer::start().await);
    for (scope, name) in
        [("scope=2ff814a6", "one"), ("scope=https%3A%2F%2Fmanagement.core.windows.net%2F%2F.default", "manager")]
    {
        let entra = Mock::given(path(ENTRA)).and(body_string_contains(scope));
        entra.respond_with(token(name, 3599)).mount(&login).await;
    }
    let member = Mock::given(header_exists("authorization"))
        .and(header("x-databricks-azure-sp-management-token", "manager"))
        .and(header("x-databricks-azure-workspace-resource-id", RESOURCE));
    member.respond_with(json(200, &json!({"id": "app"}))).mount(&server).await;
    let client = azure(&server, &login, Proof::Secret("s3cret".into()), Some(RESOURCE));
    assert_eq!(client.me().await.expect("me").id, "app");
}

#[tokio::test]
async fn a_login_that_fails_repeats_no_secret_and_names_the_machine() {
    let (server, login) = (MockServer::start().await, MockServer::start().await);
    let body = json!({"error": "invalid_client", "error_description": "AADSTS7000215: not s3cret", "error_codes": [7_000_215]});
    Mock::given(path(ENTRA)).respond_with(json(401, &body)).mount(&login).await;
    let error = azure(&server, &login, Proof::Secret("s3cret".into()), None).me().await.expect_err("refused");
    assert_eq!(error.to_string(), "entra/token: 401 invalid_client: AADSTS7000215: not ***");
    assert!(sent(&server).await.is_empty());
}

/// However many releases use the workspace, and however often each of them comes again.
#[rstest]
#[case::a_token(Auth::Token(TOKEN.into()), 1)]
#[case::a_secret(Auth::OAuth { client_id: "sp".into(), client_secret: "s".into() }, 2)]
#[case::an_identity(Auth::Federation { client_id: None, identity: Arc::new(Tokens::default()) }, 2)]
#[tokio::test]
async fn refused_credentials_are_not_sent_with_every_call(#[case] auth: Auth, #[case] requests: usize) {
    let server = super::always(ResponseTemplate::new(401)).await;
    let client = client_with(&server.uri(), auth, quick()).0;
    for _ in 0..50 {
        let answers = join_all((0..4).map(|_| client.me())).await;
        for answer in answers {
            assert_eq!(answer.expect_err("refused").category(), Category::Authentication);
        }
    }
    // Four that were under way together, or one look at where tokens are made and one request for a token.
    assert!(sent(&server).await.len() <= requests.max(4), "{}", sent(&server).await.len());
    let before = sent(&server).await.len();
    client.try_credentials_again();
    assert!(client.me().await.is_err());
    assert!(sent(&server).await.len() > before, "somebody said that they are good now");
}

/// A token service that makes tokens which the workspace refuses.
#[tokio::test]
async fn new_tokens_that_are_refused_too_are_not_fetched_for_ever() {
    let server = MockServer::start().await;
    Mock::given(path("/oidc/v1/token")).respond_with(token("one", 3600)).mount(&server).await;
    Mock::given(path("/api/2.0/preview/scim/v2/Me")).respond_with(ResponseTemplate::new(401)).mount(&server).await;
    let client = federation(&server, None);
    for _ in 0..50 {
        assert_eq!(client.me().await.expect_err("refused").category(), Category::Authentication);
    }
    assert_eq!(count(&server, "/oidc/v1/token").await, 2);
    assert_eq!(count(&server, "/api/2.0/preview/scim/v2/Me").await, 2);
}
