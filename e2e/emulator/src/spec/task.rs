//! A task as clients write it, checked and made into a record.

use crate::{
    api::number,
    spec::invalid,
    state::{
        Clusters, Library, Refusal,
        run::{LifeCycle, RunIf, RunState, TaskOutput, TaskRecord},
    },
};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

const MAX_PARAMETERS: usize = 1024 * 1024;

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
    #[serde(default)]
    existing_cluster_id: Option<String>,
    #[serde(default)]
    new_cluster: Option<Value>,
    #[serde(default)]
    notebook_task: Option<NotebookSpec>,
    #[serde(default)]
    libraries: Vec<Library>,
}

#[derive(Deserialize)]
struct NotebookSpec {
    notebook_path: String,
    #[serde(default)]
    base_parameters: BTreeMap<String, Value>,
    #[serde(default)]
    source: Option<String>,
}

impl WorkSpec {
    /// Whether it says anything at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.existing_cluster_id.is_none() && self.new_cluster.is_none() && self.notebook_task.is_none()
    }
}

impl TaskSpec {
    /// The task of a flat run.
    pub(crate) fn only(work: WorkSpec, timeout_seconds: u64) -> Self {
        let task_key = "run".to_owned();
        Self { task_key, depends_on: Vec::new(), run_if: RunIf::AllSuccess, timeout_seconds, work }
    }

    /// Its record, not yet started.
    pub(crate) fn accept(self, run_id: i64, clusters: &Clusters) -> Result<TaskRecord, Refusal> {
        let WorkSpec { existing_cluster_id, new_cluster, notebook_task, libraries } = self.work;
        match (&existing_cluster_id, &new_cluster) {
            (Some(id), None) => drop(clusters.get(id)?),
            (None, Some(_)) => {}
            (None, None) => return Err(Refusal::Unsupported("Serverless compute")),
            (Some(_), Some(_)) => return invalid("Give either existing_cluster_id or new_cluster."),
        }
        let Some(notebook) = notebook_task else {
            return Err(Refusal::Unsupported("A task other than notebook_task"));
        };
        libraries.iter().try_for_each(Library::check)?;
        Ok(TaskRecord {
            run_id,
            task_key: self.task_key,
            depends_on: self.depends_on.into_iter().map(|dependency| dependency.task_key).collect(),
            run_if: self.run_if,
            cluster_id: existing_cluster_id,
            new_cluster,
            libraries,
            base_parameters: notebook.parameters()?,
            notebook_path: notebook.notebook_path,
            timeout_seconds: self.timeout_seconds,
            start_time: 0,
            end_time: 0,
            setup_duration: 0,
            execution_duration: 0,
            spark_context_id: 0,
            state: RunState::at(LifeCycle::Blocked, ""),
            code: String::new(),
            output: TaskOutput::default(),
        })
    }
}

impl NotebookSpec {
    fn parameters(&self) -> Result<BTreeMap<String, String>, Refusal> {
        if self.source.as_deref() == Some("GIT") {
            return Err(Refusal::Unsupported("A notebook from git"));
        }
        if !self.notebook_path.starts_with('/') {
            return invalid("notebook_path must be absolute for a notebook in the workspace.");
        }
        texts("base_parameters", &self.base_parameters)
    }
}

/// Parameters are strings, and not too many of them.
pub(crate) fn texts(field: &str, values: &BTreeMap<String, Value>) -> Result<BTreeMap<String, String>, Refusal> {
    let mut parameters = BTreeMap::new();
    let mut size = 0;
    for (name, value) in values {
        let Some(text) = value.as_str() else {
            return invalid(format!("{field}.{name} must be a string."));
        };
        size += name.len() + text.len();
        parameters.insert(name.clone(), text.to_owned());
    }
    if size > MAX_PARAMETERS {
        return invalid(format!("{field} must not exceed 1 MB."));
    }
    Ok(parameters)
}
