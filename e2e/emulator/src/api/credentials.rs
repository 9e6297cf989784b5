//! Git credentials of whoever asks. A token is never shown again.

use crate::{
    api::{Context, arguments::Arguments, gate::Who},
    state::{
        Refusal,
        credential::{GitCredential, Given},
    },
};
use axum::{
    Json, Router,
    extract::{Path, State},
    routing::get,
};
use serde_json::{Value, json};

pub(crate) fn routes() -> Router<Context> {
    Router::new()
        .route("/git-credentials", get(list).post(create))
        .route("/git-credentials/{id}", get(describe).patch(change).delete(remove))
}

fn show(one: &GitCredential) -> Value {
    let mut shown = json!({ "credential_id": one.id, "git_provider": one.provider });
    for (field, value) in [("git_username", &one.username), ("git_email", &one.email), ("name", &one.name)] {
        if let Some(value) = value {
            shown[field] = value.as_str().into();
        }
    }
    shown
}

fn number(id: &str) -> Result<i64, Refusal> {
    id.parse().map_err(|_| Refusal::Malformed(format!("{id} is no credential_id")))
}

async fn list(
    State(context): State<Context>,
    who: Who,
    Arguments(given): Arguments<Given>,
) -> Result<Json<Value>, Refusal> {
    given.check()?;
    let all = context.workspace.git_credentials.all(&who.name);
    let shown: Vec<_> = all.iter().map(show).collect();
    Ok(Json(if shown.is_empty() { json!({}) } else { json!({ "credentials": shown }) }))
}

async fn create(
    State(context): State<Context>,
    who: Who,
    Arguments(given): Arguments<Given>,
) -> Result<Json<Value>, Refusal> {
    Ok(Json(show(&context.workspace.git_credentials.create(&who.name, given)?)))
}

async fn describe(
    State(context): State<Context>,
    who: Who,
    Path(id): Path<String>,
    Arguments(given): Arguments<Given>,
) -> Result<Json<Value>, Refusal> {
    given.check()?;
    Ok(Json(show(&context.workspace.git_credentials.get(&who.name, number(&id)?)?)))
}

async fn change(
    State(context): State<Context>,
    who: Who,
    Path(id): Path<String>,
    Arguments(given): Arguments<Given>,
) -> Result<Json<Value>, Refusal> {
    Ok(Json(show(&context.workspace.git_credentials.update(&who.name, number(&id)?, given)?)))
}

async fn remove(
    State(context): State<Context>,
    who: Who,
    Path(id): Path<String>,
    Arguments(given): Arguments<Given>,
) -> Result<Json<Value>, Refusal> {
    given.check()?;
    context.workspace.git_credentials.remove(&who.name, number(&id)?)?;
    Ok(Json(json!({})))
}
