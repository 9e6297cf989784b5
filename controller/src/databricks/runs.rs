//! Runs: notebooks executed once. API page: "Jobs", runs (`/api/2.2/jobs/runs`).

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Method;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::compute::Environment;
use super::git::GitSource;
use super::limits::Family;
use super::tasks::Task;
use super::transport::Call;
use super::{Client, Error, Once};

/// Pages read of one run or listing at most; a page holds up to 100 tasks or 25 runs.
const MAX_PAGES: usize = 40;
/// Runs on one page of a listing: Databricks takes fewer than 25.
pub(super) const PAGE: &str = "24";

/// A run to submit. Fields left at their default are not sent.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Submit {
    /// The name shown in the workspace.
    pub run_name: String,
    /// At most 64 characters: the same token answers with the run it already made.
    pub idempotency_token: String,
    /// What is run.
    pub tasks: Vec<Task>,
    /// Seconds until Databricks ends the run; 0: never.
    pub timeout_seconds: u64,
    /// Environments of serverless tasks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub environments: Vec<Environment>,
    /// Where notebooks come from, if not from the workspace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git_source: Option<GitSource>,
    /// Secrets among the parameters. Not sent by themselves; taken out of what Databricks answers.
    #[serde(skip)]
    pub secrets: Vec<SecretString>,
}

/// A run as `jobs/runs/get` shows it. All times are milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The run's id.
    #[serde(default, deserialize_with = "super::tolerant::required_integer")]
    pub run_id: i64,
    /// The name it was submitted with.
    #[serde(default, deserialize_with = "super::tolerant::text")]
    pub run_name: String,
    /// Its page in the workspace, for people.
    #[serde(default, deserialize_with = "super::tolerant::text")]
    pub run_page_url: String,
    /// How far it is and how it ended.
    #[serde(default)]
    pub state: RunState,
    /// Its tasks.
    #[serde(default, deserialize_with = "super::tolerant::list")]
    pub tasks: Vec<TaskRun>,
    /// When it began, since 1970.
    #[serde(default, deserialize_with = "super::tolerant::number")]
    pub start_time: i64,
    /// When it ended, since 1970; 0 while it runs.
    #[serde(default, deserialize_with = "super::tolerant::number")]
    pub end_time: i64,
    /// The time it executed. 0 for runs made of tasks: read the task's.
    #[serde(default, deserialize_with = "super::tolerant::number")]
    pub execution_duration: i64,
}

/// One task of a run. Outputs and exports are asked by its own id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRun {
    /// The task run's own id.
    #[serde(default, deserialize_with = "super::tolerant::required_integer")]
    pub run_id: i64,
    /// The task's name within the run.
    #[serde(default, deserialize_with = "super::tolerant::text")]
    pub task_key: String,
    /// How far it is and how it ended.
    #[serde(default)]
    pub state: RunState,
    /// The time to get its cluster ready.
    #[serde(default, deserialize_with = "super::tolerant::number")]
    pub setup_duration: i64,
    /// The time it executed.
    #[serde(default, deserialize_with = "super::tolerant::number")]
    pub execution_duration: i64,
    /// The time to end it.
    #[serde(default, deserialize_with = "super::tolerant::number")]
    pub cleanup_duration: i64,
}

impl TaskRun {
    /// The time it executed.
    #[must_use]
    pub fn execution(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.execution_duration).unwrap_or(0))
    }
}

/// How far a run is and how it ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunState {
    /// How far it is.
    pub life_cycle_state: LifeCycle,
    /// How it ended; absent until then, and also for some that failed.
    pub result_state: Option<RunResult>,
    /// Databricks' words.
    #[serde(deserialize_with = "super::tolerant::text")]
    pub state_message: String,
    /// Whether somebody canceled it or its time ran out.
    pub user_cancelled_or_timedout: bool,
}

impl RunState {
    /// Whether nothing will change any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.life_cycle_state, LifeCycle::Terminated | LifeCycle::Skipped | LifeCycle::InternalError)
    }
}

/// How far a run is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum LifeCycle {
    /// Waiting for a slot.
    Queued,
    /// Getting ready.
    Pending,
    /// Executing.
    Running,
    /// Ending.
    Terminating,
    /// Over; the result says how.
    Terminated,
    /// Over without having run.
    Skipped,
    /// Over through a failure.
    InternalError,
    /// Waiting for another task.
    Blocked,
    /// Waiting to be tried again.
    WaitingForRetry,
    /// A word this client doesn't know; not over.
    #[default]
    #[serde(other)]
    Unknown,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum RunResult {
    /// The only good one.
    Success,
    /// An exception, or Databricks failed.
    Failed,
    /// Its time ran out.
    #[serde(rename = "TIMEDOUT")]
    #[strum(serialize = "TIMEDOUT")]
    TimedOut,
    /// Somebody ended it.
    Canceled,
    /// Too many runs of the same job.
    MaximumConcurrentRunsReached,
    /// Left out by a condition.
    Excluded,
    /// Some tasks failed.
    SuccessWithFailures,
    /// A task before it failed.
    UpstreamFailed,
    /// A task before it was canceled.
    UpstreamCanceled,
    /// Switched off.
    Disabled,
    /// A word this client doesn't know; not a success.
    #[serde(other)]
    Unknown,
}

/// What a task run left.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Output {
    /// What the notebook handed to `dbutils.notebook.exit`.
    #[serde(deserialize_with = "or_default")]
    pub notebook_output: NotebookOutput,
    /// The exception that ended it.
    pub error: Option<String>,
    /// That exception's stack trace.
    pub error_trace: Option<String>,
    /// What a task other than a notebook printed; its last 5 MB.
    pub logs: Option<String>,
}

/// What a notebook handed to `dbutils.notebook.exit`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct NotebookOutput {
    /// The value; absent if it never called it.
    pub result: Option<String>,
    /// Whether only its first 5 MB are here.
    pub truncated: bool,
}

/// A view of a run: for notebooks a page that holds the cells with their outputs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct View {
    /// The view's name.
    pub name: String,
    /// `NOTEBOOK` or `DASHBOARD`.
    pub r#type: String,
    /// The page.
    pub content: String,
}

#[derive(Deserialize)]
struct Submitted {
    #[serde(deserialize_with = "super::tolerant::required_integer")]
    run_id: i64,
}

/// A run with many tasks comes in pages, each with a part of them.
#[derive(Deserialize)]
struct RunPage {
    #[serde(flatten)]
    run: Run,
    #[serde(default)]
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
struct Views {
    #[serde(default, deserialize_with = "super::tolerant::list")]
    views: Vec<View>,
}

#[derive(Deserialize)]
struct Runs {
    #[serde(default, deserialize_with = "super::tolerant::list")]
    runs: Vec<serde_json::Value>,
}

impl Runs {
    /// Those that can be read: anybody's run is among them, and an odd one is no reason to lose sight of the others.
    fn readable(self) -> Vec<Run> {
        self.runs.into_iter().filter_map(|run| serde_json::from_value(run).ok()).collect()
    }
}

#[derive(Serialize)]
struct RunId {
    run_id: i64,
}

impl Client {
    /// `POST jobs/runs/submit`; answers the run's id. Once by token: the same `idempotency_token` answers the same run.
    ///
    /// # Errors
    /// `Invalid` for a run Databricks refuses (also a token whose run was deleted), `NotFound` for a missing cluster, the general ones.
    pub async fn submit_run(&self, submit: &Submit) -> Result<i64, Error> {
        let once = if submit.idempotency_token.is_empty() { Once::Observation } else { Once::Token };
        let call = Call::new("jobs/runs/submit", Family::Submit, Method::POST, "/api/2.2/jobs/runs/submit", once);
        let submitted: Submitted = self.read(call.json(submit)?.conceal(&submit.secrets)).await?;
        Ok(submitted.run_id)
    }

    /// `GET jobs/runs/get`, with all its tasks. Harmless when repeated.
    ///
    /// # Errors
    /// `NotFound` if there is no such run (they are kept 60 days), the general ones.
    pub async fn run(&self, run_id: i64) -> Result<Run, Error> {
        let mut page: RunPage = self.read(get("jobs/runs/get", "get", run_id)).await?;
        let mut tasks = Vec::new();
        for _ in 1..MAX_PAGES {
            let Some(token) = page.next_page_token.take().filter(|token| !token.is_empty()) else { break };
            tasks.append(&mut page.run.tasks);
            page = self.read(get("jobs/runs/get", "get", run_id).query("page_token", token)).await?;
        }
        tasks.append(&mut page.run.tasks);
        Ok(Run { tasks, ..page.run })
    }

    /// `GET jobs/runs/get-output` of a task run. Harmless when repeated.
    ///
    /// # Errors
    /// `Invalid` for a run with several tasks, `NotFound`; `Unavailable` (500) for a deleted run; the general ones.
    pub async fn run_output(&self, task_run_id: i64) -> Result<Output, Error> {
        self.read(get("jobs/runs/get-output", "get-output", task_run_id)).await
    }

    /// `GET jobs/runs/export` of a task run: its cells with their outputs. Harmless when repeated.
    ///
    /// # Errors
    /// `Invalid` for a run without notebook, `NotFound`, the general ones.
    pub async fn export_run(&self, task_run_id: i64) -> Result<Vec<View>, Error> {
        let call = get("jobs/runs/export", "export", task_run_id).query("views_to_export", "CODE");
        let views: Views = self.read(call).await?;
        Ok(views.views)
    }

    /// `POST jobs/runs/cancel`, asynchronous: watch the run. Harmless when repeated.
    ///
    /// # Errors
    /// `NotFound`, the general ones.
    pub async fn cancel_run(&self, run_id: i64) -> Result<(), Error> {
        let call =
            Call::new("jobs/runs/cancel", Family::Runs, Method::POST, "/api/2.2/jobs/runs/cancel", Once::Harmless);
        self.act(call.json(&RunId { run_id })?).await
    }

    /// `GET jobs/runs/list`: the newest runs of the workspace, whoever submitted them, without their tasks; as many as one
    /// page holds, and none that can't be read: ask for it by its id. The list is up to a second old: all clients of a
    /// host share it. Harmless when repeated.
    ///
    /// # Errors
    /// The general ones.
    pub async fn newest_runs(&self) -> Result<Arc<[Run]>, Error> {
        self.inner.newest.get(Instant::now(), self.list_runs()).await
    }

    async fn list_runs(&self) -> Result<Vec<Run>, Error> {
        let call = Call::get("jobs/runs/list", Family::Runs, "/api/2.2/jobs/runs/list");
        match self.read::<Runs>(call.query("run_type", "SUBMIT_RUN").query("limit", PAGE)).await {
            Err(error @ Error::Protocol { .. }) => {
                tracing::info!(%error, "no list of runs: each is asked for by itself");
                Ok(Vec::new())
            }
            page => page.map(Runs::readable),
        }
    }
}

fn get(operation: &'static str, name: &str, run_id: i64) -> Call {
    Call::get(operation, Family::RunRead, format!("/api/2.2/jobs/runs/{name}")).query("run_id", run_id.to_string())
}

fn or_default<'de, D: serde::Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests;
