//! What is sent for a task.

use serde_json::{Value, json};

use super::super::compute::{Environment, EnvironmentSpec};
use super::*;

fn notebook() -> Work {
    let base_parameters = [("key".to_owned(), "canary".to_owned())].into();
    Work::NotebookTask(NotebookTask { notebook_path: "/n".into(), source: Origin::Workspace, base_parameters })
}

fn wheel() -> Work {
    let parameters = vec!["canary".to_owned()];
    let (package_name, entry_point) = ("dbxdemo".to_owned(), "check".to_owned());
    Work::PythonWheelTask(PythonWheelTask { package_name, entry_point, parameters, ..PythonWheelTask::default() })
}

fn sent(place: &Place, work: Work) -> Value {
    serde_json::to_value(Task::new("t", work, 60).at(place)).expect("JSON")
}

fn serverless() -> Place {
    let (environment_key, spec) = ("default".to_owned(), EnvironmentSpec::default());
    Place::Serverless(Environment { environment_key, spec })
}

#[test]
fn a_task_has_its_place_and_what_is_unset_is_not_sent() {
    let notebook_task = json!({"notebook_path": "/n", "source": "WORKSPACE", "base_parameters": {"key": "canary"}});
    let expected =
        json!({"task_key": "t", "existing_cluster_id": "c", "timeout_seconds": 60, "notebook_task": notebook_task});
    assert_eq!(sent(&Place::Existing("c".into()), notebook()), expected);
    let new = Place::New { cluster: Box::default(), libraries: vec![Library::Whl("/w".into())] };
    let expected = json!({"task_key": "t", "new_cluster": {}, "libraries": [{"whl": "/w"}], "timeout_seconds": 60,
        "python_wheel_task": {"package_name": "dbxdemo", "entry_point": "check", "parameters": ["canary"]}});
    assert_eq!(sent(&new, wheel()), expected);
}

#[test]
fn on_serverless_a_notebook_names_no_environment_and_the_others_must() {
    assert_eq!(sent(&serverless(), notebook()).get("environment_key"), None);
    assert_eq!(sent(&serverless(), wheel())["environment_key"], "default");
}

#[test]
fn a_task_prints_no_value_of_its_parameters() {
    let python_file = "/f.py".to_owned();
    let file =
        Work::SparkPythonTask(SparkPythonTask { python_file, source: Origin::Git, parameters: vec!["canary".into()] });
    for work in [notebook(), wheel(), file] {
        let task = Task::new("t", work, 0).at(&serverless());
        let printed = format!("{task:?} {task:#?}");
        assert!(!printed.contains("canary"), "{printed}");
        let sent = serde_json::to_string(&task).expect("JSON");
        assert_eq!(sent.matches("canary").count(), 1, "only as the parameter: {sent}");
    }
}
