//! Saved jobs.

use crate::{
    api::{
        Context, Version,
        arguments::{Arguments, flag, number},
        gate::Who,
        page,
        submit::check_token,
    },
    spec::{
        JobSettings,
        job::{Change, begin, complete, update},
    },
    state::{
        Refusal,
        job::JobRecord,
        permission::{Kind, Subject},
        run::{Stop, Trigger},
    },
    work::job::{Overrides, active, launch},
};
use axum::{
    Extension, Json, Router,
    extract::State,
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Jobs on one page of a list.
const MAX_PAGE: usize = 100;
const DEFAULT_PAGE: usize = 20;

pub(crate) fn routes() -> Router<Context> {
    Router::new()
        .route("/jobs/create", post(create))
        .route("/jobs/reset", post(reset))
        .route("/jobs/update", post(change))
        .route("/jobs/get", get(describe))
        .route("/jobs/list", get(list))
        .route("/jobs/delete", post(delete))
        .route("/jobs/run-now", post(run_now))
}

#[derive(Deserialize)]
struct Which {
    #[serde(deserialize_with = "number")]
    job_id: i64,
}

fn checked(context: &Context, settings: Map<String, Value>) -> Result<Map<String, Value>, Refusal> {
    let settings = complete(settings);
    JobSettings::read(&settings)?.check(context.workspace.known())?;
    Ok(settings)
}

async fn create(
    State(context): State<Context>,
    who: Who,
    Extension(version): Extension<Version>,
    Arguments(settings): Arguments<Map<String, Value>>,
) -> Result<Json<Value>, Refusal> {
    let settings = checked(&context, begin(settings, version.queues()))?;
    let job_id = context.workspace.jobs.create(&who.name, settings)?;
    tracing::info!(job_id, "a job is created");
    Ok(Json(json!({ "job_id": job_id })))
}

async fn reset(
    State(context): State<Context>,
    Extension(version): Extension<Version>,
    Arguments(change): Arguments<Change>,
) -> Result<Json<Value>, Refusal> {
    context.workspace.jobs.get(change.job_id)?;
    let settings = checked(&context, begin(change.new_settings, version.queues()))?;
    context.workspace.jobs.change(change.job_id, settings)?;
    Ok(Json(json!({})))
}

async fn change(State(context): State<Context>, Arguments(change): Arguments<Change>) -> Result<Json<Value>, Refusal> {
    let (job_id, jobs) = (change.job_id, &context.workspace.jobs);
    let settings = update(jobs.get(job_id)?.settings, change);
    jobs.change(job_id, checked(&context, settings)?)?;
    Ok(Json(json!({})))
}

/// With its tasks, a hundred at a time.
async fn describe(
    State(context): State<Context>,
    Arguments(query): Arguments<page::Of<Which>>,
) -> Result<Json<Value>, Refusal> {
    let job = context.workspace.jobs.get(query.which.job_id)?;
    let mut shown = show(&job, true);
    if let Some(next) = page::tasks(&mut shown["settings"], query.page_token.as_deref())? {
        (shown["has_more"], shown["next_page_token"]) = (true.into(), next.into());
    }
    shown["run_as_user_name"] = job.creator.into();
    Ok(Json(shown))
}

fn show(job: &JobRecord, with_tasks: bool) -> Value {
    let mut settings = job.settings.clone();
    if !with_tasks {
        for name in ["tasks", "job_clusters", "environments"] {
            settings.remove(name);
        }
    }
    json!({
        "job_id": job.job_id,
        "creator_user_name": job.creator,
        "created_time": job.created_time,
        "settings": settings,
    })
}

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    name: Option<String>,
    #[serde(default, deserialize_with = "flag")]
    expand_tasks: bool,
    #[serde(flatten)]
    page: page::Wanted,
}

/// The newest first. A name is compared as a whole, without regard to case.
async fn list(State(context): State<Context>, Arguments(query): Arguments<List>) -> Result<Json<Value>, Refusal> {
    let limit = query.page.limit.unwrap_or(DEFAULT_PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(Refusal::Invalid(format!("limit must be 1 to {MAX_PAGE}.")));
    }
    let name = |job: &JobRecord| job.settings["name"].as_str().unwrap_or_default().to_lowercase();
    let mut jobs = context.workspace.jobs.all();
    if let Some(wanted) = query.name.filter(|name| !name.is_empty()) {
        jobs.retain(|job| name(job) == wanted.to_lowercase());
    }
    let (page, mut shown) = query.page.cut(&jobs, limit)?;
    if !page.is_empty() {
        let show = |job: &JobRecord| {
            let mut shown = show(job, query.expand_tasks);
            if let Ok(Some(_)) = page::tasks(&mut shown["settings"], None) {
                shown["has_more"] = true.into();
            }
            shown
        };
        shown["jobs"] = page.iter().map(show).collect();
    }
    Ok(Json(shown))
}

/// The job is gone at once; its runs that are going are canceled.
async fn delete(State(context): State<Context>, Arguments(which): Arguments<Which>) -> Result<Json<Value>, Refusal> {
    context.workspace.jobs.remove(which.job_id)?;
    context.workspace.permissions.forget(&Subject { kind: Kind::Job, id: which.job_id, owner: None });
    for run in active(&context.workspace, which.job_id) {
        run.stop(Stop::Canceled);
    }
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
struct RunNow {
    #[serde(deserialize_with = "number")]
    job_id: i64,
    #[serde(default)]
    idempotency_token: Option<String>,
    #[serde(flatten)]
    overrides: Overrides,
}

async fn run_now(State(context): State<Context>, Arguments(ask): Arguments<RunNow>) -> Result<Json<Value>, Refusal> {
    let job = context.workspace.jobs.get(ask.job_id)?;
    let token = check_token(ask.idempotency_token)?;
    let run = launch(&context.workspace, &job, Trigger::OneTime, &ask.overrides, token)?;
    let run_id = run.read(|record| record.run_id);
    Ok(Json(json!({ "run_id": run_id, "number_in_job": run_id })))
}
