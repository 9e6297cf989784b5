//! What only the emulator has: faults to order, requests to look at, delays, and its health.

use crate::{
    api::{
        Context,
        arguments::{Arguments, number},
    },
    fault::Fault,
    state::{Refusal, lock},
    workspace::Delays,
};
use axum::{
    Json, Router,
    extract::State,
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

pub(crate) fn routes() -> Router<Context> {
    Router::new()
        .route("/emulator/faults", post(order).get(faults).delete(clear_faults))
        .route("/emulator/requests", get(requests).delete(clear_requests))
        .route("/emulator/cluster-settings", post(set_delays).get(delays))
}

/// What needs no token.
pub(crate) fn open_routes() -> Router<Context> {
    Router::new().route("/healthz", get(async || "ok\n"))
}

async fn order(State(context): State<Context>, Arguments(fault): Arguments<Fault>) -> Result<Json<Value>, Refusal> {
    context.faults.order(fault)?;
    Ok(Json(json!({})))
}

async fn faults(State(context): State<Context>) -> Json<Value> {
    Json(json!({ "faults": context.faults.list() }))
}

async fn clear_faults(State(context): State<Context>) -> Json<Value> {
    context.faults.clear();
    Json(json!({}))
}

#[derive(Deserialize)]
struct Since {
    #[serde(default, deserialize_with = "number")]
    since: u64,
}

async fn requests(State(context): State<Context>, Arguments(Since { since }): Arguments<Since>) -> Json<Value> {
    Json(json!({ "requests": context.journal.since(since) }))
}

async fn clear_requests(State(context): State<Context>) -> Json<Value> {
    context.journal.clear();
    Json(json!({}))
}

async fn set_delays(State(context): State<Context>, Arguments(delays): Arguments<Delays>) -> Json<Value> {
    *lock(&context.workspace.work.delays) = delays;
    Json(json!({}))
}

async fn delays(State(context): State<Context>) -> Json<Value> {
    Json(json!(*lock(&context.workspace.work.delays)))
}
