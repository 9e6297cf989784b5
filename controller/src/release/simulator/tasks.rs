//! What runs are made of: tasks of each kind on compute of each kind, and what Databricks refuses of them.

use brickline_crds::{ComputeKind, DatabricksReleaseSpec, Reason, Regression};
use serde_json::{Value, json};

use super::clusters::{CLUSTER, WHEEL};
use crate::databricks::libraries::Library;
use crate::databricks::tasks::{Origin, PythonWheelTask, SparkPythonTask, Work};
use crate::phase::Trouble;
use crate::phase::test::{Item, placed, samples};

/// What tests are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kinds {
    /// Notebooks only.
    Notebooks,
    /// In turns a notebook, an entry point and a Python file.
    All,
}

/// The n-th test.
pub(super) fn test(number: u32, kinds: Kinds, regression: Option<Regression>) -> Item {
    let notebook = Item { regression, ..samples::notebook(&format!("notebooks/{number:02}.py")) };
    let (path, work) = match (kinds, number % 3) {
        (Kinds::All, 1) => {
            let (package_name, entry_point) = ("dbxdemo".to_owned(), "check".to_owned());
            let wheel = PythonWheelTask { package_name, entry_point, ..PythonWheelTask::default() };
            (format!("wheel-{number}"), Work::PythonWheelTask(wheel))
        }
        (Kinds::All, 2) => {
            let python_file = "/Workspace/Shared/jobs/load.py".to_owned();
            let file = SparkPythonTask { python_file, source: Origin::Workspace, parameters: Vec::new() };
            (format!("file-{number}"), Work::SparkPythonTask(file))
        }
        _ => return notebook,
    };
    Item { path, work, ..notebook }
}

/// The run as it is sent, by what the controller makes of it.
pub(super) fn sent(spec: &DatabricksReleaseSpec, item: &Item) -> Result<Value, Trouble> {
    let libraries = || Ok(vec![Library::Whl(WHEEL.to_owned())]);
    let timeout = item.timeout.as_secs();
    let (task, environments) =
        placed(&spec.test.compute, item.work.clone(), timeout, libraries, |_| Ok(CLUSTER.to_owned()))?;
    Ok(json!({"task": task, "environments": environments}))
}

/// As Databricks: at serverless a notebook takes no environment, and anything else needs one.
pub(super) fn taken(sent: &Value) -> Result<(), Trouble> {
    let task = &sent["task"];
    let has_cluster = task["existing_cluster_id"].is_string() || task["new_cluster"].is_object();
    let (is_notebook, environment) = (task["notebook_task"].is_object(), &task["environment_key"]);
    let why = match (has_cluster, is_notebook, environment.is_string()) {
        (true, _, true) => "an environment is for serverless tasks",
        (false, true, true) => "A task environment can not be provided for notebook task",
        (false, false, false) => "a serverless task needs an environment_key",
        (false, false, true) if sent["environments"][0]["environment_key"] != *environment => "no such environment",
        _ => return Ok(()),
    };
    Err(Trouble::lasting(Reason::NotebookFailed, format!("400 INVALID_PARAMETER_VALUE: {why}")))
}

/// Where a run must be by the spec, and what must travel with it: in words if it is not so.
pub(super) fn misplaced(spec: &DatabricksReleaseSpec, sent: &Value) -> Option<String> {
    let task = &sent["task"];
    let wheel = json!([{"whl": WHEEL}]);
    let dependencies = &sent["environments"][0]["spec"]["dependencies"];
    let right = match spec.test.compute.kind() {
        ComputeKind::Cluster(_) => task["existing_cluster_id"] == CLUSTER && task["libraries"].is_null(),
        ComputeKind::New(new) => {
            task["new_cluster"]["spark_version"] == json!(new.spark_version) && task["libraries"] == wheel
        }
        ComputeKind::Serverless(_) if task["notebook_task"].is_object() => dependencies.is_null(),
        ComputeKind::Serverless(_) => dependencies[0] == WHEEL,
    };
    (!right).then(|| format!("a run at the wrong place, or without the libraries: {sent}"))
}
