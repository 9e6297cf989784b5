//! A run's record: what was submitted, how far it is and how it ended. A run has one or more tasks.

use crate::{
    spec::{
        Workload,
        compute::{Compute, Shared},
        plan::Accepted,
        quartz::Schedule,
    },
    state::{Library, disk, ids, lock, objects::now},
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

/// What a task left behind.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct TaskOutput {
    /// The value given to `dbutils.notebook.exit`.
    pub(crate) exit: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) error_trace: Option<String>,
}

/// One task of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TaskRecord {
    pub(crate) run_id: i64,
    pub(crate) task_key: String,
    #[serde(default)]
    pub(crate) depends_on: Vec<String>,
    #[serde(default)]
    pub(crate) run_if: RunIf,
    pub(crate) compute: Compute,
    /// Where it runs; known once a cluster made for it is there.
    pub(crate) cluster_id: Option<String>,
    #[serde(default)]
    pub(crate) libraries: Vec<Library>,
    pub(crate) workload: Workload,
    /// Seconds; 0 means no limit.
    #[serde(default)]
    pub(crate) timeout_seconds: u64,
    /// Milliseconds since 1970; 0 before.
    #[serde(default)]
    pub(crate) start_time: i64,
    #[serde(default)]
    pub(crate) end_time: i64,
    /// Milliseconds, each.
    #[serde(default)]
    pub(crate) setup_duration: i64,
    #[serde(default)]
    pub(crate) execution_duration: i64,
    #[serde(default)]
    pub(crate) spark_context_id: i64,
    pub(crate) state: RunState,
    /// The code of `status.termination_details`.
    #[serde(default)]
    pub(crate) code: String,
    #[serde(default)]
    pub(crate) output: TaskOutput,
}

impl TaskRecord {
    /// A task that hasn't started.
    pub(crate) fn new(run_id: i64, task_key: String, compute: Compute, workload: Workload) -> Self {
        let cluster_id = if let Compute::Existing(id) = &compute { Some(id.clone()) } else { None };
        Self {
            run_id,
            task_key,
            depends_on: Vec::new(),
            run_if: RunIf::AllSuccess,
            compute,
            cluster_id,
            libraries: Vec::new(),
            workload,
            timeout_seconds: 0,
            start_time: 0,
            end_time: 0,
            setup_duration: 0,
            execution_duration: 0,
            spark_context_id: 0,
            state: RunState::at(LifeCycle::Blocked, ""),
            code: String::new(),
            output: TaskOutput::default(),
        }
    }

    /// It ends without having run.
    pub(crate) fn give_up(&mut self, state: &RunState, code: &str, now: i64) {
        self.state.clone_from(state);
        code.clone_into(&mut self.code);
        self.end_time = now;
    }
}

/// When a task runs, given how those it depends on ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum RunIf {
    #[default]
    AllSuccess,
    AtLeastOneSuccess,
    NoneFailed,
    AllDone,
    AtLeastOneFailed,
    AllFailed,
}

impl RunIf {
    /// Whether a task runs. `ended` are the states of all tasks it depends on; an excluded one is neither.
    pub(crate) fn allows(self, ended: &[RunState]) -> bool {
        let good = |state: &RunState| state.is_success();
        let bad = |state: &RunState| !good(state) && state.result_state != Some(ResultState::Excluded);
        match self {
            _ if ended.is_empty() => true,
            Self::AllSuccess => ended.iter().all(good),
            Self::AtLeastOneSuccess => ended.iter().any(good),
            Self::NoneFailed => !ended.iter().any(bad) && ended.iter().any(good),
            Self::AllDone => true,
            Self::AtLeastOneFailed => ended.iter().any(bad),
            Self::AllFailed => ended.iter().all(bad),
        }
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
            deleted: false,
            tasks,
        }
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

/// What becomes of a run that the emulator's end interrupted. True if that changed something.
pub(crate) fn recover(record: &mut RunRecord, now: i64) -> bool {
    if record.state.life_cycle_state.is_terminal() {
        return false;
    }
    let message = "The cluster was lost while the run was in flight: the emulator was restarted.";
    let lost = RunState::ended(LifeCycle::InternalError, ResultState::Failed, message);
    for task in record.tasks.iter_mut().filter(|task| !task.state.life_cycle_state.is_terminal()) {
        task.give_up(&lost, "CLUSTER_ERROR", now);
    }
    record.state = lost;
    "CLUSTER_ERROR".clone_into(&mut record.code);
    record.end_time = now;
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn ended(result: ResultState) -> RunState {
        RunState::ended(LifeCycle::Terminated, result, "")
    }

    #[rstest]
    #[case(RunIf::AllSuccess, &[ResultState::Success, ResultState::Failed], false)]
    #[case(RunIf::AtLeastOneSuccess, &[ResultState::Success, ResultState::Failed], true)]
    #[case(RunIf::NoneFailed, &[ResultState::Success, ResultState::Excluded], true)]
    #[case(RunIf::NoneFailed, &[ResultState::Success, ResultState::TimedOut], false)]
    #[case(RunIf::AllDone, &[ResultState::Failed], true)]
    #[case(RunIf::AtLeastOneFailed, &[ResultState::Success], false)]
    #[case(RunIf::AllFailed, &[ResultState::Failed, ResultState::Canceled], true)]
    #[case(RunIf::AllFailed, &[], true)]
    fn a_task_runs_if(#[case] rule: RunIf, #[case] results: &[ResultState], #[case] want: bool) {
        let states: Vec<_> = results.iter().copied().map(ended).collect();
        assert_eq!(rule.allows(&states), want);
    }

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
