//! The receiver: takes the webhooks of forges, on every replica, and makes releases of them.
//!
//! The order never changes: cap, find the pipeline, load its Secret, authenticate, parse, match, create (or, for a
//! pull request that was closed, cancel), answer. It answers 202 only after the release exists.

mod answer;
mod delivery;
mod gitea;
mod github;
mod payload;
mod pull_releases;
mod pull_request;
mod push;
#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
mod token;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use brickline_crds::ReleasePipeline;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use http::HeaderMap;
use jiff::Timestamp;
use kube::runtime::reflector::Store;
use tokio::sync::Semaphore;

use crate::metrics::Metrics;
use answer::Answer;
use delivery::{Delivery, deliver, header, printable};

/// What the receiver works with.
#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) kube: kube::Client,
    pub(crate) metrics: Metrics,
    /// Every pipeline, kept current by a watch.
    pub(crate) pipelines: Store<ReleasePipeline>,
}

/// What a delivery may take.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Bytes of a body. GitHub sends at most 25 MB, but of a push only when thousands of commits are in it.
    body: usize,
    /// Deliveries at the same time; with `body` this bounds the memory to 192 MiB.
    deliveries: usize,
    /// The longest time for the body to arrive.
    read: Duration,
    /// The longest time for everything after. Forges wait ten seconds.
    work: Duration,
}

/// As documented.
const LIMITS: Limits =
    Limits { body: 3 << 20, deliveries: 64, read: Duration::from_secs(30), work: Duration::from_secs(10) };

/// Headers with the delivery's id, Gitea's first: it sends GitHub's too.
const IDS: [&str; 3] = ["x-forgejo-delivery", "x-gitea-delivery", "x-github-delivery"];

/// The routes `POST /hooks/{namespace}/{pipeline}` and `POST /hooks/{namespace}` for all its pipelines.
pub(crate) fn router(state: Receiver) -> Router {
    router_within(state, LIMITS)
}

fn router_within(receiver: Receiver, limits: Limits) -> Router {
    let free = Arc::new(Semaphore::new(limits.deliveries));
    Router::new()
        .route("/hooks/{namespace}", post(receive_for_namespace))
        .route("/hooks/{namespace}/{pipeline}", post(receive_for_pipeline))
        .with_state(Desk { receiver, limits, free })
}

/// Where deliveries arrive.
#[derive(Clone)]
struct Desk {
    receiver: Receiver,
    limits: Limits,
    /// One permit for each further delivery that may be taken now.
    free: Arc<Semaphore>,
}

async fn receive_for_namespace(State(desk): State<Desk>, Path(namespace): Path<String>, request: Request) -> Response {
    desk.receive(namespace, None, request).await
}

async fn receive_for_pipeline(
    State(desk): State<Desk>,
    Path((namespace, pipeline)): Path<(String, String)>,
    request: Request,
) -> Response {
    desk.receive(namespace, Some(pipeline), request).await
}

impl Desk {
    /// Takes one delivery, and counts and logs what became of it.
    async fn receive(&self, namespace: String, pipeline: Option<String>, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let (provider, id) = (provider(&parts.headers), id(&parts.headers));
        let (place, name) = (printable(&namespace), pipeline.as_deref().map(printable));
        let answer = self.take(namespace, pipeline, parts.headers, body).await;
        let outcome = answer.outcome();
        self.receiver.metrics.webhook(provider, outcome);
        tracing::info!(delivery = id, provider, namespace = place, pipeline = name, outcome, "webhook");
        answer.into_response()
    }

    async fn take(&self, namespace: String, pipeline: Option<String>, headers: HeaderMap, body: Body) -> Answer {
        let arrived = Timestamp::now();
        if body.size_hint().lower() > self.limits.body as u64 {
            return Answer::TooLarge;
        }
        let Ok(_permit) = self.free.try_acquire() else { return Answer::Overloaded };
        let read = tokio::time::timeout(self.limits.read, read(body, self.limits.body));
        let body = match read.await.unwrap_or(Err(Answer::Incomplete)) {
            Ok(body) => body,
            Err(answer) => return answer,
        };
        let delivery = Delivery { namespace, pipeline, headers, body, arrived };
        let work = tokio::time::timeout(self.limits.work, deliver(&self.receiver, &delivery));
        work.await.unwrap_or_else(|_| {
            tracing::error!(after = ?self.limits.work, "a webhook took too long");
            Answer::Failed
        })
    }
}

/// Reads a body up to `cap` bytes, whatever its header promised.
async fn read(body: Body, cap: usize) -> Result<Bytes, Answer> {
    let mut stream = body.into_data_stream();
    let mut bytes = BytesMut::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| Answer::Incomplete)?;
        if chunk.len() > cap.saturating_sub(bytes.len()) {
            return Err(Answer::TooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

/// Who says to have sent it, for the metric and the log only: a pipeline's own provider decides how it is read.
fn provider(headers: &HeaderMap) -> &'static str {
    let has = |name: &str| headers.contains_key(name);
    match () {
        () if has("x-forgejo-event") || has("x-gitea-event") => "gitea",
        () if has("x-github-event") => "github",
        () => "unknown",
    }
}

fn id(headers: &HeaderMap) -> Option<String> {
    IDS.iter().find_map(|name| header(headers, name)).map(printable)
}
