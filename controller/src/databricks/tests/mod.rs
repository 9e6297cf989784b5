//! The client against a server that answers what each test tells it.

mod calls;
mod faults;
mod identity;
mod jobs;
mod oauth;
mod repetition;
mod transfers;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Url;
use secrecy::SecretString;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{Auth, Client, ClientConfig, HttpConfig, Limits, Observer, Timings, connect};

const TOKEN: &str = "dapi-0123456789";

/// Every attempt that was observed, as `operation outcome`.
#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl Observer for Log {
    fn request(&self, operation: &'static str, outcome: &'static str, seconds: f64) {
        assert!(seconds.is_finite());
        self.0.lock().expect("unpoisoned").push(format!("{operation} {outcome}"));
    }
}

impl Log {
    fn lines(&self) -> Vec<String> {
        self.0.lock().expect("unpoisoned").clone()
    }
}

fn quick() -> Timings {
    Timings {
        attempt: Duration::from_millis(400),
        deadline: Duration::from_secs(5),
        transfer: Duration::from_secs(5),
        attempts: 4,
        first_pause: Duration::from_millis(2),
        longest_pause: Duration::from_millis(10),
    }
}

fn client_with(host: &str, auth: Auth, timings: Timings) -> (Client, Arc<Log>) {
    let observer = Arc::new(Log::default());
    let http = connect(&HttpConfig::default()).expect("connections");
    let host = Url::parse(host).expect("an address");
    let config = ClientConfig { host, auth, http, timings, limits: Limits::default(), observer: observer.clone() };
    (Client::new(config).expect("a client"), observer)
}

fn client(server: &MockServer) -> (Client, Arc<Log>) {
    client_with(&server.uri(), Auth::Token(SecretString::from(TOKEN)), quick())
}

/// Answers everything the same way.
async fn always(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(answer).mount(&server).await;
    server
}

/// Answers `first` as often as told, then `{}`.
async fn first(times: u64, answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(answer).up_to_n_times(times).with_priority(1).mount(&server).await;
    Mock::given(any()).respond_with(ResponseTemplate::new(200).set_body_string("{}")).mount(&server).await;
    server
}

async fn sent(server: &MockServer) -> Vec<wiremock::Request> {
    server.received_requests().await.expect("recorded")
}
