//! Runs, one-time ones and those of saved jobs.

use crate::{
    api::{
        Context,
        arguments::{Arguments, flag, maybe_number, number},
        gate::Who,
        page,
        submit::Submission,
        view,
    },
    export,
    spec::{Workload, workload::NotebookTask},
    state::{
        Refusal, Run, RunRecord,
        run::{Format, Stop},
    },
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

/// Runs on one page of a list: fewer than 25 (API page "Jobs", list job runs).
const MAX_PAGE: usize = 24;
const DEFAULT_PAGE: usize = 20;

pub(crate) fn routes() -> Router<Context> {
    Router::new()
        .route("/jobs/runs/submit", post(submit))
        .route("/jobs/runs/get", get(describe))
        .route("/jobs/runs/get-output", get(output))
        .route("/jobs/runs/export", get(export))
        .route("/jobs/runs/cancel", post(cancel))
        .route("/jobs/runs/cancel-all", post(cancel_all))
        .route("/jobs/runs/delete", post(delete))
        .route("/jobs/runs/list", get(list))
}

#[derive(Deserialize)]
struct Which {
    #[serde(deserialize_with = "number")]
    run_id: i64,
}

fn find(context: &Context, which: &Which) -> Result<Arc<Run>, Refusal> {
    context.workspace.runs.get(which.run_id)
}

async fn submit(
    State(context): State<Context>,
    who: Who,
    Arguments(submission): Arguments<Submission>,
) -> Result<Json<Value>, Refusal> {
    let may_wait = submission.may_wait();
    let record = submission.accept(&who.name, context.workspace.known())?;
    let run = work::queue::begin(&context.workspace, record, None, may_wait)?;
    Ok(Json(json!({ "run_id": run.read(|record| record.run_id) })))
}

/// With its tasks, a hundred at a time.
async fn describe(
    State(context): State<Context>,
    Arguments(query): Arguments<page::Of<Which>>,
) -> Result<Json<Value>, Refusal> {
    let run = find(&context, &query.which)?;
    let mut shown = run.read(|record| view::run_or_task(record, query.which.run_id, &context.page_url));
    if let Some(next) = page::tasks(&mut shown, query.page_token.as_deref())? {
        shown["next_page_token"] = next.into();
    }
    Ok(Json(shown))
}

async fn output(State(context): State<Context>, Arguments(which): Arguments<Which>) -> Result<Json<Value>, Refusal> {
    let run = find(&context, &which)?;
    run.read(|record| {
        let several = record.format == Format::MultiTask && record.run_id == which.run_id;
        let task = record.tasks.iter().find(|task| task.run_id == which.run_id);
        match task {
            Some(task) if !several => {
                let log =
                    task.workload.is_python().then(|| context.workspace.runs.archive.log(task.run_id)).transpose()?;
                Ok(Json(view::output(record, task, log, &context.page_url)))
            }
            _ => Err(Refusal::Invalid(
                "Retrieving the output of runs with multiple tasks is not supported. \
                 Retrieve the output of each individual task run instead."
                    .to_owned(),
            )),
        }
    })
}

#[derive(Deserialize)]
struct Export {
    #[serde(deserialize_with = "number")]
    run_id: i64,
    #[serde(default)]
    views_to_export: Option<String>,
}

async fn export(State(context): State<Context>, Arguments(query): Arguments<Export>) -> Result<Json<Value>, Refusal> {
    let run = find(&context, &Which { run_id: query.run_id })?;
    let wanted = query.views_to_export.unwrap_or_else(|| "CODE".to_owned());
    let task = run.read(|record| record.tasks.iter().find(|task| task.run_id == query.run_id).cloned());
    let Some(Workload::Notebook(NotebookTask { notebook_path: path, .. })) = task.map(|task| task.workload) else {
        return Err(Refusal::Invalid("Only the run of a single notebook task can be exported.".to_owned()));
    };
    let views = match wanted.as_str() {
        "CODE" | "ALL" => {
            let cells = context.workspace.runs.archive.read(query.run_id)?;
            let name = path.rsplit('/').next().unwrap_or_default();
            vec![json!({ "name": name, "type": "NOTEBOOK", "content": export::html(name, &cells) })]
        }
        "DASHBOARDS" => Vec::new(),
        other => return Err(Refusal::Invalid(format!("views_to_export can't be {other}."))),
    };
    Ok(Json(json!({ "views": views })))
}

/// Cancels the whole run, also if the id is a task's. A run that has ended stays as it is.
async fn cancel(State(context): State<Context>, Arguments(which): Arguments<Which>) -> Result<Json<Value>, Refusal> {
    find(&context, &which)?.stop(Stop::Canceled);
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
struct CancelAll {
    #[serde(default, deserialize_with = "maybe_number")]
    job_id: Option<i64>,
    #[serde(default, deserialize_with = "flag")]
    all_queued_runs: bool,
}

/// Cancels the active runs of a job, or only those that wait; these also in the whole workspace.
async fn cancel_all(
    State(context): State<Context>,
    Arguments(ask): Arguments<CancelAll>,
) -> Result<Json<Value>, Refusal> {
    match ask.job_id {
        Some(job_id) => drop(context.workspace.jobs.get(job_id)?),
        None if ask.all_queued_runs => {}
        None => return Err(Refusal::Invalid("Give job_id, all_queued_runs or both.".to_owned())),
    }
    let fits = |run: &RunRecord| {
        let active = if ask.all_queued_runs { run.is_queued() } else { !run.state.life_cycle_state.is_terminal() };
        active && ask.job_id.is_none_or(|job_id| job_id == run.job_id)
    };
    for run in context.workspace.runs.all().iter().filter(|run| run.read(fits)) {
        run.stop(Stop::Canceled);
    }
    Ok(Json(json!({})))
}

async fn delete(State(context): State<Context>, Arguments(which): Arguments<Which>) -> Result<Json<Value>, Refusal> {
    let run = find(&context, &which)?;
    let tasks = run.change(|record| {
        if !record.state.life_cycle_state.is_terminal() {
            return Err(Refusal::InvalidState(format!("Run {} is active and can't be deleted.", record.run_id)));
        }
        record.deleted = true;
        Ok(record.tasks.iter().map(|task| task.run_id).collect::<Vec<_>>())
    })?;
    for id in tasks {
        context.workspace.runs.archive.forget(id);
    }
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
struct List {
    #[serde(default, deserialize_with = "flag")]
    active_only: bool,
    #[serde(default, deserialize_with = "flag")]
    completed_only: bool,
    #[serde(flatten)]
    page: page::Wanted,
    #[serde(default, deserialize_with = "flag")]
    expand_tasks: bool,
    #[serde(default, deserialize_with = "maybe_number")]
    job_id: Option<i64>,
    #[serde(default)]
    run_type: Option<String>,
    /// Milliseconds since 1970, inclusive; each end may be open.
    #[serde(default, deserialize_with = "maybe_number")]
    start_time_from: Option<i64>,
    #[serde(default, deserialize_with = "maybe_number")]
    start_time_to: Option<i64>,
}

impl List {
    fn wants(&self, run: &RunRecord) -> bool {
        let ended = run.state.life_cycle_state.is_terminal();
        !(self.active_only && ended || self.completed_only && !ended)
            && self.job_id.is_none_or(|id| id == run.job_id)
            && self.run_type.as_ref().is_none_or(|kind| *kind == run.origin.run_type.to_string())
            && self.start_time_from.is_none_or(|from| run.start_time >= from)
            && self.start_time_to.is_none_or(|to| run.start_time <= to)
    }
}

async fn list(State(context): State<Context>, Arguments(query): Arguments<List>) -> Result<Json<Value>, Refusal> {
    if query.active_only && query.completed_only {
        return Err(Refusal::Invalid("active_only and completed_only exclude each other.".to_owned()));
    }
    let limit = match query.page.limit {
        None => DEFAULT_PAGE,
        Some(0) => MAX_PAGE,
        Some(limit) if limit <= MAX_PAGE => limit,
        Some(_) => return Err(Refusal::Invalid(format!("limit must be at most {MAX_PAGE}."))),
    };
    let mut runs = context.workspace.runs.all();
    runs.retain(|run| run.read(|record| query.wants(record)));
    let (page, mut shown) = query.page.cut(&runs, limit)?;
    let show = |run: &Arc<Run>| {
        let mut shown = run.read(|record| view::run(record, &context.page_url));
        if let Ok(Some(_)) = page::tasks(&mut shown, None) {
            shown["has_more"] = query.expand_tasks.into();
        }
        if !query.expand_tasks
            && let Some(fields) = shown.as_object_mut()
        {
            fields.remove("tasks");
        }
        shown
    };
    shown["runs"] = page.iter().map(show).collect();
    Ok(Json(shown))
}
