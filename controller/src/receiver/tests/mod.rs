//! The whole road of a delivery, against a small API server in memory.

mod answers;
mod bounds;
mod pull_requests;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use brickline_crds::{Provider, ReleasePipeline};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use kube::runtime::{reflector, watcher};
use rstest::rstest;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::samples::{self, gitea_headers, gitea_push, github_headers, github_push, signed};
use super::{LIMITS, Limits, Receiver, router_within};
use crate::metrics::Metrics;

/// Must never be seen outside the signature's computation.
const TOKEN: &str = "canary-current-token";
const PREVIOUS: &str = "canary-previous-token";

/// What the API server holds, and how it behaves.
#[derive(Default)]
struct Cluster {
    secrets: BTreeMap<String, Value>,
    releases: BTreeMap<String, Value>,
    /// Answers every GET of a Secret with this code.
    secrets_fail: Option<u16>,
    /// Answers every POST of a release with this code.
    creations_fail: Option<u16>,
    /// Never answers.
    hangs: bool,
    requests: Vec<String>,
}

impl Cluster {
    fn answer(&mut self, method: &Method, path: &str, body: &[u8]) -> (u16, Value) {
        self.requests.push(format!("{method} {path}"));
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        match (method, path.contains("/secrets/")) {
            (&Method::GET, true) => match self.secrets_fail {
                Some(code) => failure(code),
                None => self.secrets.get(&name).map_or_else(|| failure(404), |secret| (200, secret.clone())),
            },
            (&Method::GET, false) if name == "databricksreleases" => {
                let items: Vec<&Value> = self.releases.values().collect();
                (200, json!({"apiVersion": "brickline.dev/v1alpha1", "kind": "List", "metadata": {}, "items": items}))
            }
            (&Method::PATCH, _) => match (self.creations_fail, self.releases.get_mut(&name)) {
                (Some(code), _) => failure(code),
                (None, None) => failure(404),
                (None, Some(release)) => {
                    let change: Value = serde_json::from_slice(body).unwrap();
                    release["spec"]["cancel"] = change["spec"]["cancel"].clone();
                    (200, release.clone())
                }
            },
            (&Method::GET, false) => {
                self.releases.get(&name).map_or_else(|| failure(404), |release| (200, release.clone()))
            }
            _ => self.create(body),
        }
    }

    fn create(&mut self, body: &[u8]) -> (u16, Value) {
        if let Some(code) = self.creations_fail {
            return failure(code);
        }
        let release: Value = serde_json::from_slice(body).unwrap();
        let name = release["metadata"]["name"].as_str().unwrap().to_owned();
        if self.releases.contains_key(&name) {
            return failure(409);
        }
        self.releases.insert(name, release.clone());
        (201, release)
    }
}

fn failure(code: u16) -> (u16, Value) {
    let reason = match code {
        403 => "Forbidden",
        404 => "NotFound",
        409 => "AlreadyExists",
        _ => "InternalError",
    };
    (code, json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason}))
}

fn secret(pairs: &[(&str, &str)]) -> Value {
    let data: BTreeMap<_, _> =
        pairs.iter().map(|(key, value)| (*key, data_encoding::BASE64.encode(value.as_bytes()))).collect();
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hook", "namespace": "data"}, "data": data})
}

/// A receiver with its surroundings.
struct Scene {
    cluster: Arc<Mutex<Cluster>>,
    metrics: Metrics,
    limits: Limits,
    pipelines: Vec<ReleasePipeline>,
    listed: bool,
}

impl Scene {
    fn new() -> Self {
        let hook = secret(&[("token", TOKEN), ("previous-token", PREVIOUS)]);
        let cluster = Cluster { secrets: BTreeMap::from([("hook".to_owned(), hook)]), ..Cluster::default() };
        Self {
            cluster: Arc::new(Mutex::new(cluster)),
            metrics: Metrics::new().unwrap(),
            limits: LIMITS,
            pipelines: vec![samples::pipeline()],
            listed: true,
        }
    }

    fn with(self, change: impl FnOnce(&mut Cluster)) -> Self {
        change(&mut self.cluster.lock().unwrap());
        self
    }

    fn client(&self) -> kube::Client {
        let cluster = self.cluster.clone();
        let service = tower::service_fn(move |request: Request<kube::client::Body>| {
            let cluster = cluster.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect_bytes().await.unwrap();
                if cluster.lock().unwrap().hangs {
                    std::future::pending::<()>().await;
                }
                let (code, answer) = cluster.lock().unwrap().answer(&parts.method, parts.uri.path(), &body);
                let response =
                    Response::builder().status(code).body(kube::client::Body::from(answer.to_string().into_bytes()));
                Ok::<_, Infallible>(response.unwrap())
            }
        });
        kube::Client::new(service, "default")
    }

    fn router(&self) -> axum::Router {
        let (store, mut writer) = reflector::store();
        writer.apply_watcher_event(&watcher::Event::Init);
        for pipeline in &self.pipelines {
            writer.apply_watcher_event(&watcher::Event::InitApply(pipeline.clone()));
        }
        if self.listed {
            writer.apply_watcher_event(&watcher::Event::InitDone);
        }
        let receiver = Receiver { kube: self.client(), metrics: self.metrics.clone(), pipelines: store };
        router_within(receiver, self.limits)
    }

    async fn send(&self, path: &str, headers: HeaderMap, body: impl Into<Body>) -> Reply {
        let mut request = Request::post(path).body(body.into()).unwrap();
        *request.headers_mut() = headers;
        Reply::of(self.router().oneshot(request).await.unwrap()).await
    }

    /// Sends a delivery of Gitea, signed with `token`.
    async fn gitea(&self, body: Vec<u8>, token: &str) -> Reply {
        self.send("/hooks/data/dbxdemo", gitea_signed("push", &body, token), body).await
    }

    async fn push(&self) -> Reply {
        self.gitea(gitea_push("refs/heads/release"), TOKEN).await
    }

    fn releases(&self) -> BTreeMap<String, Value> {
        self.cluster.lock().unwrap().releases.clone()
    }

    fn requests(&self) -> usize {
        self.cluster.lock().unwrap().requests.len()
    }

    fn counted(&self, provider: &str, outcome: &str) -> bool {
        let line = format!("brickline_webhooks_total{{outcome=\"{outcome}\",provider=\"{provider}\"}} 1\n");
        String::from_utf8(self.metrics.render()).unwrap().contains(&line)
    }
}

struct Reply {
    code: u16,
    body: Value,
    retry_after: Option<String>,
}

impl Reply {
    async fn of(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        let retry_after = parts.headers.get("retry-after").map(|value| value.to_str().unwrap().to_owned());
        Self { code: parts.status.as_u16(), body: serde_json::from_slice(&bytes).unwrap_or(Value::Null), retry_after }
    }
}

fn gitea_signed(kind: &str, body: &[u8], token: &str) -> HeaderMap {
    let mut headers = gitea_headers(kind);
    headers.extend([signed("x-gitea-signature", "", body, token.as_bytes())]);
    headers
}

fn github_signed(kind: &str, body: &[u8], token: &str) -> HeaderMap {
    let mut headers = github_headers(kind);
    headers.extend([signed("x-hub-signature-256", "sha256=", body, token.as_bytes())]);
    headers
}
