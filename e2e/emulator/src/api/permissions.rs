//! Permissions of jobs and folders.

use crate::{
    api::{Context, arguments::Arguments},
    state::{
        Refusal,
        objects::Kind as ObjectKind,
        permission::{Entry, Kind, Subject},
    },
};
use axum::{
    Json, Router,
    extract::{Path, State},
    routing::get,
};
use serde::Deserialize;
use serde_json::Value;

pub(crate) fn routes() -> Router<Context> {
    Router::new().route("/permissions/{kind}/{id}", get(describe).put(replace).patch(change))
}

/// The object, if it is there.
fn find(context: &Context, kind: &str, id: &str) -> Result<Subject, Refusal> {
    let kind = Kind::of(kind)?;
    let id: i64 = id.parse().map_err(|_| Refusal::Invalid(format!("'{id}' is no object's id.")))?;
    let gone = |what: &str| Refusal::NotFound(format!("{what} {id} does not exist."));
    let owner = match kind {
        Kind::Job => Some(context.workspace.jobs.get(id).map_err(|_| gone("Job"))?.creator),
        Kind::Directory => {
            let found = context.workspace.objects.find(id).filter(|(_, object)| object.kind == ObjectKind::Directory);
            let (path, _) = found.ok_or_else(|| gone("Directory"))?;
            path.strip_prefix("/Users/").and_then(|rest| rest.split('/').next()).map(str::to_owned)
        }
    };
    Ok(Subject { kind, id, owner })
}

#[derive(Deserialize)]
struct Wish {
    #[serde(default)]
    access_control_list: Vec<Entry>,
}

async fn describe(
    State(context): State<Context>,
    Path((kind, id)): Path<(String, String)>,
) -> Result<Json<Value>, Refusal> {
    let subject = find(&context, &kind, &id)?;
    Ok(Json(context.workspace.permissions.show(&subject)))
}

async fn replace(
    State(context): State<Context>,
    Path((kind, id)): Path<(String, String)>,
    Arguments(wish): Arguments<Wish>,
) -> Result<Json<Value>, Refusal> {
    set(&context, &kind, &id, wish, false)
}

async fn change(
    State(context): State<Context>,
    Path((kind, id)): Path<(String, String)>,
    Arguments(wish): Arguments<Wish>,
) -> Result<Json<Value>, Refusal> {
    set(&context, &kind, &id, wish, true)
}

fn set(context: &Context, kind: &str, id: &str, wish: Wish, keep: bool) -> Result<Json<Value>, Refusal> {
    let subject = find(context, kind, id)?;
    context.workspace.permissions.set(&subject, wish.access_control_list, keep)?;
    Ok(Json(context.workspace.permissions.show(&subject)))
}
