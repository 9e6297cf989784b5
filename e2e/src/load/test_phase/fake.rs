//! A fake workspace, a process of this machine: its runs do nothing for a set time and end well. So what is measured is the
//! controller, and not the machine that would have to execute the notebooks.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use axum::{
    Json, Router,
    extract::{Query, Request, State},
    http::StatusCode,
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use data_encoding::BASE64;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle, time::Instant};

/// Runs have ids from here on.
const FIRST: u64 = 700_000_000_000;
/// A page of `jobs/runs/list` holds fewer than 25.
const PAGE: usize = 24;

type Answer = Result<Json<Value>, Refusal>;
type Parameters = Query<BTreeMap<String, String>>;

/// The workspace; it serves until this is dropped.
pub(super) struct Fake {
    pub(super) address: SocketAddr,
    book: Arc<Book>,
    serving: JoinHandle<()>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Everything that happened.
struct Book {
    /// How long a run executes.
    length: Duration,
    pages: Mutex<Pages>,
}

#[derive(Default)]
struct Pages {
    /// Runs in the order they were submitted: token, name, and when.
    runs: Vec<(String, String, Instant)>,
    requests: Vec<Asked>,
}

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// Its path without `/api/` and the version. Example: `jobs/runs/list`.
    pub(super) operation: String,
    pub(super) at: Instant,
}

impl Book {
    fn open(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The run as `jobs/runs/get` shows it. A task's run has the id of its run and an odd digit more.
    fn run(&self, index: usize) -> Option<Value> {
        let (_, name, since) = self.open().runs.get(index)?.clone();
        let is_over = since.elapsed() >= self.length;
        let state = if is_over {
            json!({"life_cycle_state": "TERMINATED", "result_state": "SUCCESS", "state_message": ""})
        } else {
            json!({"life_cycle_state": "RUNNING", "state_message": ""})
        };
        let length = if is_over { self.length.as_millis() } else { 0 };
        let id = FIRST + 2 * index as u64;
        let task = json!({
            "run_id": id + 1, "task_key": "test", "state": state, "setup_duration": 0, "cleanup_duration": 0,
            "execution_duration": u64::try_from(length).unwrap_or(0),
        });
        Some(json!({
            "job_id": 1, "run_id": id, "run_name": name, "run_type": "SUBMIT_RUN", "run_page_url": "",
            "state": state, "tasks": [task], "execution_duration": 0,
        }))
    }
}

impl Fake {
    /// Serves at a free port of this address.
    pub(super) async fn serve(address: IpAddr, length: Duration) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((address, 0)).await.context("the fake workspace's address")?;
        let address = listener.local_addr()?;
        let book = Arc::new(Book { length, pages: Mutex::default() });
        let router = router(&book);
        let serving = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::warn!(%error, "the fake workspace ended");
            }
        });
        Ok(Self { address, book, serving })
    }

    /// What was asked for so far, the oldest first.
    pub(super) fn requests(&self) -> Vec<Asked> {
        self.book.open().requests.clone()
    }
}

fn router(book: &Arc<Book>) -> Router {
    Router::new()
        .route("/api/{version}/preview/scim/v2/Me", get(me))
        .route("/api/{version}/clusters/get", get(cluster))
        .route("/api/{version}/libraries/cluster-status", get(libraries))
        .route("/api/{version}/jobs/runs/submit", post(submit))
        .route("/api/{version}/jobs/runs/get", get(run))
        .route("/api/{version}/jobs/runs/list", get(list))
        .route("/api/{version}/jobs/runs/get-output", get(output))
        .route("/api/{version}/jobs/runs/export", get(export))
        .fallback(unknown)
        .layer(from_fn_with_state(Arc::clone(book), write_down))
        .with_state(Arc::clone(book))
}

async fn write_down(State(book): State<Arc<Book>>, request: Request, next: Next) -> Response {
    let operation = request.uri().path().splitn(4, '/').nth(3).unwrap_or_default().to_owned();
    book.open().requests.push(Asked { operation, at: Instant::now() });
    next.run(request).await
}

/// Why a request was not done.
struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(json!({"error_code": self.code, "message": self.message}))).into_response()
    }
}

fn invalid(message: String) -> Refusal {
    Refusal { status: StatusCode::BAD_REQUEST, code: "INVALID_PARAMETER_VALUE", message }
}

fn missing(run: &str) -> Refusal {
    invalid(format!("Run {run} does not exist."))
}

async fn unknown() -> Refusal {
    let message = "the fake workspace has no such endpoint".to_owned();
    Refusal { status: StatusCode::NOT_FOUND, code: "ENDPOINT_NOT_FOUND", message }
}

async fn me() -> Json<Value> {
    Json(json!({"id": "1", "userName": "fake@example.com"}))
}

async fn cluster(Query(query): Parameters) -> Json<Value> {
    Json(json!({"cluster_id": query.get("cluster_id"), "state": "RUNNING", "spark_context_id": 1}))
}

async fn libraries(Query(query): Parameters) -> Json<Value> {
    Json(json!({"cluster_id": query.get("cluster_id")}))
}

async fn submit(State(book): State<Arc<Book>>, Json(body): Json<Value>) -> Json<Value> {
    let token = body["idempotency_token"].as_str().unwrap_or_default().to_owned();
    let name = body["run_name"].as_str().unwrap_or_default().to_owned();
    let mut pages = book.open();
    let known = pages.runs.iter().position(|(other, ..)| *other == token);
    let index = known.unwrap_or_else(|| {
        pages.runs.push((token, name, Instant::now()));
        pages.runs.len() - 1
    });
    Json(json!({"run_id": FIRST + 2 * index as u64}))
}

/// Which run a request is about; the task's own id means the same here.
fn index(query: &BTreeMap<String, String>) -> Result<usize, Refusal> {
    let id = query.get("run_id").map(String::as_str).unwrap_or_default();
    let number = id.parse::<u64>().ok().and_then(|id| id.checked_sub(FIRST)).map(|number| number / 2);
    number.and_then(|number| usize::try_from(number).ok()).ok_or_else(|| missing(id))
}

async fn run(State(book): State<Arc<Book>>, Query(query): Parameters) -> Answer {
    let index = index(&query)?;
    book.run(index).map(Json).ok_or_else(|| missing(&index.to_string()))
}

/// The newest first; a page's token is the place after it.
async fn list(State(book): State<Arc<Book>>, Query(query): Parameters) -> Answer {
    let number = |name: &str| query.get(name).and_then(|text| text.parse::<usize>().ok());
    let limit = number("limit").unwrap_or(20);
    if limit == 0 || limit > PAGE {
        return Err(invalid(format!("limit must be from 1 to {PAGE}")));
    }
    let from = number("page_token").or_else(|| number("offset")).unwrap_or(0);
    let active_only = query.get("active_only").is_some_and(|value| value == "true");
    let is_wanted = |run: &Value| !active_only || run["state"]["life_cycle_state"] == "RUNNING";
    let all = book.open().runs.len();
    let runs: Vec<Value> = (0..all).rev().filter_map(|index| book.run(index)).filter(is_wanted).collect();
    let end = (from + limit).min(runs.len());
    let has_more = end < runs.len();
    let page = runs.get(from..end).unwrap_or_default();
    let mut answer = json!({"runs": page, "has_more": has_more});
    if has_more {
        answer["next_page_token"] = json!(end.to_string());
    }
    Ok(Json(answer))
}

async fn output(State(book): State<Arc<Book>>, Query(query): Parameters) -> Answer {
    let index = index(&query)?;
    let metadata = book.run(index).ok_or_else(|| missing(&index.to_string()))?;
    Ok(Json(json!({"metadata": metadata, "notebook_output": {}})))
}

async fn export(State(book): State<Arc<Book>>, Query(query): Parameters) -> Answer {
    let index = index(&query)?;
    book.run(index).ok_or_else(|| missing(&index.to_string()))?;
    let model = json!({"name": "fake", "language": "python", "commands": [
        {"position": 1.0, "command": "pass", "state": "finished", "results": null},
    ]});
    let content =
        format!("<script>__DATABRICKS_NOTEBOOK_MODEL = '{}'</script>", BASE64.encode(model.to_string().as_bytes()));
    Ok(Json(json!({"views": [{"name": "fake", "type": "NOTEBOOK", "content": content}]})))
}
