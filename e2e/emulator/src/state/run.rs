//! A run's record: what was submitted, how far it is and how it ended. A run has one or more tasks.

pub(crate) use crate::state::task::{RunIf, TaskOutput, TaskRecord};

use crate::{
    spec::{compute::Shared, plan::Accepted, quartz::Schedule},
    state::{disk, ids, lock, objects::now},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex},
};
use tokio::sync::watch;

/// Where a run or task is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum LifeCycle {
    Queued,
    Blocked,
    Pending,
    Running,
    Terminating,
    Terminated,
    Skipped,
    InternalError,
}

impl LifeCycle {
    /// Whether nothing follows.
    pub(crate) fn is_terminal(self) -> bool {
        matches!(self, Self::Terminated | Self::Skipped | Self::InternalError)
    }
}

/// How a run or task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum ResultState {
    Success,
    Failed,
    #[serde(rename = "TIMEDOUT")]
    TimedOut,
    Canceled,
    Excluded,
    MaximumConcurrentRunsReached,
    UpstreamFailed,
    UpstreamCanceled,
}

/// The state of a run or task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunState {
    pub(crate) life_cycle_state: LifeCycle,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) result_state: Option<ResultState>,
    #[serde(default)]
    pub(crate) state_message: String,
    #[serde(default)]
    pub(crate) user_cancelled_or_timedout: bool,
}

impl RunState {
    /// A state on the way.
    pub(crate) fn at(life_cycle: LifeCycle, message: &str) -> Self {
        Self {
            life_cycle_state: life_cycle,
            result_state: None,
            state_message: message.to_owned(),
            user_cancelled_or_timedout: false,
        }
    }

    /// A state at the end.
    pub(crate) fn ended(life_cycle: LifeCycle, result: ResultState, message: &str) -> Self {
        let stopped = matches!(result, ResultState::TimedOut | ResultState::Canceled);
        Self { result_state: Some(result), user_cancelled_or_timedout: stopped, ..Self::at(life_cycle, message) }
    }

    /// Whether it ended well.
    pub(crate) fn is_success(&self) -> bool {
        self.result_state == Some(ResultState::Success)
    }
}

/// How a run was submitted, and so how it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Format {
    /// The shape of API 2.0: the run is its own only task.
    SingleTask,
    MultiTask,
}

/// Whether a run is a job's or was submitted by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum RunType {
    #[default]
    SubmitRun,
    JobRun,
}

/// What began a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Trigger {
    #[default]
    OneTime,
    Periodic,
}

/// Which limit kept a run from beginning at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum QueueCode {
    /// That of its job.
    MaxConcurrentRunsReached,
    /// That of the workspace.
    ActiveRunsLimitReached,
}

/// Why a run had to wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Queue {
    pub(crate) code: QueueCode,
    pub(crate) reason: String,
}

/// Where a run comes from.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Origin {
    pub(crate) run_type: RunType,
    pub(crate) trigger: Trigger,
    /// The job's schedule that began it.
    pub(crate) schedule: Option<Schedule>,
    /// The job's parameters with this run's values.
    pub(crate) job_parameters: BTreeMap<String, String>,
    /// What `run-now` gave, as it was given.
    pub(crate) overriding_parameters: Option<serde_json::Value>,
}

/// What is remembered of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RunRecord {
    pub(crate) run_id: i64,
    pub(crate) job_id: i64,
    pub(crate) run_name: String,
    pub(crate) creator: String,
    pub(crate) format: Format,
    #[serde(default)]
    pub(crate) idempotency_token: Option<String>,
    /// Seconds; 0 means no limit.
    #[serde(default)]
    pub(crate) timeout_seconds: u64,
    pub(crate) start_time: i64,
    #[serde(default)]
    pub(crate) end_time: i64,
    pub(crate) state: RunState,
    #[serde(default)]
    pub(crate) code: String,
    #[serde(default)]
    pub(crate) origin: Origin,
    #[serde(default)]
    pub(crate) shared: Shared,
    /// The clusters of the run that were made so far, by their keys.
    #[serde(default)]
    pub(crate) made: BTreeMap<String, String>,
    /// Why it had to wait, if it had to.
    #[serde(default)]
    pub(crate) queue: Option<Queue>,
    /// Milliseconds that it has waited.
    #[serde(default)]
    pub(crate) queue_duration: i64,
    #[serde(default)]
    pub(crate) deleted: bool,
    pub(crate) tasks: Vec<TaskRecord>,
}

impl RunRecord {
    /// A run that begins now. Its job is one of its own, as that of a one-time run.
    pub(crate) fn new(accepted: Accepted, name: &str, creator: &str, token: Option<String>, origin: Origin) -> Self {
        let Accepted { run_id, format, timeout_seconds, shared, tasks } = accepted;
        Self {
            run_id,
            job_id: ids::random(),
            run_name: name.to_owned(),
            creator: creator.to_owned(),
            format,
            idempotency_token: token,
            timeout_seconds,
            start_time: now(),
            end_time: 0,
            state: RunState::at(LifeCycle::Pending, ""),
            code: String::new(),
            origin,
            shared,
            made: BTreeMap::new(),
            queue: None,
            queue_duration: 0,
            deleted: false,
            tasks,
        }
    }

    /// It waits for its turn.
    pub(crate) fn wait(&mut self, queue: Queue) {
        self.state = RunState::at(LifeCycle::Queued, "");
        self.queue = Some(queue);
    }

    /// Whether it still does.
    pub(crate) fn is_queued(&self) -> bool {
        self.state.life_cycle_state == LifeCycle::Queued
    }

    /// It ends without any of its tasks having run on.
    pub(crate) fn give_up(&mut self, state: &RunState, code: &str, now: i64) {
        for task in self.tasks.iter_mut().filter(|task| !task.state.life_cycle_state.is_terminal()) {
            task.give_up(state, code, now);
        }
        self.state.clone_from(state);
        code.clone_into(&mut self.code);
        self.end_time = now;
    }

    /// Under what its token is known: a job's runs have tokens of their own.
    pub(crate) fn token_key(&self) -> Option<(Option<i64>, String)> {
        let job = (self.origin.run_type == RunType::JobRun).then_some(self.job_id);
        Some((job, self.idempotency_token.clone()?))
    }
}

/// Why a run is stopped from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    Canceled,
    TimedOut,
}

/// A run: its record and the wish to stop it.
pub(crate) struct Run {
    record: Mutex<RunRecord>,
    file: PathBuf,
    /// Set once, by the first reason.
    stop: watch::Sender<Option<Stop>>,
}

impl Run {
    /// A run whose record lives in `file`.
    pub(crate) fn new(record: RunRecord, file: PathBuf) -> Arc<Self> {
        Arc::new(Self { record: Mutex::new(record), file, stop: watch::channel(None).0 })
    }

    /// Looks at the record.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&RunRecord) -> T) -> T {
        look(&lock(&self.record))
    }

    /// Changes the record and saves it.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut RunRecord) -> T) -> T {
        let mut record = lock(&self.record);
        let result = change(&mut record);
        disk::save(&self.file, &*record);
        result
    }

    /// Changes one task's record.
    pub(crate) fn change_task<T>(&self, index: usize, change: impl FnOnce(&mut TaskRecord) -> T) -> T {
        self.change(|record| change(&mut record.tasks[index]))
    }

    /// Asks the run to stop.
    pub(crate) fn stop(&self, reason: Stop) {
        self.stop.send_if_modified(|stop| stop.is_none() && stop.replace(reason).is_none());
    }

    /// Waits for that.
    pub(crate) async fn stopped(&self) -> Stop {
        let mut stop = self.stop.subscribe();
        let found = stop.wait_for(Option::is_some).await;
        // The sender lives in `self`: only a reason ends the waiting.
        found.ok().and_then(|reason| *reason).unwrap_or(Stop::Canceled)
    }
}

/// What becomes of a run that the emulator's end interrupted; one that only waited waits on. True if that changed
/// something.
pub(crate) fn recover(record: &mut RunRecord, now: i64) -> bool {
    if record.state.life_cycle_state.is_terminal() || record.is_queued() {
        return false;
    }
    let message = "The cluster was lost while the run was in flight: the emulator was restarted.";
    let lost = RunState::ended(LifeCycle::InternalError, ResultState::Failed, message);
    record.give_up(&lost, "CLUSTER_ERROR", now);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_reason_to_stop_counts() {
        let record: RunRecord = serde_json::from_value(serde_json::json!({
            "run_id": 1, "job_id": 2, "run_name": "r", "creator": "c", "format": "MULTI_TASK", "start_time": 0,
            "state": {"life_cycle_state": "RUNNING"}, "tasks": []
        }))
        .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let run = Run::new(record, folder.path().join("run.json"));
        run.stop(Stop::TimedOut);
        run.stop(Stop::Canceled);
        assert_eq!(run.stopped().await, Stop::TimedOut);
    }
}
