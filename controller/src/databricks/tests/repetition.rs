//! What is repeated, how often, and when the client gives up.

use std::time::{Duration, Instant};

use rstest::rstest;
use wiremock::ResponseTemplate;

use super::super::libraries::Library;
use super::super::runs::Submit;
use super::super::{Auth, Category, Timings};
use super::{TOKEN, always, client, client_with, first, quick, sent};

const BUSY: &str = r#"{"error_code":"RESOURCE_EXHAUSTED","message":"slower please"}"#;

fn limited() -> ResponseTemplate {
    ResponseTemplate::new(429).set_body_raw(BUSY, "application/json")
}

#[rstest]
#[case(limited())]
#[case(ResponseTemplate::new(429))]
#[case(ResponseTemplate::new(503))]
#[case(ResponseTemplate::new(502).set_body_raw("<title>Bad Gateway</title>", "text/html"))]
#[case(ResponseTemplate::new(400).set_body_string("INVALID_STATE: ClusterNotReadyException"))]
#[case(ResponseTemplate::new(200).set_delay(Duration::from_mins(1)))]
#[tokio::test]
async fn passing_faults_are_repeated(#[case] answer: ResponseTemplate) {
    let server = first(2, answer).await;
    let (client, log) = client(&server);
    client.install_libraries("c", &[Library::Whl("w".into())]).await.expect("the third attempt");
    assert_eq!((sent(&server).await.len(), log.lines().len()), (3, 3));
    assert_eq!(log.lines()[2], "libraries/install ok");
}

/// The texts by which Databricks' own clients know that a call may be repeated.
#[rstest]
#[case("UnknownWorkerEnvironmentException")]
#[case("x does not have any associated worker environments")]
#[case("There is no worker environment with id 5")]
#[case("Unknown worker environment w")]
#[case("ClusterNotReadyException: wait")]
#[case("Unexpected error")]
#[case("Please try again later or try a faster operation.")]
#[case("RPC token bucket limit has been exceeded")]
#[case("Timed out after 30 seconds")]
#[case("context deadline exceeded")]
#[tokio::test]
async fn some_texts_ask_to_come_again(#[case] message: &str) {
    let body = serde_json::json!({"error_code": "BAD_REQUEST", "message": message});
    let server = first(1, ResponseTemplate::new(400).set_body_json(body)).await;
    client(&server).0.library_statuses("c").await.expect("the second attempt");
    assert_eq!(sent(&server).await.len(), 2);
}

/// A connection that ends before or in the middle of the answer.
#[rstest]
#[case(b"")]
#[case(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"library_")]
#[tokio::test]
async fn a_connection_that_breaks_is_repeated(#[case] beginning: &'static [u8]) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let host = format!("http://{}", socket.local_addr().expect("an address"));
    let served = tokio::spawn(async move {
        let whole: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
        for answer in [beginning, whole] {
            let (mut stream, _) = socket.accept().await.expect("a caller");
            let mut request = [0; 4096];
            assert!(stream.read(&mut request).await.expect("a request") > 0);
            stream.write_all(answer).await.expect("written");
        }
    });
    let (client, log) = client_with(&host, Auth::Token(TOKEN.into()), quick());
    client.library_statuses("c").await.expect("the second attempt");
    assert_eq!(log.lines(), ["libraries/cluster-status unavailable", "libraries/cluster-status ok"]);
    served.await.expect("served");
}

#[rstest]
#[case(limited(), Category::RateLimited)]
#[case(ResponseTemplate::new(503), Category::Unavailable)]
#[tokio::test]
async fn repetition_is_bounded(#[case] answer: ResponseTemplate, #[case] category: Category) {
    let server = always(answer).await;
    let error = client(&server).0.me().await.expect_err("an error");
    assert_eq!((error.category(), sent(&server).await.len()), (category, 4));
}

#[rstest]
#[case(limited())]
#[case(ResponseTemplate::new(503))]
#[case(ResponseTemplate::new(200).set_delay(Duration::from_mins(1)))]
#[tokio::test]
async fn what_is_once_by_observation_is_never_repeated(#[case] answer: ResponseTemplate) {
    let server = first(1, answer).await;
    let error = client(&server).0.restart_cluster("c").await.expect_err("an error");
    assert!(error.is_transient(), "{error}");
    assert_eq!(sent(&server).await.len(), 1);
}

#[tokio::test]
async fn a_submit_is_repeated_only_with_a_token() {
    let ok = ResponseTemplate::new(200).set_body_raw(r#"{"run_id":7}"#, "application/json");
    for (token, attempts) in [("", 1), ("t", 2)] {
        let server = wiremock::MockServer::start().await;
        let any = || wiremock::Mock::given(wiremock::matchers::any());
        any().respond_with(ResponseTemplate::new(503)).up_to_n_times(1).with_priority(1).mount(&server).await;
        any().respond_with(ok.clone()).mount(&server).await;
        let submit = Submit { idempotency_token: token.into(), ..Submit::default() };
        let run = client(&server).0.submit_run(&submit).await;
        assert_eq!((run.ok(), sent(&server).await.len()), ((attempts == 2).then_some(7), attempts));
    }
}

#[rstest]
#[case(limited())]
#[case(ResponseTemplate::new(503))]
#[tokio::test]
async fn retry_after_is_honoured(#[case] answer: ResponseTemplate) {
    let server = first(1, answer.insert_header("retry-after", "1")).await;
    let start = Instant::now();
    client(&server).0.library_statuses("c").await.expect("the second attempt");
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_retry_after_beyond_the_deadline_is_left_to_the_caller() {
    let server = always(limited().insert_header("retry-after", "86400")).await;
    let silent = always(ResponseTemplate::new(200).set_delay(Duration::from_mins(10))).await;
    let timings = Timings { attempt: Duration::from_mins(2), deadline: Duration::from_mins(2), ..quick() };
    let [(limited, _), (waits, _)] =
        [&server, &silent].map(|server| client_with(&server.uri(), Auth::Token(TOKEN.into()), timings));
    // Side by side with one that does wait for the same deadline.
    let error = tokio::select! {
        answered = limited.me() => answered.expect_err("an error"),
        _ = waits.me() => panic!("it waited for its deadline"),
    };
    assert_eq!((error.retry_after(), sent(&server).await.len()), (Some(Duration::from_mins(10)), 1));
}

#[tokio::test]
async fn a_silent_server_is_a_timeout() {
    let server = always(ResponseTemplate::new(200).set_delay(Duration::from_mins(1))).await;
    let timings = Timings { deadline: Duration::from_millis(300), ..quick() };
    let (client, _) = client_with(&server.uri(), Auth::Token(TOKEN.into()), timings);
    let error = client.me().await.expect_err("an error");
    assert_eq!(error.category(), Category::Timeout);
    assert_eq!(error.to_string(), "scim/me: no answer within 0.3 s");
}

#[tokio::test]
async fn the_deadline_bounds_all_attempts_and_keeps_the_last_error() {
    let server = first(1, ResponseTemplate::new(503)).await;
    server.reset().await;
    let any = || wiremock::Mock::given(wiremock::matchers::any());
    any().respond_with(ResponseTemplate::new(503)).up_to_n_times(1).with_priority(1).mount(&server).await;
    any().respond_with(ResponseTemplate::new(200).set_delay(Duration::from_mins(1))).mount(&server).await;
    let timings = Timings { deadline: Duration::from_millis(300), ..quick() };
    let (client, _) = client_with(&server.uri(), Auth::Token(TOKEN.into()), timings);
    let error = client.me().await.expect_err("an error");
    assert_eq!(error.category(), Category::Unavailable, "{error}");
}
