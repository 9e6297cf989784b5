//! A task's record: what it does and where, how far it is and what it left behind.

use crate::{
    spec::{Workload, compute::Compute},
    state::{
        Library,
        run::{LifeCycle, ResultState, RunState},
    },
};
use serde::{Deserialize, Serialize};

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
}
