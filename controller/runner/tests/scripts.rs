//! The steps of a further job: the user's scripts, with a real shell and a real Python.

mod support;

use serde_json::{Value, json};
use support::repository::Repository;
use support::{Pod, base_python};

/// A pod whose checkout is done and whose job has these steps.
fn pod(steps: &Value) -> Pod {
    let repository = Repository::new();
    repository.write("libraries/greeting.txt", "hello\n");
    let commit = repository.commit("first");
    let mut pod = Pod::new(&repository.url(), &commit);
    pod.set("BRICKLINE_BASE_PYTHON", base_python());
    pod.plan["job"] = json!({"variables": {"GREETED": "world", "WHO": "job"}, "steps": steps});
    assert_eq!(pod.run("checkout"), 0);
    pod
}

fn names(pod: &Pod) -> Vec<String> {
    let ledger = pod.json("work/out/steps.json");
    let steps = ledger["steps"].as_array().expect("steps").iter();
    steps.map(|step| step["name"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn scripts_run_in_the_repository_with_the_jobs_python_and_variables() {
    let pod = pod(&json!([
        {"name": "greet", "run": "read word < greeting.txt\necho \"$word $GREETED from $WHO\"", "workingDirectory": "libraries",
         "variables": {"WHO": "step"}},
        {"name": "python", "run": "python -c 'import sys, pytest; print(sys.prefix)'"},
        {"name": "secrets", "run": "env | grep BRICKLINE_ && exit 1 || true"},
    ]));
    assert_eq!(pod.run("steps"), 0, "{}", pod.read("work/log/steps.log"));
    let log = pod.read("work/log/steps.log");
    assert!(log.contains("hello world from step") && log.contains("work/venv"), "{log}");
    assert_eq!(names(&pod), ["venv", "greet", "python", "secrets"]);
}

#[test]
fn after_a_failure_only_those_run_that_ask_for_it() {
    let pod = pod(&json!([
        {"name": "first", "run": "false\necho not reached"},
        {"name": "second", "run": "true"},
        {"name": "clean up", "run": "echo cleaning", "condition": "Always"},
        {"name": "tell", "run": "echo telling", "condition": "Failed"},
    ]));
    assert_eq!(pod.run("steps"), 66);
    assert_eq!(names(&pod), ["venv", "first", "clean up", "tell"]);
    assert!(pod.message().starts_with("first ended with exit code 1"), "{}", pod.message());
    let log = pod.read("work/log/steps.log");
    assert!(!log.contains("not reached") && log.contains("second is left out"), "{log}");
}

#[test]
fn a_step_that_may_fail_or_takes_too_long_is_its_own_affair() {
    let pod = pod(&json!([
        {"name": "flaky", "run": "exit 3", "continueOnError": true},
        {"name": "slow", "run": "sleep 600", "timeoutSeconds": 1, "continueOnError": true},
        {"name": "last", "run": "true"},
    ]));
    assert_eq!(pod.run("steps"), 0, "{}", pod.read("work/log/steps.log"));
    assert_eq!(names(&pod), ["venv", "flaky", "slow", "last"]);
    assert!(pod.read("work/log/steps.log").contains("slow ran into the time limit"));
}

#[test]
fn a_failing_test_in_a_report_fails_the_job_with_its_name() {
    let report =
        "<testsuite><testcase classname='c' name='test_sum'><failure message='1 != 2'/></testcase></testsuite>";
    let run = format!("echo \"{report}\" > TEST-own.xml\nexit 1");
    let pod = pod(&json!([{"name": "unit", "run": run}]));
    assert_eq!(pod.run("steps"), 67);
    assert!(pod.message().contains("test_sum"), "{}", pod.message());
}

#[test]
fn a_folder_that_is_not_there_is_said_so() {
    let pod = pod(&json!([{"name": "a", "run": "true", "workingDirectory": "nowhere"}]));
    assert_eq!(pod.run("steps"), 66);
    assert!(pod.message().contains("the commit has no folder nowhere"), "{}", pod.message());
}

#[test]
fn an_image_without_python_runs_scripts_all_the_same() {
    let mut pod = pod(&json!([{"name": "a", "run": "echo fine"}]));
    let (nowhere, empty) = (pod.at("nowhere"), pod.at("empty"));
    pod.set("BRICKLINE_BASE_PYTHON", nowhere);
    std::fs::create_dir(&empty).expect("created");
    std::os::unix::fs::symlink("/bin/sh", empty.join("sh")).expect("linked");
    pod.set("PATH", empty);
    assert_eq!(pod.run("steps"), 0, "{}", pod.read("work/log/steps.log"));
    assert_eq!(names(&pod), ["a"]);
    pod.plan["pythonVersion"] = json!("3.11");
    assert_eq!(pod.run("steps"), 65);
}
