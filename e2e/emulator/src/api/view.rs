//! How runs and their outputs are shown.

use crate::{
    spec::compute::Compute,
    state::{
        RunRecord,
        cells::Log,
        objects::now,
        run::{Format, LifeCycle, Origin, ResultState, RunState, TaskRecord},
    },
};
use serde_json::{Value, json};

/// Databricks returns the first 5 MB of an output.
const MAX_RESULT: usize = 5 * 1024 * 1024;

/// The whole run, or the task that `id` names.
pub(crate) fn run_or_task(record: &RunRecord, id: i64, url: &str) -> Value {
    match record.tasks.iter().find(|task| task.run_id == id) {
        Some(task) if record.run_id != id => task_run(record, task, url),
        _ => run(record, url),
    }
}

/// The whole run.
pub(crate) fn run(record: &RunRecord, url: &str) -> Value {
    let mut shown = frame(record, record.run_id, &record.state, &record.code, url);
    add_origin(&mut shown, &record.origin);
    for (name, value) in json!(record.shared).as_object().into_iter().flatten() {
        shown[name] = value.clone();
    }
    shown["start_time"] = record.start_time.into();
    shown["end_time"] = record.end_time.into();
    shown["run_duration"] = span(record.start_time, record.end_time).into();
    if let Some(queue) = &record.queue {
        shown["queue_duration"] = record.queue_duration.into();
        if record.is_queued() {
            shown["queue_duration"] = span(record.start_time, 0).into();
            shown["state"]["queue_reason"] = queue.reason.as_str().into();
        }
        shown["status"]["queue_details"] = json!({ "code": queue.code, "message": queue.reason });
    }
    if let (Format::SingleTask, [task]) = (record.format, record.tasks.as_slice()) {
        add_task(&mut shown, task);
    } else {
        // Only the tasks of such a run have durations of their own.
        for name in ["setup_duration", "execution_duration", "cleanup_duration"] {
            shown[name] = 0.into();
        }
    }
    shown["tasks"] = record.tasks.iter().map(|task| show_task(record, task, url)).collect();
    shown
}

/// What only the run of a saved job has.
fn add_origin(shown: &mut Value, origin: &Origin) {
    if let Some(schedule) = &origin.schedule {
        shown["schedule"] = json!(schedule);
    }
    if let Some(given) = &origin.overriding_parameters {
        shown["overriding_parameters"] = given.clone();
    }
    if !origin.job_parameters.is_empty() {
        let values = origin.job_parameters.iter().map(|(name, value)| json!({ "name": name, "value": value }));
        shown["job_parameters"] = values.collect();
    }
}

/// A task, shown as a run of its own.
fn task_run(record: &RunRecord, task: &TaskRecord, url: &str) -> Value {
    let mut shown = frame(record, task.run_id, &task.state, &task.code, url);
    add_task(&mut shown, task);
    shown
}

/// What runs and tasks have in common.
fn frame(record: &RunRecord, id: i64, state: &RunState, code: &str, url: &str) -> Value {
    json!({
        "job_id": record.job_id,
        "run_id": id,
        "number_in_job": id,
        "original_attempt_run_id": id,
        "attempt_number": 0,
        "creator_user_name": record.creator,
        "run_name": record.run_name,
        "run_page_url": format!("{url}#job/{}/run/{id}", record.job_id),
        "run_type": record.origin.run_type,
        "trigger": record.origin.trigger,
        "format": record.format,
        "state": state,
        "status": status(state, code),
    })
}

fn show_task(record: &RunRecord, task: &TaskRecord, url: &str) -> Value {
    let mut shown = json!({
        "task_key": task.task_key,
        "run_id": task.run_id,
        "attempt_number": 0,
        "run_if": task.run_if,
        "state": task.state,
        "status": status(&task.state, &task.code),
        "run_page_url": format!("{url}#job/{}/run/{}", record.job_id, task.run_id),
    });
    if !task.depends_on.is_empty() {
        shown["depends_on"] = task.depends_on.iter().map(|key| json!({ "task_key": key })).collect();
    }
    add_task(&mut shown, task);
    shown
}

/// What only a task has: its workload, cluster and times.
fn add_task(shown: &mut Value, task: &TaskRecord) {
    let mut spec = json!({});
    match &task.compute {
        Compute::New(cluster) => spec["new_cluster"] = cluster.clone(),
        Compute::Existing(id) => spec["existing_cluster_id"] = id.clone().into(),
        Compute::Shared(key) => spec["job_cluster_key"] = key.clone().into(),
        Compute::Serverless(Some(key)) => shown["environment_key"] = key.clone().into(),
        Compute::Serverless(None) => {}
    }
    let serverless = matches!(task.compute, Compute::Serverless(_));
    // Nobody sees what serverless compute runs on.
    if let Some(id) = task.cluster_id.as_ref().filter(|_| !serverless) {
        shown["cluster_instance"] = json!({ "cluster_id": id });
        if task.spark_context_id != 0 {
            shown["cluster_instance"]["spark_context_id"] = task.spark_context_id.to_string().into();
        }
    }
    for (name, value) in spec.as_object().into_iter().flatten() {
        shown[name] = value.clone();
    }
    shown["cluster_spec"] = spec;
    shown["task"] = json!(task.workload);
    for (name, value) in shown["task"].clone().as_object().into_iter().flatten() {
        shown[name] = value.clone();
    }
    shown["timeout_seconds"] = task.timeout_seconds.into();
    shown["start_time"] = task.start_time.into();
    shown["end_time"] = task.end_time.into();
    shown["setup_duration"] = task.setup_duration.into();
    shown["execution_duration"] = task.execution_duration.into();
    shown["cleanup_duration"] = 0.into();
    if !task.libraries.is_empty() {
        shown["libraries"] = json!(task.libraries);
    }
}

/// Milliseconds from `start` to `end`, or until now if it hasn't ended.
fn span(start: i64, end: i64) -> i64 {
    let end = if end == 0 { now() } else { end };
    if start == 0 { 0 } else { end - start }
}

/// The newer description of a state.
fn status(state: &RunState, code: &str) -> Value {
    let word = match state.life_cycle_state {
        LifeCycle::Queued => "QUEUED",
        LifeCycle::Blocked => "BLOCKED",
        LifeCycle::Pending => "PENDING",
        LifeCycle::Running => "RUNNING",
        LifeCycle::Terminating => "TERMINATING",
        LifeCycle::Terminated | LifeCycle::Skipped | LifeCycle::InternalError => "TERMINATED",
    };
    if !state.life_cycle_state.is_terminal() {
        return json!({ "state": word });
    }
    let kind = match state.result_state {
        Some(ResultState::Success | ResultState::Canceled) => "SUCCESS",
        _ if code == "CLUSTER_ERROR" || code == "DRIVER_ERROR" => "CLOUD_FAILURE",
        _ => "CLIENT_ERROR",
    };
    json!({ "state": word, "termination_details": { "code": code, "type": kind, "message": state.state_message } })
}

/// What a task left behind.
pub(crate) fn output(record: &RunRecord, task: &TaskRecord, log: Option<Log>, url: &str) -> Value {
    let metadata = if record.run_id == task.run_id { run(record, url) } else { task_run(record, task, url) };
    let mut shown = json!({ "metadata": metadata });
    if !task.workload.is_python() {
        shown["notebook_output"] = json!({});
    }
    if let Some(log) = log {
        shown["logs"] = log.text.into();
        shown["logs_truncated"] = log.truncated.into();
    }
    if let Some(result) = &task.output.exit {
        let end = (0..=result.len().min(MAX_RESULT)).rev().find(|at| result.is_char_boundary(*at)).unwrap_or(0);
        shown["notebook_output"] = json!({ "result": &result[..end], "truncated": end < result.len() });
    }
    for (name, value) in [("error", &task.output.error), ("error_trace", &task.output.error_trace)] {
        if let Some(value) = value {
            shown[name] = value.as_str().into();
        }
    }
    shown
}
