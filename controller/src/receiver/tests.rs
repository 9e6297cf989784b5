//! The whole road of a delivery, against a small API server in memory.

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

#[tokio::test]
async fn a_push_becomes_a_release_before_the_answer() {
    let scene = Scene::new();
    let reply = scene.push().await;
    let releases = scene.releases();
    let (name, release) = releases.first_key_value().expect("a release");
    assert_eq!((reply.code, &reply.body), (202, &json!({"release": name})));
    assert_eq!(release["metadata"]["namespace"], "data");
    assert_eq!(release["spec"]["source"]["git"]["commit"], samples::COMMIT);
    assert_eq!(release["spec"]["workspaceRef"]["name"], "staging");
    assert_eq!(release["spec"]["requestedFor"], "ana@example.com");
    assert!(scene.counted("gitea", "created"));
}

#[tokio::test]
async fn a_push_of_github_becomes_a_release() {
    let mut scene = Scene::new();
    scene.pipelines[0].spec.repository.provider = Provider::Github;
    let body = github_push("refs/heads/release/1.2");
    let reply = scene.send("/hooks/data/dbxdemo", github_signed("push", &body, TOKEN), body).await;
    assert_eq!((reply.code, scene.releases().len()), (202, 1));
    assert!(scene.counted("github", "created"));
}

#[tokio::test]
async fn the_previous_token_counts_while_it_is_there() {
    let scene = Scene::new();
    assert_eq!(scene.gitea(gitea_push("refs/heads/release"), PREVIOUS).await.code, 202);
    let rotated = Scene::new().with(|cluster| {
        cluster.secrets.insert("hook".to_owned(), secret(&[("token", TOKEN)]));
    });
    assert_eq!(rotated.gitea(gitea_push("refs/heads/release"), PREVIOUS).await.code, 401);
}

#[rstest]
#[case::of_another_token("another", "push")]
#[case::of_an_empty_token("", "push")]
#[case::of_a_ping("another", "ping")]
#[tokio::test]
async fn a_forged_signature_is_refused(#[case] token: &str, #[case] kind: &str) {
    let scene = Scene::new();
    let body = gitea_push("refs/heads/release");
    let reply = scene.send("/hooks/data/dbxdemo", gitea_signed(kind, &body, token), body).await;
    assert_eq!((reply.code, scene.releases().len()), (401, 0));
    assert!(scene.counted("gitea", "unauthenticated"));
}

#[tokio::test]
async fn a_changed_body_is_refused() {
    let scene = Scene::new();
    let headers = gitea_signed("push", &gitea_push("refs/heads/main"), TOKEN);
    let reply = scene.send("/hooks/data/dbxdemo", headers, gitea_push("refs/heads/release")).await;
    assert_eq!((reply.code, scene.releases().len()), (401, 0));
}

#[tokio::test]
async fn without_a_signature_the_api_server_is_not_asked() {
    let scene = Scene::new();
    let reply = scene.send("/hooks/data/dbxdemo", gitea_headers("push"), gitea_push("refs/heads/release")).await;
    assert_eq!((reply.code, scene.requests()), (401, 0));
}

#[tokio::test]
async fn what_is_not_authentic_is_not_parsed() {
    assert_eq!(Scene::new().gitea(b"{".to_vec(), "another").await.code, 401);
    let scene = Scene::new();
    assert_eq!(scene.gitea(b"{".to_vec(), TOKEN).await.code, 400);
    assert!(scene.counted("gitea", "invalid"));
}

#[rstest]
#[case::empty(&[("token", "")])]
#[case::missing(&[("other", "x")])]
#[tokio::test]
async fn an_empty_token_opens_nothing(#[case] data: &[(&str, &str)]) {
    let scene = Scene::new().with(|cluster| {
        cluster.secrets.insert("hook".to_owned(), secret(data));
    });
    let reply = scene.gitea(gitea_push("refs/heads/release"), "").await;
    assert_eq!((reply.code, scene.releases().len()), (503, 0));
}

#[rstest]
#[case::missing_right(Some(403))]
#[case::missing_secret(None)]
#[case::broken_server(Some(500))]
#[tokio::test]
async fn a_secret_that_can_t_be_read_is_our_fault(#[case] code: Option<u16>) {
    let scene = Scene::new().with(|cluster| {
        cluster.secrets.clear();
        cluster.secrets_fail = code;
    });
    let reply = scene.push().await;
    assert_eq!(reply.code, 503);
    assert!(reply.retry_after.is_some());
    assert_eq!(reply.body, json!({"error": "the delivery can't be taken now"}));
    assert!(scene.counted("gitea", "error"));
}

#[tokio::test]
async fn the_same_push_twice_is_one_release() {
    let scene = Scene::new();
    let first = scene.push().await;
    let second = scene.push().await;
    assert_eq!((first.code, second.code), (202, 200));
    assert_eq!(second.body, json!({"release": first.body["release"], "duplicate": true}));
    assert_eq!(scene.releases().len(), 1);
    assert!(scene.counted("gitea", "duplicate"));
}

#[tokio::test]
async fn a_name_taken_by_another_release_is_no_duplicate() {
    let scene = Scene::new();
    let first = scene.push().await.body["release"].as_str().unwrap().to_owned();
    // Another commit has taken the name, and then the longer one too.
    for (taken, length) in [(1, 20), (2, 32)] {
        let names: Vec<String> = scene.releases().into_keys().collect();
        assert_eq!(names.len(), taken);
        scene.cluster.lock().unwrap().releases.values_mut().for_each(|release| {
            release["spec"]["source"]["git"]["commit"] = json!("a".repeat(40));
        });
        let reply = scene.push().await;
        let name = reply.body["release"].as_str().unwrap();
        assert_eq!((reply.code, name.len()), (202, "dbxdemo-".len() + length));
        assert!(name.starts_with(&first));
    }
    scene.cluster.lock().unwrap().releases.values_mut().for_each(|release| {
        release["spec"]["source"]["git"]["commit"] = json!("b".repeat(40));
    });
    assert_eq!(scene.push().await.code, 503);
}

#[rstest]
#[case(403)]
#[case(422)]
#[case(500)]
#[case(503)]
#[tokio::test]
async fn what_was_not_created_is_not_accepted(#[case] code: u16) {
    let scene = Scene::new().with(|cluster| cluster.creations_fail = Some(code));
    let reply = scene.push().await;
    assert_eq!((reply.code, scene.releases().len()), (503, 0));
    assert!(reply.retry_after.is_some());
    // The forge sends again when the API server is back.
    scene.cluster.lock().unwrap().creations_fail = None;
    assert_eq!(scene.push().await.code, 202);
}

#[rstest]
#[case::branch("refs/heads/main", "branch main")]
#[case::deeper_branch("refs/heads/release/1/2", "branch release/1/2")]
#[case::tag("refs/tags/v1", "tag")]
#[tokio::test]
async fn some_pushes_are_passed_over(#[case] reference: &str, #[case] why: &str) {
    let scene = Scene::new();
    let reply = scene.gitea(gitea_push(reference), TOKEN).await;
    assert_eq!((reply.code, reply.body, scene.releases().len()), (200, json!({"ignored": why}), 0));
    assert!(scene.counted("gitea", "ignored"));
}

#[tokio::test]
async fn a_deleted_branch_a_ping_and_another_repository_are_passed_over() {
    let scene = Scene::new();
    let changed = |from: &str, to: &str| {
        String::from_utf8(gitea_push("refs/heads/release")).unwrap().replace(from, to).into_bytes()
    };
    let deleted = scene.gitea(changed(samples::COMMIT, &"0".repeat(40)), TOKEN).await;
    assert_eq!((deleted.code, deleted.body), (200, json!({"ignored": "deleted branch"})));
    let other = scene.gitea(changed("data/dbxdemo", "data/other"), TOKEN).await;
    assert_eq!((other.code, other.body), (200, json!({"ignored": "repository"})));
    let ping = scene.send("/hooks/data/dbxdemo", gitea_signed("ping", b"{}", TOKEN), "{}").await;
    assert_eq!((ping.code, ping.body), (200, json!({"ignored": "ping"})));
    assert!(scene.releases().is_empty());
}

#[rstest]
#[case::name("/hooks/data/other")]
#[case::namespace("/hooks/other/dbxdemo")]
#[case::whole_namespace("/hooks/other")]
#[tokio::test]
async fn an_unknown_pipeline_is_not_found(#[case] path: &str) {
    let scene = Scene::new();
    let body = gitea_push("refs/heads/release");
    let reply = scene.send(path, gitea_signed("push", &body, TOKEN), body).await;
    assert_eq!((reply.code, scene.requests()), (404, 0));
    assert!(scene.counted("gitea", "unknown"));
}

#[tokio::test]
async fn a_pipeline_without_webhook_is_not_found() {
    let mut scene = Scene::new();
    scene.pipelines[0].spec.trigger.webhook = None;
    assert_eq!(scene.push().await.code, 404);
    let mut scene = Scene::new();
    scene.pipelines[0].spec.repository.provider = Provider::Generic;
    assert_eq!(scene.push().await.code, 404);
}

#[tokio::test]
async fn a_suspended_pipeline_asks_to_come_later() {
    let mut scene = Scene::new();
    scene.pipelines[0].spec.suspend = true;
    let reply = scene.push().await;
    assert_eq!((reply.code, reply.retry_after.as_deref(), scene.requests()), (503, Some("300"), 0));
    assert!(scene.counted("gitea", "suspended"));
}

#[tokio::test]
async fn before_the_pipelines_are_listed_nothing_is_unknown() {
    let scene = Scene { listed: false, ..Scene::new() };
    assert_eq!(scene.push().await.code, 503);
}

#[tokio::test]
async fn a_large_body_is_refused_before_anything_else() {
    let scene = Scene::new();
    let body = vec![b' '; LIMITS.body + 1];
    // Even where no pipeline is.
    let reply = scene.send("/hooks/other/x", gitea_signed("push", &body, TOKEN), body.clone()).await;
    assert_eq!(reply.code, 413);
    let chunks = body.chunks(1 << 16).map(|chunk| Ok::<_, Infallible>(chunk.to_vec())).collect::<Vec<_>>();
    let stream = Body::from_stream(futures::stream::iter(chunks));
    let reply = scene.send("/hooks/data/dbxdemo", gitea_signed("push", &body, TOKEN), stream).await;
    assert_eq!((reply.code, scene.requests()), (413, 0));
}

#[tokio::test]
async fn a_promised_large_body_is_not_waited_for() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut connection = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let served = tokio::spawn(axum::serve(listener, Scene::new().router()).into_future());
    let head = format!("POST /hooks/data/dbxdemo HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", LIMITS.body + 1);
    connection.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 413 "), "{}", String::from_utf8_lossy(&answer));
    served.abort();
}

#[tokio::test]
async fn a_body_at_the_cap_is_taken() {
    let scene = Scene::new();
    let mut body = gitea_push("refs/heads/release");
    body.resize(LIMITS.body, b' ');
    assert_eq!(scene.gitea(body, TOKEN).await.code, 202);
}

#[tokio::test]
async fn an_endless_body_is_cut_short() {
    let mut scene = Scene::new();
    scene.limits.read = Duration::from_millis(20);
    let stream = Body::from_stream(futures::stream::pending::<Result<Vec<u8>, Infallible>>());
    let reply = scene.send("/hooks/data/dbxdemo", gitea_headers("push"), stream).await;
    assert_eq!(reply.code, 408);
}

#[tokio::test]
async fn a_hanging_api_server_is_not_waited_for() {
    let mut scene = Scene::new().with(|cluster| cluster.hangs = true);
    scene.limits.work = Duration::from_millis(20);
    assert_eq!(scene.push().await.code, 503);
}

#[tokio::test]
async fn too_many_deliveries_are_shed() {
    let mut scene = Scene::new();
    scene.limits.deliveries = 1;
    let router = scene.router();
    let (slow, started) = futures::channel::mpsc::unbounded::<Result<Vec<u8>, Infallible>>();
    let request = |body: Body| Request::post("/hooks/data/dbxdemo").body(body).unwrap();
    let first = tokio::spawn(router.clone().oneshot(request(Body::from_stream(started))));
    // The first delivery holds the only place until its body ends; it takes it as soon as it runs.
    let mut second = Reply::of(router.clone().oneshot(request(Body::empty())).await.unwrap()).await;
    for _ in 0..1000 {
        if second.code == 503 {
            break;
        }
        tokio::task::yield_now().await;
        second = Reply::of(router.clone().oneshot(request(Body::empty())).await.unwrap()).await;
    }
    assert_eq!((second.code, second.retry_after.as_deref()), (503, Some("5")));
    assert!(scene.counted("unknown", "overloaded"));
    drop(slow);
    assert_eq!(first.await.unwrap().unwrap().status(), StatusCode::UNAUTHORIZED);
    let third = router.oneshot(request(Body::empty())).await.unwrap();
    assert_eq!(third.status(), StatusCode::UNAUTHORIZED, "the place is free again");
}

#[tokio::test]
async fn a_namespace_path_reaches_every_pipeline_that_wants_the_push() {
    let mut scene = Scene::new();
    let mut foreign = samples::pipeline_named("foreign");
    foreign.spec.repository.url = "https://git.example.com/data/other.git".to_owned();
    let mut elsewhere = samples::pipeline_named("elsewhere");
    elsewhere.metadata.namespace = Some("other".to_owned());
    let mut hidden = samples::pipeline_named("hidden");
    hidden.spec.trigger.webhook.as_mut().unwrap().secret_ref.name = "another".to_owned();
    scene.pipelines.extend([samples::pipeline_named("second"), foreign, elsewhere, hidden]);
    let scene = scene.with(|cluster| {
        cluster.secrets.insert("another".to_owned(), secret(&[("token", "another")]));
    });
    let body = gitea_push("refs/heads/release");
    let reply = scene.send("/hooks/data", gitea_signed("push", &body, TOKEN), body).await;
    let names: Vec<String> = scene.releases().into_keys().collect();
    assert_eq!(reply.code, 202);
    assert_eq!(reply.body["releases"], json!(names));
    assert!(matches!(&names[..], [one, two] if one.starts_with("dbxdemo-") && two.starts_with("second-")), "{names:?}");
}

#[tokio::test]
async fn a_namespace_path_tells_if_a_secret_was_not_there() {
    let mut scene = Scene::new();
    scene.pipelines[0].spec.trigger.branches = vec!["other".to_owned()];
    let mut hidden = samples::pipeline_named("hidden");
    hidden.spec.trigger.webhook.as_mut().unwrap().secret_ref.name = "missing".to_owned();
    scene.pipelines.push(hidden);
    let body = gitea_push("refs/heads/release");
    let reply = scene.send("/hooks/data", gitea_signed("push", &body, TOKEN), body).await;
    assert_eq!((reply.code, scene.releases().len()), (503, 0));
}

#[tokio::test]
async fn only_post_is_answered() {
    let request = Request::get("/hooks/data/dbxdemo").body(Body::empty()).unwrap();
    let response = Scene::new().router().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
}

/// Log lines of this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Which log lines are on is decided for all threads together: while other tests begin and end theirs, one may miss some.
const TRIES: usize = 10;

#[tokio::test]
async fn neither_secrets_nor_bodies_are_logged() {
    for _ in 0..TRIES {
        let text = logged().await;
        assert!(!text.contains("canary"), "{text}");
        let is_whole = text.contains("0b0d2b6e-0000-4000-8000-000000000002") && text.contains("unauthenticated");
        if is_whole && (text.contains("1?outcome") || text.contains("1??outcome")) {
            return;
        }
    }
    panic!("the deliveries were never logged");
}

/// What is logged of deliveries that are signed, forged, broken, and meant to break the log.
async fn logged() -> String {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let scene = Scene::new();
    let canary = String::from_utf8(gitea_push("refs/heads/release")).unwrap().replace("Merge", "canary-message");
    for (body, token) in [(canary.clone(), TOKEN), (canary.clone(), "another"), (canary.replace(':', ""), TOKEN)] {
        scene.gitea(body.into_bytes(), token).await;
    }
    let mut headers = gitea_signed("push", canary.as_bytes(), TOKEN);
    headers.insert("x-gitea-delivery", http::HeaderValue::from_static("1\" outcome=\"created"));
    scene.send("/hooks/data/a%0Ab", headers, canary).await;
    drop(guard);
    String::from_utf8(log.0.lock().unwrap().clone()).unwrap()
}
