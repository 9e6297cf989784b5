//! Every shape of error on the wire becomes a category and a message fit for a condition.

use rstest::rstest;
use wiremock::ResponseTemplate;

use super::super::error::MAX_MESSAGE;
use super::super::runs::Submit;
use super::super::{Answer, Auth, Category, Client, ClientConfig, Error, HttpConfig, Limits, Unobserved, connect};
use super::{TOKEN, always, client, client_with, quick, sent};

fn html(status: u16, page: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_raw(page, "text/html")
}

fn json(status: u16, body: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_raw(body, "application/json")
}

#[rstest]
#[case(
    json(403, r#"{"error_code":"PERMISSION_DENIED","message":"no right"}"#),
    Category::Permission,
    "403 PERMISSION_DENIED: no right"
)]
#[case(
    json(400, r#"{"error_code":"INVALID_PARAMETER_VALUE","message":"Run 5 does not exist."}"#),
    Category::NotFound,
    "400 INVALID_PARAMETER_VALUE: Run 5 does not exist."
)]
#[case(json(401, r#"{"schemas":[],"detail":"who?","status":"401"}"#), Category::Authentication, "401: who?")]
#[case(
    json(500, r#"{"error_code":"INTERNAL_ERROR","message":""}"#),
    Category::Unavailable,
    "500 INTERNAL_ERROR: Internal Server Error"
)]
#[case(json(400, "MALFORMED_REQUEST: no id"), Category::Invalid, "400 MALFORMED_REQUEST: no id")]
#[case(ResponseTemplate::new(401), Category::Authentication, "401: Unauthorized")]
#[case(
    html(404, "<html><head><title>Error 404</title></head><body><pre>NOT_FOUND: /x</pre></body></html>"),
    Category::NotFound,
    "404 NOT_FOUND: /x"
)]
#[case(
    html(200, "<!doctype html><html><head><title>Login - Databricks</title></head></html>"),
    Category::Authentication,
    "200 LOGIN_PAGE: answered with a login page"
)]
#[case(ResponseTemplate::new(303).insert_header("location", "/login.html?error=private-link-validation-error:1"), Category::Permission, "303 PRIVATE_LINK_REQUIRED: the workspace is reached only over its private link")]
#[case(ResponseTemplate::new(302).insert_header("location", "/login.html"), Category::Authentication, "302 LOGIN_PAGE: answered with a login page")]
#[case(ResponseTemplate::new(307).insert_header("location", "https://elsewhere.example.com/?t=1"), Category::Protocol, "307: redirected to https://elsewhere.example.com/, which is not followed")]
#[case(json(200, r#"{"run_id":"seven"}"#), Category::Protocol, "expected an integer")]
#[tokio::test]
async fn an_answer_becomes_an_error(#[case] answer: ResponseTemplate, #[case] category: Category, #[case] words: &str) {
    let server = always(answer).await;
    let (client, log) = client(&server);
    let error = client.run(5).await.expect_err("an error");
    assert_eq!(error.category(), category, "{error}");
    assert!(error.to_string().starts_with(&format!("jobs/runs/get: {words}")), "{error}");
    assert_eq!(sent(&server).await.len(), 1, "final errors are not repeated");
    assert_eq!(log.lines().len(), 1);
}

/// A gateway's page with success may be gone with the next request: whether the call was done is not known.
#[tokio::test]
async fn a_page_instead_of_json_is_a_passing_fault() {
    let server = always(html(200, "<?xml version='1.0'?><answer>surprise</answer>")).await;
    let (client, log) = client(&server);
    let error = client.run(5).await.expect_err("an error");
    assert_eq!(error.to_string(), "jobs/runs/get: 200 UNREADABLE_ANSWER: the answer is not JSON: surprise");
    assert!(error.is_transient());
    assert_eq!(log.lines(), vec!["jobs/runs/get unavailable"; 4], "a read is repeated");
    let error = client.restart_cluster("c").await.expect_err("an error");
    assert!(error.is_transient());
    assert_eq!(log.lines().len(), 5, "what may be done already is not");
}

/// A file of any content was asked for, or nothing but that it was done: a page is neither.
#[rstest]
#[case(html(200, "<html><title>Bad gateway</title></html>"))]
#[case(html(200, "<pre>Bad gateway</pre>"))]
#[case(ResponseTemplate::new(200).set_body_string("\n<!DOCTYPE html><title>Bad gateway</title>"))]
#[case(ResponseTemplate::new(200).set_body_string("<?xml version='1.0'?><a>Bad gateway</a>"))]
#[tokio::test]
async fn a_page_instead_of_a_file_is_a_passing_fault(#[case] page: ResponseTemplate) {
    let server = always(page).await;
    let (client, log) = client(&server);
    let (volume, mut file) = ("/Volumes/c/s/v/f", Vec::new());
    let errors = [
        client.download("/Shared/f", Answer::File).await.map(drop),
        client.download_file(volume, &mut file, 1000, Answer::File).await.map(drop),
        client.remove(volume).await,
    ];
    for error in errors.map(|answer| answer.expect_err("a page")) {
        assert!(error.is_transient() && error.to_string().contains("UNREADABLE_ANSWER"), "{error}");
        assert!(error.to_string().ends_with("Bad gateway"), "{error}");
    }
    assert!(file.is_empty() && log.lines().len() == 9, "{:?}", log.lines());
    assert!(client.download("/Shared/f", Answer::Page).await.is_ok(), "a page that was asked for");
}

#[tokio::test]
async fn long_messages_are_cut_and_secrets_never_repeated() {
    let words = format!("token {TOKEN} is {} wrong", "very ".repeat(1000));
    let body = serde_json::json!({"error_code": "PERMISSION_DENIED", "message": words});
    let server = always(ResponseTemplate::new(403).set_body_json(body)).await;
    let error = client(&server).0.me().await.expect_err("an error");
    let Error::Api { message, .. } = &error else { panic!("{error}") };
    assert!(message.chars().count() <= MAX_MESSAGE && message.ends_with('…'), "{message}");
    assert!(!format!("{error} {error:?}").contains(TOKEN), "{error}");
}

#[tokio::test]
async fn an_unreachable_host_is_named() {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let host = format!("http://{}", socket.local_addr().expect("an address"));
    drop(socket);
    let (client, log) = client_with(&host, Auth::Token(TOKEN.into()), quick());
    let error = client.me().await.expect_err("an error");
    assert_eq!(error.category(), Category::Unavailable);
    assert!(error.to_string().starts_with("scim/me: can't reach 127.0.0.1: "), "{error}");
    assert_eq!(log.lines(), vec!["scim/me unavailable"; 4]);
}

#[tokio::test]
async fn the_token_is_sent_and_nothing_shows_it() {
    let server = always(json(200, r#"{"id":"1","userName":"ana@example.com","active":true}"#)).await;
    let (client, log) = client(&server);
    assert_eq!(client.me().await.expect("me").user_name, "ana@example.com");
    let request = &sent(&server).await[0];
    assert_eq!(request.headers["authorization"], format!("Bearer {TOKEN}"));
    assert!(request.headers["user-agent"].to_str().expect("text").starts_with("brickline/"));
    assert!(!format!("{client:?}").contains(TOKEN));
    assert_eq!(log.lines(), ["scim/me ok"]);
}

/// Cut at its end, the message would otherwise show the beginning of a secret that nothing finds any more.
#[rstest]
#[case(
    json(400, r#"{"error_code":"INVALID_PARAMETER_VALUE","message":"base_parameters: s3cret \"word\" is no date"}"#),
    "*** is no date"
)]
#[case(json(503, r#"{"message":"s3cret \"word\""}"#), "***")]
#[case(html(200, "<p>s3cret \"word\"</p>"), "***")]
#[case(json(400, &format!(r#"{{"message":"{} s3cret \"word\""}}"#, "x".repeat(MAX_MESSAGE - 5))), "x")]
#[tokio::test]
async fn a_secret_that_an_answer_repeats_is_taken_out(#[case] answer: ResponseTemplate, #[case] expected: &str) {
    let server = always(answer).await;
    let submit = Submit { secrets: vec![r#"s3cret "word""#.into()], ..Submit::default() };
    let error = client(&server).0.submit_run(&submit).await.expect_err("an error");
    let shown = format!("{error} {error:?}");
    assert!(shown.contains(expected) && !shown.contains("s3c"), "{shown}");
}

/// A short secret may be any part of an answer that is good.
#[tokio::test]
async fn a_good_answer_is_read_as_it_is() {
    let server = always(json(200, r#"{"run_id":71}"#)).await;
    let submit = Submit { secrets: vec!["7".into()], ..Submit::default() };
    assert_eq!(client(&server).0.submit_run(&submit).await.expect("a run"), 71);
}

#[rstest]
#[case("https://user:pw@x.example.com")]
#[case("https://x.example.com/path")]
#[case("https://x.example.com/?q=1")]
#[case("ftp://x.example.com")]
#[case("file:///etc")]
fn a_host_is_a_machine_and_nothing_else(#[case] host: &str) {
    let http = connect(&HttpConfig::default()).expect("connections");
    let host = host.parse().expect("an address");
    let observer = std::sync::Arc::new(Unobserved);
    let auth = Auth::Token(TOKEN.into());
    let config = ClientConfig { host, auth, http, timings: quick(), limits: Limits::default(), observer };
    assert_eq!(Client::new(config).expect_err("refused").category(), Category::Protocol);
}
