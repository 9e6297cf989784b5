//! A task as clients write it, checked and made into a record.

use crate::{
    api::number,
    spec::{
        compute::{ComputeSpec, Shared},
        workload::WorkloadSpec,
    },
    state::{
        Clusters, Library, Refusal,
        run::{RunIf, TaskRecord},
    },
};
use serde::Deserialize;

/// One task of a plan.
#[derive(Deserialize)]
pub(crate) struct TaskSpec {
    pub(crate) task_key: String,
    #[serde(default)]
    pub(crate) depends_on: Vec<Dependency>,
    #[serde(default)]
    run_if: RunIf,
    #[serde(default, deserialize_with = "number")]
    timeout_seconds: u64,
    #[serde(flatten)]
    work: WorkSpec,
}

/// Another task that has to end first.
#[derive(Deserialize)]
pub(crate) struct Dependency {
    pub(crate) task_key: String,
}

/// What is to be done and where; in the flat shape of API 2.0 beside the settings of the run itself.
#[derive(Deserialize)]
pub(crate) struct WorkSpec {
    #[serde(flatten)]
    compute: ComputeSpec,
    #[serde(flatten)]
    workload: WorkloadSpec,
    #[serde(default)]
    libraries: Vec<Library>,
}

impl WorkSpec {
    /// Whether it says anything at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.compute.is_empty() && self.workload.is_empty()
    }
}

impl TaskSpec {
    /// The task of a flat run.
    pub(crate) fn only(work: WorkSpec, timeout_seconds: u64) -> Self {
        let task_key = "run".to_owned();
        Self { task_key, depends_on: Vec::new(), run_if: RunIf::AllSuccess, timeout_seconds, work }
    }

    /// Its record, not yet started.
    pub(crate) fn accept(self, run_id: i64, shared: &Shared, clusters: &Clusters) -> Result<TaskRecord, Refusal> {
        let WorkSpec { compute, workload, libraries } = self.work;
        let workload = workload.accept(shared.git_source.is_some())?;
        libraries.iter().try_for_each(Library::check)?;
        let compute = compute.accept(&self.task_key, &workload, &libraries, shared, clusters)?;
        let depends_on = self.depends_on.into_iter().map(|dependency| dependency.task_key).collect();
        Ok(TaskRecord {
            depends_on,
            run_if: self.run_if,
            libraries,
            timeout_seconds: self.timeout_seconds,
            ..TaskRecord::new(run_id, self.task_key, compute, workload)
        })
    }
}
