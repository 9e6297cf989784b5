//! An emulator without drivers and a client for it: enough for everything but running notebooks.

use super::{Emulator, TOKEN, wait_for_async};
use reqwest::{Method, StatusCode};
use rstest::fixture;
use serde_json::{Value, json};
use std::time::Duration;

/// An emulator with the cluster `c1` and the volume `main.default.v`.
pub struct Api {
    pub emulator: Emulator,
    pub http: reqwest::Client,
    folder: tempfile::TempDir,
}

#[fixture]
pub fn api() -> Api {
    Api::start(&[])
}

const USUAL: [&str; 5] = ["--no-drivers", "--cluster", "c1=one", "--volume", "main.default.v"];

impl Api {
    /// Starts one with more arguments.
    pub fn start(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let emulator = Emulator::start(folder.path(), &[&USUAL, more].concat());
        Self { emulator, http: reqwest::Client::new(), folder }
    }

    /// The folder that holds its state and goes with it.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Kills the emulator and starts it again on the same state.
    pub fn restart(self) -> Self {
        self.emulator.kill();
        let emulator = Emulator::start(self.folder.path(), &USUAL);
        Self { emulator, http: self.http, folder: self.folder }
    }

    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> (StatusCode, Value) {
        let mut request = self.http.request(method, format!("{}{path}", self.emulator.url)).bearer_auth(TOKEN);
        if let Some(body) = body {
            // No content type: that is how the old clients send it.
            request = request.body(body.to_string());
        }
        let response = request.send().await.unwrap();
        let (status, text) = (response.status(), response.text().await.unwrap());
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    pub async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.call(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        self.call(Method::POST, path, Some(&body)).await
    }

    /// A post that must succeed.
    pub async fn ok(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.post(path, body).await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
        answer
    }

    /// Looks at a path until what is there is as wanted.
    pub async fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        wait_for_async(path, Duration::from_secs(40), async || Some(self.get(path).await.1).filter(&wanted)).await
    }
}

pub fn base64(text: &[u8]) -> String {
    data_encoding::BASE64.encode(text)
}

pub fn notebook(path: &str) -> Value {
    json!({ "path": path, "format": "SOURCE", "language": "PYTHON", "content": base64(b"print(1)") })
}
