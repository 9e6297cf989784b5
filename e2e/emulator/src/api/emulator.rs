//! What only the emulator has: faults to order, requests to look at, delays, and its health.

use crate::{
    api::{
        Context,
        arguments::{Arguments, MAX_BODY, number, read},
    },
    fault::Fault,
    limits::Change,
    state::{Refusal, lock},
    workspace::Delays,
};
use axum::{
    Json, Router,
    body::Body,
    extract::State,
    routing::{get, post, put},
};
use serde::Deserialize;
use serde_json::{Value, json};

pub(crate) fn routes() -> Router<Context> {
    Router::new()
        .route("/emulator/faults", post(order).get(faults).delete(clear_faults))
        .route("/emulator/requests", get(requests).delete(clear_requests))
        .route("/emulator/federation", put(set_federation).get(federation))
        .route("/emulator/limits", post(limit).get(limits).delete(forget_limits))
        .route("/emulator/cluster-settings", post(set_delays).get(delays))
}

/// What needs no token.
pub(crate) fn open_routes() -> Router<Context> {
    Router::new().route("/healthz", get(async || "ok\n"))
}

/// One fault, or a list of them in the order in which they come.
async fn order(State(context): State<Context>, body: Body) -> Result<Json<Value>, Refusal> {
    let bytes = read(body, MAX_BODY).await?.ok_or(Refusal::BodyTooLarge(MAX_BODY))?;
    context.faults.order(script(&bytes)?)?;
    Ok(Json(json!({})))
}

/// The faults of a script: a JSON list, or one alone.
pub(crate) fn script(bytes: &[u8]) -> Result<Vec<Fault>, Refusal> {
    let malformed = |error: serde_json::Error| Refusal::Malformed(error.to_string());
    match serde_json::from_slice(bytes).map_err(malformed)? {
        Value::Array(all) => all.into_iter().map(|one| serde_json::from_value(one).map_err(malformed)).collect(),
        one => Ok(vec![serde_json::from_value(one).map_err(malformed)?]),
    }
}

/// All policies at once; what was there before is gone.
async fn set_federation(State(context): State<Context>, body: Body) -> Result<Json<Value>, Refusal> {
    let bytes = read(body, MAX_BODY).await?.ok_or(Refusal::BodyTooLarge(MAX_BODY))?;
    context.federation.replace(&bytes)?;
    Ok(Json(json!({})))
}

async fn federation(State(context): State<Context>) -> Json<Value> {
    Json(json!({ "policies": context.federation.list() }))
}

async fn limit(State(context): State<Context>, Arguments(change): Arguments<Change>) -> Result<Json<Value>, Refusal> {
    context.workspace.limits.change(change)?;
    context.workspace.runs.ring();
    Ok(Json(context.workspace.limits.show()))
}

async fn limits(State(context): State<Context>) -> Json<Value> {
    Json(context.workspace.limits.show())
}

async fn forget_limits(State(context): State<Context>) -> Json<Value> {
    context.workspace.limits.forget();
    Json(json!({}))
}

async fn faults(State(context): State<Context>) -> Json<Value> {
    Json(json!({ "faults": context.faults.list() }))
}

async fn clear_faults(State(context): State<Context>) -> Json<Value> {
    context.faults.clear();
    context.tokens.restore();
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
