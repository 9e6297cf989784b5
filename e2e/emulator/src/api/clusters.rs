//! Clusters.

use crate::{
    api::{
        Context,
        arguments::{Arguments, maybe_number, number},
        gate::Who,
        page,
    },
    state::{Cluster, ClusterRecord, Refusal, Termination, ids},
    work,
};
use axum::{
    Json, Router,
    extract::State,
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

const MAX_CLUSTERS: usize = 1000;
/// Clusters on one page of a list.
const MAX_PAGE: usize = 100;

pub(crate) fn routes() -> Router<Context> {
    Router::new()
        .route("/clusters/get", get(describe))
        .route("/clusters/list", get(list))
        .route("/clusters/create", post(create))
        .route("/clusters/start", post(start))
        .route("/clusters/restart", post(restart))
        .route("/clusters/delete", post(delete))
        .route("/clusters/permanent-delete", post(permanent_delete))
        .route("/clusters/events", post(events))
        .route("/clusters/spark-versions", get(spark_versions))
}

#[derive(Deserialize)]
struct Which {
    cluster_id: String,
}

fn find(context: &Context, which: &Which) -> Result<Arc<Cluster>, Refusal> {
    context.workspace.clusters.get(&which.cluster_id)
}

async fn describe(State(context): State<Context>, Arguments(which): Arguments<Which>) -> Result<Json<Value>, Refusal> {
    Ok(Json(find(&context, &which)?.read(show)))
}

#[derive(Deserialize)]
struct List {
    #[serde(default, deserialize_with = "maybe_number")]
    page_size: Option<usize>,
    /// The number of clusters before the page, as the page before gave it.
    #[serde(default)]
    page_token: Option<String>,
}

async fn list(State(context): State<Context>, Arguments(query): Arguments<List>) -> Result<Json<Value>, Refusal> {
    let start = page::token(query.page_token.as_deref())?.unwrap_or(0);
    let clusters = context.workspace.clusters.all();
    let visible: Vec<_> = clusters.iter().filter(|cluster| cluster.read(|record| !record.is_serverless)).collect();
    let size = query.page_size.filter(|size| *size > 0).unwrap_or(MAX_PAGE).min(MAX_PAGE);
    let page: Vec<_> = visible.iter().skip(start).take(size).map(|cluster| cluster.read(show)).collect();
    let next = start + page.len();
    let mut shown = if page.is_empty() { json!({}) } else { json!({ "clusters": page }) };
    if next < visible.len() {
        shown["next_page_token"] = next.to_string().into();
    }
    Ok(Json(shown))
}

fn show(record: &ClusterRecord) -> Value {
    let mut shown = json!({
        "cluster_id": record.cluster_id,
        "cluster_name": record.cluster_name,
        "spark_version": record.spark_version,
        "cluster_source": if record.is_job { "JOB" } else { "UI" },
        "state": record.state.to_string().to_uppercase(),
        "state_message": record.state_message,
        "spark_context_id": record.spark_context_id,
        "start_time": record.start_time,
        "num_workers": 0,
        "node_type_id": "local",
        "driver_node_type_id": "local",
        "data_security_mode": "SINGLE_USER",
        "spark_conf": { "spark.databricks.cluster.profile": "singleNode", "spark.master": "local[*]" },
        "autotermination_minutes": 0,
    });
    let optional = [
        ("last_restarted_time", record.last_restarted_time.map(Value::from)),
        ("terminated_time", record.terminated_time.map(Value::from)),
        ("termination_reason", record.termination.as_ref().and_then(|reason| serde_json::to_value(reason).ok())),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            shown[name] = value;
        }
    }
    shown
}

#[derive(Deserialize)]
struct Create {
    #[serde(default)]
    cluster_name: Option<String>,
    spark_version: String,
}

/// Creates a cluster and starts it, as the real service does. What it can't be here (its size) is ignored.
async fn create(State(context): State<Context>, Arguments(create): Arguments<Create>) -> Result<Json<Value>, Refusal> {
    let release = create.spark_version.split('.').take(2);
    if release.clone().count() < 2 || !release.clone().all(|part| part.parse::<u32>().is_ok()) {
        return Err(Refusal::Invalid(format!("Spark version {} is not supported.", create.spark_version)));
    }
    let made_by_people = |cluster: &&Arc<Cluster>| cluster.read(|record| !record.is_job);
    if context.workspace.clusters.all().iter().filter(made_by_people).count() >= MAX_CLUSTERS {
        return Err(Refusal::QuotaExceeded(format!("A workspace has at most {MAX_CLUSTERS} clusters.")));
    }
    let id = format!("{:04}-{:06}-{:08x}", ids::random() % 10_000, ids::random() % 1_000_000, rand::random::<u32>());
    let name = create.cluster_name.unwrap_or_default();
    let cluster = context.workspace.clusters.define(ClusterRecord::new(&id, &name, &create.spark_version));
    work::cluster::start(&context.workspace, &cluster)?;
    Ok(Json(json!({ "cluster_id": id })))
}

async fn start(State(context): State<Context>, Arguments(which): Arguments<Which>) -> Result<Json<Value>, Refusal> {
    work::cluster::start(&context.workspace, &find(&context, &which)?)?;
    Ok(Json(json!({})))
}

async fn restart(State(context): State<Context>, Arguments(which): Arguments<Which>) -> Result<Json<Value>, Refusal> {
    work::cluster::restart(&context.workspace, &find(&context, &which)?)?;
    Ok(Json(json!({})))
}

async fn delete(
    State(context): State<Context>,
    who: Who,
    Arguments(which): Arguments<Which>,
) -> Result<Json<Value>, Refusal> {
    work::cluster::terminate(&context.workspace, &find(&context, &which)?, Termination::by_user(&who.name));
    Ok(Json(json!({})))
}

async fn permanent_delete(
    State(context): State<Context>,
    who: Who,
    Arguments(which): Arguments<Which>,
) -> Result<Json<Value>, Refusal> {
    work::cluster::terminate(&context.workspace, &find(&context, &which)?, Termination::by_user(&who.name));
    work::cluster::forget(&context.workspace, &which.cluster_id)?;
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
struct Events {
    cluster_id: String,
    #[serde(default, deserialize_with = "number")]
    offset: usize,
    #[serde(default = "default_limit", deserialize_with = "number")]
    limit: usize,
    #[serde(default)]
    order: Option<String>,
    #[serde(default)]
    event_types: Vec<String>,
}

fn default_limit() -> usize {
    50
}

async fn events(State(context): State<Context>, Arguments(query): Arguments<Events>) -> Result<Json<Value>, Refusal> {
    let cluster = context.workspace.clusters.get(&query.cluster_id)?;
    let mut events = cluster.read(|record| record.events.iter().cloned().collect::<Vec<_>>());
    if query.order.as_deref() != Some("ASC") {
        events.reverse();
    }
    events.retain(|event| query.event_types.is_empty() || query.event_types.contains(&event.kind));
    let page = events.iter().skip(query.offset).take(query.limit.min(500)).map(|event| {
        json!({ "cluster_id": query.cluster_id, "timestamp": event.timestamp, "type": event.kind, "details": {} })
    });
    let page: Vec<_> = page.collect();
    let next = query.offset + page.len();
    let mut shown = json!({ "events": page, "total_count": events.len() });
    if next < events.len() {
        shown["next_page"] = json!({ "cluster_id": query.cluster_id, "offset": next, "limit": query.limit });
    }
    Ok(Json(shown))
}

async fn spark_versions() -> Json<Value> {
    Json(json!({ "versions": [
        { "key": "14.3.x-scala2.12", "name": "14.3 LTS (Spark 3.5)" },
        { "key": "15.4.x-scala2.12", "name": "15.4 LTS (Spark 3.5)" },
    ] }))
}
