//! A task, as `jobs/runs/submit` and `jobs/create` take it.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::compute::{NewCluster, Place};
use super::libraries::Library;

/// One task of a run or job. Without a cluster: serverless.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Task {
    /// The task's name within the run or job.
    pub task_key: String,
    /// A cluster that exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub existing_cluster_id: Option<String>,
    /// A cluster made for the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_cluster: Option<Box<NewCluster>>,
    /// The serverless environment, by key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment_key: Option<String>,
    /// What it runs.
    #[serde(flatten)]
    pub work: Work,
    /// Libraries installed before the task starts; only with a new cluster they are gone afterwards.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub libraries: Vec<Library>,
    /// Seconds until Databricks ends the task; 0: never.
    pub timeout_seconds: u64,
}

impl Task {
    /// A task that names no place: [`Task::at`] gives it one, or the job has a shared cluster for it.
    #[must_use]
    pub fn new(task_key: impl Into<String>, work: Work, timeout_seconds: u64) -> Self {
        Self {
            task_key: task_key.into(),
            existing_cluster_id: None,
            new_cluster: None,
            environment_key: None,
            work,
            libraries: Vec::new(),
            timeout_seconds,
        }
    }

    /// The task at this place. A run or job with a serverless task has the place's environment among its own.
    #[must_use]
    pub fn at(self, place: &Place) -> Self {
        match place {
            Place::Existing(id) => Self { existing_cluster_id: Some(id.clone()), ..self },
            Place::New { cluster, libraries } => {
                Self { new_cluster: Some(cluster.clone()), libraries: libraries.clone(), ..self }
            }
            // Databricks refuses an environment for a notebook: "A task environment can not be provided for notebook task".
            Place::Serverless(_) if matches!(self.work, Work::NotebookTask(_)) => self,
            Place::Serverless(environment) => {
                Self { environment_key: Some(environment.environment_key.clone()), ..self }
            }
        }
    }
}

/// What a task runs: the field's name and its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// A notebook.
    NotebookTask(NotebookTask),
    /// An entry point of a wheel.
    PythonWheelTask(PythonWheelTask),
    /// A Python file.
    SparkPythonTask(SparkPythonTask),
}

impl Work {
    /// Every value of its parameters and arguments.
    pub fn parameters_mut(&mut self) -> Vec<&mut String> {
        match self {
            Self::NotebookTask(notebook) => notebook.base_parameters.values_mut().collect(),
            Self::PythonWheelTask(wheel) => {
                wheel.parameters.iter_mut().chain(wheel.named_parameters.values_mut()).collect()
            }
            Self::SparkPythonTask(file) => file.parameters.iter_mut().collect(),
        }
    }
}

/// Where notebooks and files of a task come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Origin {
    /// The workspace.
    Workspace,
    /// The `git_source` of the run or job.
    Git,
}

/// A notebook to run. Printed without the values of its widgets, which may be secret.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct NotebookTask {
    /// Where it is: `/Shared/dbxdemo/notebook.py`; in a repository, without leading slash and suffix.
    pub notebook_path: String,
    /// Where it comes from.
    pub source: Origin,
    /// Values of its widgets.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub base_parameters: BTreeMap<String, String>,
}

/// An entry point of a wheel. Printed without its arguments, which may be secret.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
pub struct PythonWheelTask {
    /// The distribution.
    pub package_name: String,
    /// The console script or function.
    pub entry_point: String,
    /// Arguments in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<String>,
    /// Arguments by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub named_parameters: BTreeMap<String, String>,
}

/// A Python file. Printed without its arguments, which may be secret.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct SparkPythonTask {
    /// Where it is: an absolute path of the workspace; in a repository, without leading slash.
    pub python_file: String,
    /// Where it comes from.
    pub source: Origin,
    /// Arguments in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<String>,
}

impl fmt::Debug for NotebookTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parameters: Vec<&String> = self.base_parameters.keys().collect();
        let mut shown = f.debug_struct("NotebookTask");
        shown.field("notebook_path", &self.notebook_path).field("base_parameters", &parameters).finish_non_exhaustive()
    }
}

impl fmt::Debug for PythonWheelTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("PythonWheelTask");
        shown.field("package_name", &self.package_name).field("entry_point", &self.entry_point).finish_non_exhaustive()
    }
}

impl fmt::Debug for SparkPythonTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SparkPythonTask").field("python_file", &self.python_file).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
