//! What following a Secret promises, against an API server that holds one Secret and answers `get` and `watch` alone.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, routing};
use brickline_crds::{DatabricksWorkspace, ReleasePipeline};
use futures::{FutureExt, Stream, StreamExt, stream};
use kube::Client;
use kube::runtime::reflector::ObjectRef;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use super::Watches;
use super::sight::Patience;

const PATIENCE: Patience = Patience { first: Duration::from_millis(5), longest: Duration::from_millis(20) };
/// How long something may take that happens at once.
const SOON: Duration = Duration::from_secs(10);

/// The API server.
#[derive(Clone)]
struct Server {
    inner: Arc<Mutex<Inner>>,
    /// How many watches are open.
    open: Arc<watch::Sender<usize>>,
}

#[derive(Default)]
struct Inner {
    version: Option<u64>,
    forbidden: bool,
    /// Versions older than this are forgotten.
    oldest: u64,
    watches: Vec<mpsc::UnboundedSender<Value>>,
    /// Where each watch began.
    began: Vec<String>,
    asked: usize,
    listed: bool,
}

/// Counts a watch while its answer is being read.
struct Open(Arc<watch::Sender<usize>>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl Server {
    fn with(version: Option<u64>) -> Self {
        let inner = Inner { version, ..Inner::default() };
        Self { inner: Arc::new(Mutex::new(inner)), open: Arc::new(watch::Sender::new(0)) }
    }

    fn watches(&self) -> Watches {
        let router = Router::new()
            .route("/api/v1/namespaces/data/secrets/{name}", routing::get(get))
            .route("/api/v1/namespaces/data/secrets", routing::get(watched))
            .with_state(self.clone());
        Watches::new(Client::new(router, "default")).with_patience(PATIENCE)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        change(&mut self.inner.lock().unwrap())
    }

    /// Stores another version, or deletes it.
    fn store(&self, version: Option<u64>) {
        self.change(|inner| {
            let kind = match (inner.version, version) {
                (_, None) => "DELETED",
                (None, _) => "ADDED",
                _ => "MODIFIED",
            };
            let event = json!({"type": kind, "object": secret(version.or(inner.version).unwrap_or_default())});
            inner.version = version;
            inner.watches.retain(|watch| watch.send(event.clone()).is_ok());
        });
    }

    /// Ends every watch, the last word being `event`.
    fn end(&self, event: &Value) {
        self.change(|inner| inner.watches.drain(..).for_each(|watch| drop(watch.send(event.clone()))));
    }

    async fn has_open(&self, count: usize) {
        let mut open = self.open.subscribe();
        tokio::time::timeout(SOON, open.wait_for(|open| *open == count)).await.expect("in time").unwrap();
    }
}

fn secret(version: u64) -> Value {
    json!({
        "apiVersion": "meta.k8s.io/v1",
        "kind": "PartialObjectMetadata",
        "metadata": {"name": "dbx", "namespace": "data", "resourceVersion": version.to_string()},
    })
}

fn status(code: u16, reason: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": reason, "message": reason, "code": code})
}

fn refused(code: StatusCode, reason: &str) -> Response {
    (code, Json(status(code.as_u16(), reason))).into_response()
}

async fn get(State(server): State<Server>, Path(_): Path<String>) -> Response {
    server.change(|inner| {
        inner.asked += 1;
        match inner.version {
            _ if inner.forbidden => refused(StatusCode::FORBIDDEN, "Forbidden"),
            Some(version) => Json(secret(version)).into_response(),
            None => refused(StatusCode::NOT_FOUND, "NotFound"),
        }
    })
}

async fn watched(State(server): State<Server>, Query(query): Query<BTreeMap<String, String>>) -> Response {
    let one = query.get("fieldSelector").is_some_and(|only| only == "metadata.name=dbx");
    let from = query.get("resourceVersion").cloned().unwrap_or_default();
    let (events, changes) = mpsc::unbounded_channel();
    let refusal = server.change(|inner| {
        inner.asked += 1;
        inner.listed |= !one || !query.contains_key("watch");
        if inner.forbidden {
            return Some(refused(StatusCode::FORBIDDEN, "Forbidden"));
        }
        inner.began.push(from.clone());
        let from: u64 = from.parse().unwrap();
        if from > 0 && from < inner.oldest {
            return Some(refused(StatusCode::GONE, "Expired"));
        }
        if let Some(version) = inner.version.filter(|version| *version > from) {
            events.send(json!({"type": "ADDED", "object": secret(version)})).unwrap();
        }
        inner.watches.push(events);
        None
    });
    if let Some(refusal) = refusal {
        return refusal;
    }
    server.open.send_modify(|count| *count += 1);
    let open = Open(Arc::clone(&server.open));
    let lines = stream::unfold((changes, open), |(mut changes, open)| async {
        let line = format!("{}\n", changes.recv().await?);
        Some((Ok::<_, Infallible>(Bytes::from(line)), (changes, open)))
    });
    Body::from_stream(lines).into_response()
}

fn workspace(name: &str) -> DatabricksWorkspace {
    serde_json::from_value(json!({
        "metadata": {"name": name, "namespace": "data"},
        "apiVersion": "brickline.dev/v1alpha1",
        "kind": "DatabricksWorkspace",
        "spec": {"host": "https://adb-1.2.azuredatabricks.net", "auth": {}},
    }))
    .unwrap()
}

/// That the object has just read the Secret in that version.
fn read(version: Option<u64>) -> BTreeMap<String, Option<String>> {
    BTreeMap::from([("dbx".to_owned(), version.map(|version| version.to_string()))])
}

type Woken = Pin<Box<dyn Stream<Item = ObjectRef<DatabricksWorkspace>> + Send>>;

/// The names of the next `count` objects that are woken, in the order of the alphabet.
async fn next(woken: &mut Woken, count: usize) -> Vec<String> {
    let names = woken.take(count).map(|object| object.name).collect::<Vec<_>>();
    let mut names = tokio::time::timeout(SOON, names).await.expect("nobody was woken");
    names.sort();
    names
}

/// What the Secret's watch knows is this, soon.
async fn knows(watches: &Watches, version: Option<&str>) {
    let known = async {
        while watches.version("data", "dbx").as_deref() != version {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(SOON, known).await.expect("in time");
}

#[tokio::test]
async fn a_rotation_wakes_every_object_that_names_the_secret_through_one_watch() {
    let server = Server::with(Some(5));
    let watches = server.watches();
    let mut woken: Woken = watches.woken().boxed();
    let others = watches.woken::<ReleasePipeline>();
    for name in ["staging", "production"] {
        assert!(watches.follow(&workspace(name), &read(Some(5))));
    }
    server.has_open(1).await;
    server.store(Some(6));
    assert_eq!(next(&mut woken, 2).await, ["production", "staging"]);
    knows(&watches, Some("6")).await;
    let (began, listed) = server.change(|inner| (inner.began.clone(), inner.listed));
    assert_eq!((began, listed), (vec!["5".to_owned()], false), "it begins where it was read, and nothing is listed");
    assert!(Box::pin(others).next().now_or_never().is_none(), "objects of other kinds sleep on");
}

#[tokio::test]
async fn a_secret_that_comes_and_goes_is_noticed() {
    let server = Server::with(None);
    let watches = server.watches();
    let mut woken: Woken = watches.woken().boxed();
    watches.follow(&workspace("staging"), &read(None));
    assert_eq!(next(&mut woken, 1).await, ["staging"], "the first look tells what reading could not");
    server.has_open(1).await;
    server.store(Some(7));
    assert_eq!(next(&mut woken, 1).await, ["staging"]);
    assert_eq!(watches.version("data", "dbx").as_deref(), Some("7"));
    server.store(None);
    assert_eq!(next(&mut woken, 1).await, ["staging"]);
    assert_eq!(watches.version("data", "dbx"), None);
}

#[tokio::test]
async fn missing_rights_are_asked_about_rarely_and_noticed_when_they_come() {
    let server = Server::with(Some(5));
    server.change(|inner| inner.forbidden = true);
    let watches = server.watches();
    let mut woken: Woken = watches.woken().boxed();
    let began = std::time::Instant::now();
    watches.follow(&workspace("staging"), &read(None));
    let asked = async {
        while server.change(|inner| inner.asked) < 10 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(SOON, asked).await.expect("it is asked again");
    // 5, 10, 20, 20, ... milliseconds, and as much again at random.
    assert!(began.elapsed() >= Duration::from_millis(100), "ten times in {:?}", began.elapsed());
    server.change(|inner| inner.forbidden = false);
    assert_eq!(next(&mut woken, 1).await, ["staging"]);
    knows(&watches, Some("5")).await;
}

#[tokio::test]
async fn a_watch_that_ends_goes_on_where_it_was() {
    let server = Server::with(Some(5));
    let watches = server.watches();
    let mut woken: Woken = watches.woken().boxed();
    watches.follow(&workspace("staging"), &read(Some(5)));
    server.has_open(1).await;
    let mark = json!({"type": "BOOKMARK", "object": {"apiVersion": "v1", "kind": "Secret", "metadata": {"resourceVersion": "8"}}});
    server.end(&mark);
    server.has_open(0).await;
    server.has_open(1).await;
    server.store(Some(9));
    assert_eq!(next(&mut woken, 1).await, ["staging"]);
    assert_eq!(server.change(|inner| inner.began.clone()), ["5", "8"]);
}

#[tokio::test]
async fn what_was_missed_is_made_up_for() {
    let server = Server::with(Some(5));
    let watches = server.watches();
    let mut woken: Woken = watches.woken().boxed();
    watches.follow(&workspace("staging"), &read(Some(5)));
    server.has_open(1).await;
    // The API server forgets, and meanwhile the Secret changes.
    server.change(|inner| (inner.oldest, inner.version) = (20, Some(30)));
    server.end(&json!({"type": "ERROR", "object": status(410, "Expired")}));
    assert_eq!(next(&mut woken, 1).await, ["staging"]);
    knows(&watches, Some("30")).await;
    assert_eq!(server.change(|inner| inner.began.last().cloned()).as_deref(), Some("30"));
}

#[tokio::test]
async fn a_watch_ends_when_nobody_names_its_secret() {
    let server = Server::with(Some(5));
    let watches = server.watches();
    for name in ["staging", "production"] {
        watches.follow(&workspace(name), &read(Some(5)));
    }
    server.has_open(1).await;
    watches.follow(&workspace("staging"), &BTreeMap::new());
    assert_eq!(watches.count(), 1, "the other one still names it");
    watches.forget("ReleasePipeline", "data", "production");
    assert_eq!(watches.count(), 1, "another kind of that name is another object");
    watches.forget("DatabricksWorkspace", "data", "production");
    assert_eq!(watches.count(), 0);
    server.has_open(0).await;
}

#[tokio::test]
async fn there_is_an_end_to_what_is_watched() {
    let watches = Server::with(None).watches();
    let many = (0..201).map(|number| (format!("s{number}"), Some("1".to_owned()))).collect();
    assert!(!watches.follow(&workspace("staging"), &many), "somebody must look by the clock");
    assert_eq!(watches.count(), 200);
    assert!(watches.follow(&workspace("staging"), &read(Some(5))));
    assert_eq!(watches.count(), 1);
}

#[tokio::test]
async fn what_a_secret_holds_is_known_by_name_while_its_version_is_in_sight() {
    let server = Server::with(Some(1));
    let watches = server.watches();
    let held = json!({"metadata": {"name": "dbx", "resourceVersion": "1"}, "data": {"token": "dA==", "empty": "Cg=="}});
    let held = serde_json::from_value(held).unwrap();
    watches.learn("data", &held);
    assert_eq!(watches.with_text("data", "dbx", "token"), None, "nobody follows it");
    watches.follow(&workspace("one"), &read(Some(1)));
    watches.learn("data", &held);
    assert_eq!(watches.with_text("data", "dbx", "token").as_deref(), Some("1"));
    assert_eq!(watches.with_text("data", "dbx", "empty"), None);
    server.has_open(1).await;
    server.store(Some(2));
    knows(&watches, Some("2")).await;
    assert_eq!(watches.with_text("data", "dbx", "token"), None, "it may be another one now");
}
