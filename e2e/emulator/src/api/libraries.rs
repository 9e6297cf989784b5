//! Libraries of clusters.

use crate::{
    api::{Context, arguments::Arguments},
    state::{Cluster, Library, Refusal, library::Installation},
};
use axum::{
    Json, Router,
    extract::State,
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

/// A cluster with more would be no cluster anyone has.
const MAX_LIBRARIES: usize = 500;

pub(crate) fn routes() -> Router<Context> {
    Router::new()
        .route("/libraries/install", post(install))
        .route("/libraries/uninstall", post(uninstall))
        .route("/libraries/cluster-status", get(cluster_status))
        .route("/libraries/all-cluster-statuses", get(all_cluster_statuses))
}

#[derive(Deserialize)]
struct Change {
    cluster_id: String,
    #[serde(default)]
    libraries: Vec<Library>,
}

async fn install(State(context): State<Context>, Arguments(change): Arguments<Change>) -> Result<Json<Value>, Refusal> {
    let cluster = context.workspace.clusters.get(&change.cluster_id)?;
    if change.libraries.is_empty() {
        return Err(Refusal::Invalid("At least one library must be given.".to_owned()));
    }
    change.libraries.iter().try_for_each(Library::check)?;
    cluster.change(|record| {
        if record.libraries.0.len() + change.libraries.len() > MAX_LIBRARIES {
            return Err(Refusal::QuotaExceeded(format!("A cluster has at most {MAX_LIBRARIES} libraries.")));
        }
        change.libraries.into_iter().for_each(|library| record.libraries.request(library));
        Ok(Json(json!({})))
    })
}

async fn uninstall(
    State(context): State<Context>,
    Arguments(change): Arguments<Change>,
) -> Result<Json<Value>, Refusal> {
    let cluster = context.workspace.clusters.get(&change.cluster_id)?;
    cluster.change(|record| change.libraries.iter().for_each(|library| record.libraries.release(library)));
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
struct Which {
    cluster_id: String,
}

async fn cluster_status(
    State(context): State<Context>,
    Arguments(which): Arguments<Which>,
) -> Result<Json<Value>, Refusal> {
    Ok(Json(show(&*context.workspace.clusters.get(&which.cluster_id)?)))
}

async fn all_cluster_statuses(State(context): State<Context>) -> Json<Value> {
    let clusters = context.workspace.clusters.all();
    Json(json!({ "statuses": clusters.iter().map(|cluster| show(cluster)).collect::<Vec<_>>() }))
}

/// A cluster without libraries has no list at all.
fn show(cluster: &Cluster) -> Value {
    cluster.read(|record| {
        let mut shown = json!({ "cluster_id": record.cluster_id });
        if !record.libraries.0.is_empty() {
            shown["library_statuses"] = record.libraries.0.iter().map(show_one).collect();
        }
        shown
    })
}

fn show_one(known: &Installation) -> Value {
    let mut shown = json!({
        "library": known.library,
        "status": known.status,
        "is_library_for_all_clusters": false,
    });
    if !known.messages.is_empty() {
        shown["messages"] = known.messages.clone().into();
    }
    shown
}
