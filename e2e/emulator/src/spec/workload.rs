//! Workloads are what tasks do: run a notebook, a Python file, or the entry point of a wheel.

use crate::{
    spec::invalid,
    state::{Refusal, SafePath},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

const MAX_PARAMETERS: usize = 1024 * 1024;

/// Where a notebook or file comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Source {
    Workspace,
    Git,
}

/// A notebook with its parameters.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct NotebookTask {
    pub(crate) notebook_path: String,
    #[serde(default)]
    pub(crate) base_parameters: BTreeMap<String, Value>,
    #[serde(default)]
    pub(crate) source: Option<Source>,
}

/// The entry point of an installed Python distribution.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct WheelTask {
    pub(crate) package_name: String,
    pub(crate) entry_point: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) parameters: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) named_parameters: BTreeMap<String, String>,
}

/// A Python file with its arguments.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PythonTask {
    pub(crate) python_file: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) parameters: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<Source>,
}

/// What one task does.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Workload {
    #[serde(rename = "notebook_task")]
    Notebook(NotebookTask),
    #[serde(rename = "python_wheel_task")]
    Wheel(WheelTask),
    #[serde(rename = "spark_python_task")]
    Python(PythonTask),
}

/// The fields of a task that say what it does: exactly one of them.
#[derive(Default, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_field_names, reason = "the names are the API's")]
pub(crate) struct WorkloadSpec {
    notebook_task: Option<NotebookTask>,
    python_wheel_task: Option<WheelTask>,
    spark_python_task: Option<PythonTask>,
}

/// Parameters that one run of a job has instead of the job's.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given {
    /// For notebooks, by name; they are added.
    pub(crate) named: BTreeMap<String, String>,
    /// For Python tasks; they replace.
    pub(crate) list: Option<Vec<String>>,
    /// For wheels, by name; they replace.
    pub(crate) wheel: Option<BTreeMap<String, String>>,
}

impl WorkloadSpec {
    /// Whether it says nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.notebook_task.is_none() && self.python_wheel_task.is_none() && self.spark_python_task.is_none()
    }

    /// The workload, checked. `in_git` tells whether the run has a `git_source`, which is the default source then.
    pub(crate) fn accept(self, in_git: bool) -> Result<Workload, Refusal> {
        let usual = if in_git { Source::Git } else { Source::Workspace };
        let mut workload = match (self.notebook_task, self.python_wheel_task, self.spark_python_task) {
            (Some(task), None, None) => Workload::Notebook(task),
            (None, Some(task), None) => Workload::Wheel(task),
            (None, None, Some(task)) => Workload::Python(task),
            (None, None, None) => return Err(Refusal::Unsupported("A task of this kind")),
            _ => {
                return invalid(
                    "A task does one thing: give one of notebook_task, python_wheel_task, spark_python_task.",
                );
            }
        };
        let source = match &mut workload {
            Workload::Notebook(task) => *task.source.get_or_insert(usual),
            Workload::Python(task) => *task.source.get_or_insert(usual),
            Workload::Wheel(_) => Source::Workspace,
        };
        if source == Source::Git && !in_git {
            return invalid("A task with source GIT needs a git_source.");
        }
        match &workload {
            Workload::Notebook(task) => check_notebook(task, source)?,
            Workload::Wheel(task) => check_wheel(task)?,
            Workload::Python(task) => check_python(task, source)?,
        }
        Ok(workload)
    }
}

fn check_notebook(task: &NotebookTask, source: Source) -> Result<(), Refusal> {
    texts("base_parameters", &task.base_parameters)?;
    check_place("notebook_path", &task.notebook_path, source)
}

fn check_wheel(task: &WheelTask) -> Result<(), Refusal> {
    if task.package_name.is_empty() || task.entry_point.is_empty() {
        return invalid("python_wheel_task needs package_name and entry_point.");
    }
    if !task.parameters.is_empty() && !task.named_parameters.is_empty() {
        return invalid("Give either parameters or named_parameters.");
    }
    Ok(())
}

fn check_python(task: &PythonTask, source: Source) -> Result<(), Refusal> {
    let in_dbfs = task.python_file.starts_with("dbfs:/");
    if in_dbfs && source == Source::Workspace { Ok(()) } else { check_place("python_file", &task.python_file, source) }
}

/// Absolute in the workspace, relative in a repository.
fn check_place(field: &str, path: &str, source: Source) -> Result<(), Refusal> {
    match source {
        Source::Workspace if path.starts_with('/') => Ok(()),
        Source::Workspace => invalid(format!("{field} must be absolute for source WORKSPACE.")),
        Source::Git if path.starts_with('/') || path.is_empty() => {
            invalid(format!("{field} must be relative to the repository for source GIT."))
        }
        Source::Git => SafePath::workspace(&format!("/{path}")).map(drop),
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

impl Workload {
    /// Whether it is a Python task, which has arguments and logs instead of cells.
    pub(crate) fn is_python(&self) -> bool {
        !matches!(self, Self::Notebook(_))
    }

    /// Takes what one run of a job gives.
    pub(crate) fn override_with(&mut self, given: &Given) {
        match self {
            Self::Notebook(task) => {
                let values = given.named.iter().map(|(name, value)| (name.clone(), value.as_str().into()));
                task.base_parameters.extend(values);
            }
            Self::Python(task) => {
                if let Some(list) = &given.list {
                    task.parameters.clone_from(list);
                }
            }
            Self::Wheel(task) => {
                if let Some(list) = &given.list {
                    (task.parameters, task.named_parameters) = (list.clone(), BTreeMap::new());
                }
                if let Some(named) = &given.wheel {
                    (task.parameters, task.named_parameters) = (Vec::new(), named.clone());
                }
            }
        }
    }
}

impl WheelTask {
    /// What the entry point finds in `sys.argv` behind the program's name.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let named = self.named_parameters.iter().map(|(name, value)| format!("--{name}={value}"));
        self.parameters.iter().cloned().chain(named).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case::notebook(json!({ "notebook_task": { "notebook_path": "/n" } }), false, true)]
    #[case::relative(json!({ "notebook_task": { "notebook_path": "n" } }), false, false)]
    #[case::in_git(json!({ "notebook_task": { "notebook_path": "a/n" } }), true, true)]
    #[case::absolute_in_git(json!({ "notebook_task": { "notebook_path": "/n" } }), true, false)]
    #[case::out_of_git(json!({ "notebook_task": { "notebook_path": "../n" } }), true, false)]
    #[case::workspace_beside_git(json!({ "notebook_task": { "notebook_path": "/n", "source": "WORKSPACE" } }), true, true)]
    #[case::git_without_source(json!({ "notebook_task": { "notebook_path": "n", "source": "GIT" } }), false, false)]
    #[case::number(json!({ "notebook_task": { "notebook_path": "/n", "base_parameters": { "a": 1 } } }), false, false)]
    #[case::wheel(json!({ "python_wheel_task": { "package_name": "p", "entry_point": "e" } }), false, true)]
    #[case::both_parameters(
        json!({ "python_wheel_task": { "package_name": "p", "entry_point": "e", "parameters": ["a"], "named_parameters": { "b": "c" } } }),
        false,
        false
    )]
    #[case::file(json!({ "spark_python_task": { "python_file": "dbfs:/f.py" } }), false, true)]
    #[case::relative_file(json!({ "spark_python_task": { "python_file": "f.py" } }), false, false)]
    #[case::two(
        json!({ "notebook_task": { "notebook_path": "/n" }, "spark_python_task": { "python_file": "/f.py" } }),
        false,
        false
    )]
    #[case::other(json!({ "sql_task": {} }), false, false)]
    fn a_task_does_one_thing_that_can_be(#[case] spec: Value, #[case] in_git: bool, #[case] fine: bool) {
        let spec: WorkloadSpec = serde_json::from_value(spec).unwrap();
        assert_eq!(spec.accept(in_git).is_ok(), fine);
    }
}
