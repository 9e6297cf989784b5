//! Commit statuses against servers that answer as forges do.

use std::time::Duration;

use brickline_crds::{
    DatabricksRelease, DatabricksReleaseSpec, GitSource, LocalRef, Provider, Reason, ReleaseReason, Source,
};
use rstest::rstest;
use secrecy::SecretString;
use serde_json::json;
use wiremock::matchers::{body_json, body_partial_json, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::credentials::{Credentials, Proof};
use super::{Patience, tell};
use crate::forge::{Report, ReportState};
use crate::trouble::Trouble;

const COMMIT: &str = "9b1c0de9b1c0de9b1c0de9b1c0de9b1c0de9b1c0";
const GITEA: &str = "/gitea/api/v1/repos/data/dbxdemo/statuses/9b1c0de9b1c0de9b1c0de9b1c0de9b1c0de9b1c0";
const GITHUB: &str = "/api/v3/repos/data/dbxdemo/statuses/9b1c0de9b1c0de9b1c0de9b1c0de9b1c0de9b1c0";
/// The page of the run that failed.
const PAGE: &str = "https://adb-1.2.azuredatabricks.net/#job/1/run/7";
/// With characters that are written differently in URLs and in base64.
const SECRET: &str = "canary/p@ss word+1";

const PATIENCE: Patience =
    Patience { attempt: Duration::from_secs(5), attempts: 3, first_pause: Duration::from_millis(1) };

fn release(url: String, provider: Provider, stage: Option<&str>) -> DatabricksRelease {
    let git = GitSource {
        url,
        reference: "refs/heads/release".to_owned(),
        commit: COMMIT.to_owned(),
        provider,
        credentials_ref: Some(LocalRef::new("git")),
    };
    let spec = DatabricksReleaseSpec {
        source: Source { git: Some(git), ..Source::default() },
        stage: stage.map(str::to_owned),
        ..DatabricksReleaseSpec::default()
    };
    DatabricksRelease::new("dbxdemo-4f2c91d0a7be", spec)
}

fn password() -> Credentials {
    let proof = Proof::Password { username: "bot".to_owned(), password: SecretString::from(SECRET) };
    Credentials { proof, authority: None }
}

fn token() -> Credentials {
    Credentials { proof: Proof::Token(SecretString::from("canary-token")), authority: None }
}

fn failed() -> Report {
    let link = Some(PAGE.to_owned());
    Report { state: ReportState::Failure, description: "é".repeat(200), link }
}

/// Sends to the Gitea at `server`, installed below a folder.
async fn to_gitea(server: &MockServer, credentials: &Credentials, patience: Patience) -> Result<(), Trouble> {
    let release = release(format!("{}/gitea/data/dbxdemo.git", server.uri()), Provider::Gitea, Some("staging"));
    tell(&reqwest::Client::new(), &release, &failed(), credentials, patience).await
}

async fn to_github(server: &MockServer, credentials: &Credentials) -> Result<(), Trouble> {
    let report = Report { state: ReportState::Success, description: "Build, Deploy".to_owned(), link: None };
    to_github_with(server, credentials, &report).await
}

async fn to_github_with(server: &MockServer, credentials: &Credentials, report: &Report) -> Result<(), Trouble> {
    let release = release(format!("{}/data/dbxdemo.git", server.uri()), Provider::Github, None);
    tell(&reqwest::Client::new(), &release, report, credentials, PATIENCE).await
}

/// A server that answers everything with `code`.
async fn answering(code: u16) -> MockServer {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(code).set_body_json(json!({"message": format!("no {SECRET}")}));
    Mock::given(method("POST")).respond_with(answer).mount(&server).await;
    server
}

#[tokio::test]
async fn gitea_gets_the_status() {
    let server = MockServer::start().await;
    let basic = format!("Basic {}", data_encoding::BASE64.encode(format!("bot:{SECRET}").as_bytes()));
    let shown = format!("{}…", "é".repeat(139));
    Mock::given(method("POST"))
        .and(path(GITEA))
        .and(header("authorization", basic.as_str()))
        .and(body_json(
            json!({"state": "failure", "context": "brickline/staging", "description": shown, "target_url": PAGE}),
        ))
        .respond_with(ResponseTemplate::new(201).set_body_json(json!({"id": 1, "status": "failure"})))
        .expect(1)
        .mount(&server)
        .await;
    to_gitea(&server, &password(), PATIENCE).await.unwrap();
}

#[tokio::test]
async fn a_pull_request_has_a_check_of_its_own() {
    let server = MockServer::start().await;
    let context = json!({"context": "brickline/pull-request"});
    Mock::given(body_partial_json(context)).respond_with(ResponseTemplate::new(201)).expect(1).mount(&server).await;
    let mut release = release(format!("{}/gitea/data/dbxdemo.git", server.uri()), Provider::Gitea, None);
    release.spec.reason = ReleaseReason::PullRequest;
    tell(&reqwest::Client::new(), &release, &failed(), &token(), PATIENCE).await.unwrap();
}

#[tokio::test]
async fn gitea_takes_a_token() {
    let server = MockServer::start().await;
    Mock::given(header("authorization", "token canary-token"))
        .respond_with(ResponseTemplate::new(201))
        .expect(1)
        .mount(&server)
        .await;
    to_gitea(&server, &token(), PATIENCE).await.unwrap();
}

#[rstest]
#[case::token(token(), "Bearer canary-token")]
#[case::password(
    Credentials { proof: Proof::Password { username: "bot".to_owned(), password: SecretString::from("p") }, authority: None },
    "Bearer p"
)]
#[tokio::test]
async fn github_gets_the_status(#[case] credentials: Credentials, #[case] authorization: &str) {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path(GITHUB))
        .and(header("authorization", authorization))
        .and(body_json(json!({"state": "success", "context": "brickline", "description": "Build, Deploy"})))
        .respond_with(ResponseTemplate::new(201).set_body_json(json!({"state": "success", "context": "brickline"})))
        .expect(1)
        .mount(&server)
        .await;
    to_github(&server, &credentials).await.unwrap();
}

#[tokio::test]
async fn github_links_the_run_that_failed() {
    let server = MockServer::start().await;
    Mock::given(path(GITHUB))
        .and(body_partial_json(json!({"state": "failure", "target_url": PAGE})))
        .respond_with(ResponseTemplate::new(201).set_body_json(json!({"state": "failure", "context": "brickline"})))
        .expect(1)
        .mount(&server)
        .await;
    to_github_with(&server, &token(), &failed()).await.unwrap();
}

#[rstest]
#[case(401, Reason::AuthenticationFailed, false, 1)]
#[case(404, Reason::DependencyNotReady, false, 1)]
#[case(422, Reason::InvalidSpec, false, 1)]
#[case(429, Reason::DependencyNotReady, true, 3)]
#[case(502, Reason::DependencyNotReady, true, 3)]
#[tokio::test]
async fn refusals_are_told_and_faults_repeated(
    #[case] code: u16,
    #[case] reason: Reason,
    #[case] transient: bool,
    #[case] attempts: usize,
    #[values(Provider::Gitea, Provider::Github)] provider: Provider,
) {
    let server = answering(code).await;
    let sent = match provider {
        Provider::Github => to_github(&server, &token()).await,
        _ => to_gitea(&server, &password(), PATIENCE).await,
    };
    let trouble = sent.unwrap_err();
    assert_eq!((trouble.reason, trouble.transient), (reason, transient), "{}", trouble.message);
    assert_eq!(server.received_requests().await.unwrap().len(), attempts);
    assert!(
        trouble.message.contains(&code.to_string()) && trouble.message.contains("127.0.0.1"),
        "{}",
        trouble.message
    );
    assert!(!trouble.message.contains("canary"), "{}", trouble.message);
}

#[tokio::test]
async fn a_fault_that_heals_is_not_told() {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(503)).up_to_n_times(2).mount(&server).await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(201)).expect(1).mount(&server).await;
    to_gitea(&server, &password(), PATIENCE).await.unwrap();
}

#[rstest]
#[case(Provider::Gitea)]
#[case(Provider::Github)]
#[tokio::test]
async fn credentials_don_t_follow_redirects(#[case] provider: Provider) {
    let (server, other) = (MockServer::start().await, MockServer::start().await);
    let away = ResponseTemplate::new(307).insert_header("location", other.uri().as_str());
    Mock::given(method("POST")).respond_with(away).mount(&server).await;
    let folder = if provider == Provider::Gitea { "gitea/" } else { "" };
    let release = release(format!("{}/{folder}data/dbxdemo.git", server.uri()), provider, None);
    // The controller's connections follow no redirects.
    let http = crate::databricks::connect(&crate::databricks::HttpConfig::default()).unwrap();
    let trouble = tell(&http, &release, &failed(), &token(), PATIENCE).await.unwrap_err();
    assert!(!trouble.transient, "{}", trouble.message);
    assert!(other.received_requests().await.unwrap().is_empty());
}

#[rstest]
#[case(Provider::Gitea)]
#[case(Provider::Github)]
#[tokio::test]
async fn an_unreachable_forge_may_heal(#[case] provider: Provider) {
    // Nobody listens on port 1.
    let release = release("http://127.0.0.1:1/data/dbxdemo.git".to_owned(), provider, None);
    let trouble = tell(&reqwest::Client::new(), &release, &failed(), &token(), PATIENCE).await.unwrap_err();
    assert!(trouble.transient && trouble.message.contains("can't be reached"), "{}", trouble.message);
    assert!(!trouble.message.contains("canary"), "{}", trouble.message);
}

#[tokio::test]
async fn a_forge_that_hangs_is_not_waited_for() {
    let server = MockServer::start().await;
    let never = ResponseTemplate::new(201).set_delay(Duration::from_hours(1));
    Mock::given(method("POST")).respond_with(never).mount(&server).await;
    let patience = Patience { attempt: Duration::from_millis(50), attempts: 2, ..PATIENCE };
    let trouble = to_gitea(&server, &password(), patience).await.unwrap_err();
    assert!(trouble.transient && trouble.message.contains("did not answer"), "{}", trouble.message);
}

#[rstest]
#[case("https://git.example.com/dbxdemo.git")]
#[case("/srv/git/dbxdemo.git")]
#[tokio::test]
async fn a_url_without_owner_is_told(#[case] url: &str) {
    let release = release(url.to_owned(), Provider::Gitea, None);
    let trouble = tell(&reqwest::Client::new(), &release, &failed(), &token(), PATIENCE).await.unwrap_err();
    assert_eq!((trouble.reason, trouble.transient), (Reason::InvalidSpec, false));
}

#[rstest]
#[case::gitea(Provider::Gitea, Proof::Token(SecretString::from("canary\ntoken")))]
#[case::github(Provider::Github, Proof::Token(SecretString::from("canary\ntoken")))]
#[case::password(Provider::Github, Proof::Password { username: "bot".to_owned(), password: SecretString::from("canaryé\n") })]
#[tokio::test]
async fn a_token_that_is_none_is_told(#[case] provider: Provider, #[case] proof: Proof) {
    let server = answering(201).await;
    let release = release(format!("{}/data/dbxdemo.git", server.uri()), provider, None);
    let credentials = Credentials { proof, authority: None };
    let trouble = tell(&reqwest::Client::new(), &release, &failed(), &credentials, PATIENCE).await.unwrap_err();
    assert_eq!((trouble.reason, trouble.transient), (Reason::AuthenticationFailed, false));
    assert!(!trouble.message.contains("canary"), "{}", trouble.message);
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn another_kind_of_server_is_no_github() {
    let server = MockServer::start().await;
    let page = ResponseTemplate::new(200).set_body_string("<html>");
    Mock::given(method("POST")).respond_with(page).mount(&server).await;
    let trouble = to_github(&server, &token()).await.unwrap_err();
    assert!(!trouble.transient && trouble.message.contains("provider"), "{}", trouble.message);
}
