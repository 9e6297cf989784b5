//! Stale reads: what a read answered before the last write. While such a fault is in force, answers are kept for it.

use crate::state::{Refusal, lock};
use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde_json::json;
use std::{
    collections::{HashMap, VecDeque},
    sync::Mutex,
};

/// Answers kept, and the longest of them.
const MAX_KEPT: usize = 2000;
const MAX_BODY: usize = 1024 * 1024;

#[derive(Clone)]
struct Answer {
    /// The writes that had been done before it.
    writes: u64,
    status: StatusCode,
    kind: Option<HeaderValue>,
    body: Bytes,
}

#[derive(Default)]
struct Memory {
    writes: u64,
    /// For each read the latest answer, and the latest with fewer writes.
    kept: HashMap<String, Vec<Answer>>,
    order: VecDeque<String>,
}

/// The answers of the past.
#[derive(Default)]
pub(crate) struct Past(Mutex<Memory>);

impl Past {
    /// A write was done.
    pub(crate) fn wrote(&self) {
        lock(&self.0).writes += 1;
    }

    /// How many were done.
    pub(crate) fn writes(&self) -> u64 {
        lock(&self.0).writes
    }

    /// Keeps an answer to `key` that was begun after so many writes, and hands it on.
    pub(crate) async fn keep(&self, key: &str, writes: u64, response: Response) -> Response {
        let (parts, body) = response.into_parts();
        let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        if body.len() <= MAX_BODY {
            let kind = parts.headers.get(header::CONTENT_TYPE).cloned();
            self.remember(key, Answer { writes, status: parts.status, kind, body: body.clone() });
        }
        Response::from_parts(parts, Body::from(body))
    }

    fn remember(&self, key: &str, answer: Answer) {
        let mut memory = lock(&self.0);
        if !memory.kept.contains_key(key) {
            if memory.order.len() == MAX_KEPT
                && let Some(oldest) = memory.order.pop_front()
            {
                memory.kept.remove(&oldest);
            }
            memory.order.push_back(key.to_owned());
        }
        let answers = memory.kept.entry(key.to_owned()).or_default();
        answers.retain(|known| known.writes < answer.writes);
        answers.push(answer);
        let extra = answers.len().saturating_sub(2);
        answers.drain(..extra);
    }

    /// The answer to `key` from before the last write. Nobody has asked then: what was written isn't there yet.
    pub(crate) fn recall(&self, key: &str) -> Response {
        let memory = lock(&self.0);
        let known = memory.kept.get(key).and_then(|known| known.iter().rfind(|answer| answer.writes < memory.writes));
        let Some(answer) = known.cloned() else { return absent(key) };
        let mut response = (answer.status, Body::from(answer.body)).into_response();
        if let Some(kind) = answer.kind {
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
        }
        response
    }
}

/// What a read answers when there is nothing, as its endpoint says it.
fn absent(key: &str) -> Response {
    let path = key.split('?').next().unwrap_or_default();
    let id = key.split(['?', '&']).find_map(|pair| pair.split_once("_id=")).map_or("", |(_, id)| id);
    let named = [("/jobs/runs/", "Run"), ("/jobs/get", "Job"), ("/clusters/get", "Cluster")];
    if path.ends_with("/list") || path.ends_with("/cluster-status") {
        return axum::Json(json!({})).into_response();
    }
    match named.iter().find(|(part, _)| path.contains(part)) {
        Some((_, what)) => Refusal::Invalid(format!("{what} {id} does not exist.")).into_response(),
        None => Refusal::NotFound(format!("{path} does not exist.")).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn text(response: Response) -> (u16, String) {
        let status = response.status().as_u16();
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_read_finds_what_was_there_before_the_last_write() {
        let past = Past::default();
        let read = async |body: &'static str| past.keep("/x", past.writes(), body.into_response()).await;
        assert_eq!(text(read("one").await).await.1, "one");
        assert_eq!(text(past.recall("/x")).await.0, 404, "no write has made it old");
        past.wrote();
        assert_eq!(text(past.recall("/x")).await.1, "one");
        read("two").await;
        read("two again").await;
        assert_eq!(text(past.recall("/x")).await.1, "one", "what was read since isn't old");
        past.wrote();
        assert_eq!(text(past.recall("/x")).await.1, "two again");
    }

    #[tokio::test]
    async fn what_was_never_read_is_not_there() {
        let past = Past::default();
        let (status, body) = text(past.recall("/api/2.2/jobs/runs/get?run_id=7")).await;
        assert_eq!(status, 400);
        assert!(body.contains("Run 7 does not exist."), "{body}");
        assert_eq!(text(past.recall("/api/2.0/workspace/list?path=/a")).await, (200, "{}".to_owned()));
        assert_eq!(text(past.recall("/api/2.0/workspace/get-status?path=/a")).await.0, 404);
    }
}
