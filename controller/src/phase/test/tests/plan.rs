//! Which notebooks, files and entry points are run.

use brickline_artifact::Manifest;
use brickline_crds::{DatabricksReleaseSpec, DeployItem};
use rstest::rstest;
use serde_json::{Value, json};

use super::super::plan::{plan, travelling, unmatched};
use super::super::tell::missing;
use super::super::{Item, Role};
use crate::databricks::libraries::Library;
use crate::databricks::tasks::Work;

const SHA: &str = "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";

/// Two notebooks, the second unchanged, a fixture, a Python file and a wheel.
fn manifest() -> Manifest {
    let file = |path: &str, change: &str, notebook: Value| json!({"path": path, "digest": SHA, "size": 1, "change": change, "notebook": notebook});
    let manifest = json!({
        "version": 1,
        "release": {"namespace": "data", "name": "one", "uid": "one"},
        "source": {"url": "https://git.example.com/a/b", "reference": "refs/heads/release",
            "commit": "0123456789012345678901234567890123456789", "committedAt": 0},
        "files": [
            file("jobs/load.py", "Added", Value::Null),
            file("notebooks/a.py", "Modified", json!("python")),
            file("notebooks/b.py", "Unchanged", json!("python")),
            file("notebooks/down.py", "Unchanged", json!("python")),
        ],
        "wheels": [{"path": "dbxdemo-0.1.0-py3-none-any.whl", "digest": SHA, "size": 1, "distribution": "dbxdemo",
            "version": "0.1.0"}],
    });
    serde_json::from_value(manifest).expect("a manifest")
}

fn spec(test: &Value) -> DatabricksReleaseSpec {
    let items = json!([
        {"from": "notebooks/**", "to": "/Shared/d"}, {"from": "jobs/**", "to": "/Workspace/Shared/jobs", "kind": "File"},
    ]);
    let spec = json!({"source": {}, "deploy": {"items": items, "libraries": {"to": "/Volumes/libs"}}, "test": test});
    serde_json::from_value(spec).expect("a spec")
}

fn planned(test: &Value) -> Result<Vec<Item>, String> {
    plan(&spec(test), &manifest()).map_err(|trouble| trouble.message)
}

fn names(test: &Value) -> Vec<String> {
    planned(test).expect("a plan").into_iter().map(|item| item.path).collect()
}

#[rstest]
#[case(json!({}), &["notebooks/a.py", "notebooks/b.py", "notebooks/down.py"])]
#[case(json!({"select": "Changed"}), &["notebooks/a.py"])]
#[case(json!({"notebooks": [{"match": "notebooks/b.py"}], "select": "Changed"}), &[])]
#[case(json!({"teardown": {"path": "notebooks/down.py"}}), &["notebooks/a.py", "notebooks/b.py", "notebooks/down.py"])]
#[case(json!({"notebooks": [], "tasks": [{"name": "t", "sparkPython": {"file": "jobs/load.py"}}],
    "setup": {"path": "notebooks/a.py"}}), &["notebooks/a.py", "t"])]
#[case(json!({"notebooks": [], "setup": {"path": "notebooks/a.py"}}), &[])]
fn what_is_selected_is_run_in_order(#[case] test: Value, #[case] expected: &[&str]) {
    assert_eq!(names(&test), expected);
}

/// Of the documents' holes: their release imports one notebook and runs all that lie in its folder.
#[rstest]
#[case(false, "/Shared/d/a.py")]
#[case(true, "/Shared/d/a")]
fn only_what_this_release_deploys_is_run_one_notebook_of_many(#[case] strip_extension: bool, #[case] place: &str) {
    let mut spec = spec(&json!({"notebooks": [{"match": "notebooks/**"}]}));
    let from = "notebooks/a.py".to_owned();
    let one = DeployItem { from, to: "/Shared/d".to_owned(), strip_extension, ..DeployItem::default() };
    spec.deploy.items = Some(vec![one]);
    let works: Vec<Work> = plan(&spec, &manifest()).expect("a plan").into_iter().map(|item| item.work).collect();
    let sent = serde_json::to_value(&works).expect("JSON");
    assert_eq!(sent, json!([{"notebook_task": {"notebook_path": place, "source": "WORKSPACE"}}]));
}

#[test]
fn fixtures_stand_at_the_ends_and_only_their_run_counts() {
    let test = json!({"setup": {"path": "notebooks/b.py"}, "teardown": {"path": "notebooks/down.py"},
        "innerTests": {"required": true}, "continueOnError": true});
    let roles = planned(&test).expect("a plan");
    assert_eq!(roles.iter().map(|item| item.role).collect::<Vec<_>>(), [Role::Setup, Role::Test, Role::Teardown]);
    assert!(roles[1].inner.required && roles[1].continue_on_error);
    for fixture in [&roles[0], &roles[2]] {
        assert!(fixture.inner.frameworks.is_empty() && !fixture.inner.required && !fixture.continue_on_error);
        assert_eq!(fixture.max_duration, None);
    }
}

#[test]
fn the_first_pattern_decides_and_may_override() {
    let first = json!({"match": "notebooks/a.py", "maxDuration": "Off", "continueOnError": true,
        "regression": {"percent": 20}, "innerTests": {"frameworks": ["pytest"], "required": true}});
    let items = planned(&json!({"notebooks": [first, {"match": "notebooks/**"}]})).expect("a plan");
    assert_eq!(items[0].max_duration, None);
    assert_eq!(items[0].regression.map(|regression| (regression.percent, regression.over)), Some((20, 10)));
    assert!(items[0].continue_on_error && items[0].inner.required);
    assert_eq!(items[1].max_duration.map(|limit| limit.as_secs()), Some(100));
    assert!(!items[1].continue_on_error && !items[1].inner.required);
}

#[test]
fn a_pattern_that_selects_no_notebook_is_named() {
    let test = json!({"notebooks": [{"match": "notebooks/**"}, {"match": "notebooks/b.py"}, {"match": "tests/**"}]});
    assert_eq!(unmatched(&spec(&test), &manifest()), ["tests/**"]);
    let unchanged = json!({"notebooks": [{"match": "notebooks/b.py"}], "select": "Changed"});
    assert!(unmatched(&spec(&unchanged), &manifest()).is_empty(), "it is there, only not due");
}

#[test]
fn work_is_where_deploy_has_put_it_or_in_the_repository() {
    let tasks = json!([
        {"name": "file", "sparkPython": {"file": "jobs/load.py", "parameters": ["a"]}},
        {"name": "wheel", "pythonWheel": {"package": "dbxdemo", "entryPoint": "check", "namedParameters": {"env": "x"}}},
        {"name": "notebook", "notebook": {"path": "notebooks/b.py", "parameters": {"k": "v"}}},
    ]);
    for (source, notebook, file) in
        [("Workspace", "/Shared/d/b.py", "/Workspace/Shared/jobs/load.py"), ("Git", "notebooks/b", "jobs/load.py")]
    {
        let test = json!({"notebooks": [], "tasks": tasks, "source": source});
        let works: Vec<Work> = planned(&test).expect("a plan").into_iter().map(|item| item.work).collect();
        let sent = serde_json::to_value(&works).expect("JSON");
        let origin = source.to_uppercase();
        assert_eq!(
            sent,
            json!([
                {"spark_python_task": {"python_file": file, "source": origin, "parameters": ["a"]}},
                {"python_wheel_task": {"package_name": "dbxdemo", "entry_point": "check", "named_parameters": {"env": "x"}}},
                {"notebook_task": {"notebook_path": notebook, "source": origin, "base_parameters": {"k": "v"}}},
            ])
        );
    }
}

#[rstest]
#[case(json!({"setup": {"path": "notebooks/none.py"}}), "test.setup: notebooks/none.py is no notebook that")]
#[case(json!({"tasks": [{"name": "t", "sparkPython": {"file": "jobs/none.py"}}]}), "test.tasks: t: jobs/none.py is not in the workspace")]
#[case(json!({"tasks": [{"name": "t", "notebook": {"path": "jobs/load.py"}}]}), "test.tasks: t: jobs/load.py is no notebook")]
fn what_is_not_there_is_named(#[case] test: Value, #[case] words: &str) {
    let refusal = planned(&test).expect_err("a refusal");
    assert!(refusal.starts_with(words), "{refusal}");
}

#[test]
fn wheels_travel_from_where_deploy_has_put_them() {
    let wheel = "/Volumes/libs/dbxdemo/2c26b46b68ff/dbxdemo-0.1.0-py3-none-any.whl";
    assert_eq!(travelling(&spec(&json!({})), &manifest()), Ok(vec![Library::Whl(wheel.into())]));
    let mut without = spec(&json!({}));
    without.install.libraries.clear();
    assert_eq!(travelling(&without, &manifest()), Ok(Vec::new()));
}

/// Databricks gives a notebook on serverless no environment; what runs otherwise or elsewhere gets everything.
#[rstest]
#[case::notebook(json!({"compute": {"serverless": {}}}), Some("none of the release's 1 libraries"))]
#[case::wheel(json!({"compute": {"serverless": {}}, "notebooks": [], "tasks": [{"name": "t", "pythonWheel": {"package": "dbxdemo", "entryPoint": "e"}}]}), None)]
#[case::on_a_cluster(json!({}), None)]
fn a_notebook_without_the_libraries_is_told(#[case] test: Value, #[case] told: Option<&str>) {
    let spec = spec(&test);
    let item = plan(&spec, &manifest()).expect("a plan").swap_remove(0);
    let line = missing(&spec, &item, &manifest());
    assert_eq!(line.is_some(), told.is_some(), "{line:?}");
    assert!(line.unwrap_or_default().contains(told.unwrap_or_default()));
}
