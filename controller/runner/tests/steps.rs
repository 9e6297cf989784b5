//! The steps with a real Python: what is installed, built, tested and judged.

mod support;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::json;
use support::repository::Repository;
use support::{Pod, base_python, terminate, until};

/// A pod whose checkout is done.
fn pod(repository: &Repository, commit: &str) -> Pod {
    let mut pod = Pod::new(&repository.url(), commit);
    pod.set("BRICKLINE_BASE_PYTHON", base_python());
    assert_eq!(pod.run("checkout"), 0);
    pod
}

fn library(expected: &str) -> Pod {
    let repository = Repository::new();
    repository.write_library(expected);
    let commit = repository.commit("first");
    pod(&repository, &commit)
}

#[test]
fn the_examples_library_is_tested_and_built() {
    let pod = library("checked");
    assert_eq!(pod.run("steps"), 0, "{}", pod.read("work/log/steps.log"));
    let ledger = pod.json("work/out/steps.json");
    let names: Vec<_> = ledger["steps"].as_array().expect("steps").iter().map(|step| step["name"].clone()).collect();
    assert_eq!(names, ["venv", "wheel libraries/python/dbxdemo", "pip install wheels", "pytest"]);
    assert_eq!(ledger["outcome"], json!({"result": "Succeeded"}));
    let report = pod.read("work/reports/TEST-1.xml");
    assert!(report.contains(r#"tests="1""#) && report.contains("test_with_status"), "{report}");
    assert!(pod.at("work/wheels/dbxdemo-0.1.0-py3-none-any.whl").is_file());
    assert!(
        !pod.at("work/src/libraries/python/dbxdemo/build").exists(),
        "the wheel's build left something in the tree"
    );
}

#[test]
fn an_image_without_a_prepared_environment_gets_its_tools_from_the_index() {
    let mut pod = library("checked");
    let nowhere = pod.at("nowhere");
    pod.set("BRICKLINE_BASE_PYTHON", nowhere);
    assert_eq!(pod.run("steps"), 0, "{}", pod.read("work/log/steps.log"));
    assert!(pod.at("work/wheels/dbxdemo-0.1.0-py3-none-any.whl").is_file());
    assert!(pod.read("work/reports/TEST-1.xml").contains("test_with_status"));
}

#[test]
fn a_failing_test_fails_with_its_assertion() {
    let pod = library("other");
    assert_eq!(pod.run("steps"), 67);
    assert!(pod.message().starts_with("1 of 1 tests failed; first "), "{}", pod.message());
    assert!(pod.message().contains("test_with_status: ") && pod.message().contains("assert"), "{}", pod.message());
    assert!(pod.read("work/log/steps.log").contains("==> pytest"));
}

#[test]
fn a_test_that_cannot_be_imported_is_a_failing_test() {
    let repository = Repository::new();
    repository.write("test_broken.py", "import nowhere_to_be_found\n");
    let commit = repository.commit("first");
    let pod = pod(&repository, &commit);
    assert_eq!(pod.run("steps"), 67);
    assert!(pod.message().contains("test_broken"), "{}", pod.message());
}

#[test]
fn tests_of_one_name_in_two_folders_all_run() {
    let repository = Repository::new();
    for folder in ["a", "b"] {
        repository.write(&format!("{folder}/test_same.py"), "def test_it():\n    pass\n");
    }
    let commit = repository.commit("first");
    let pod = pod(&repository, &commit);
    assert_eq!(pod.run("steps"), 0);
    assert!(
        pod.read("work/reports/TEST-1.xml").contains("test_it")
            && pod.read("work/reports/TEST-2.xml").contains("test_it")
    );
}

#[test]
fn no_test_at_all_is_judged_by_what_was_required() {
    let repository = Repository::new();
    repository.write("test_helpers.py", "def helper():\n    pass\n");
    repository
        .write("notebooks/test-notebook.py", "# Databricks notebook source\nraise Exception('on a cluster only')\n");
    let commit = repository.commit("first");
    let mut pod = pod(&repository, &commit);
    assert_eq!(pod.run("steps"), 68);
    assert!(pod.message().contains("none ran"), "{}", pod.message());
    pod.plan["tests"] = json!({"required": "Never"});
    assert_eq!(pod.run("steps"), 0);
    pod.plan["tests"] = json!({"paths": ["elsewhere"]});
    assert_eq!(pod.run("steps"), 68);
    assert!(pod.message().contains("elsewhere"), "{}", pod.message());

    let empty = Repository::new();
    empty.write("notebooks/a.sql", "-- Databricks notebook source\n");
    let commit = empty.commit("first");
    let mut pod = Pod::new(&empty.url(), &commit);
    assert_eq!((pod.run("checkout"), pod.run("steps")), (0, 0));
    pod.plan["tests"] = json!({"required": "Always"});
    assert_eq!(pod.run("steps"), 68);
}

#[test]
fn a_report_that_the_build_left_counts_and_a_tracked_one_does_not() {
    let failing = "<testsuite><testcase name='x'><failure message='no'/></testcase></testsuite>";
    let repository = Repository::new();
    repository.write("logs/TEST-old.xml", failing);
    let write = format!("def test_it():\n    open('logs/TEST-new.xml', 'w').write(\"{failing}\")\n");
    repository.write("test_it.py", "def test_it():\n    pass\n");
    let commit = repository.commit("first");
    assert_eq!(pod(&repository, &commit).run("steps"), 0);
    repository.write("test_it.py", write);
    let commit = repository.commit("second");
    let pod = pod(&repository, &commit);
    assert_eq!(pod.run("steps"), 67);
    assert!(pod.message().starts_with("1 of 2 tests failed; first x: no"), "{}", pod.message());
}

#[test]
fn another_python_than_the_clusters_is_refused() {
    let repository = Repository::new();
    repository.write("test_it.py", "def test_it():\n    pass\n");
    let commit = repository.commit("first");
    let mut pod = pod(&repository, &commit);
    pod.plan["pythonVersion"] = json!("2.6");
    assert_eq!(pod.run("steps"), 65);
    assert!(pod.message().contains("the cluster runs Python 2.6"), "{}", pod.message());
}

/// Test notebooks have such names too.
#[test]
fn a_notebook_called_setup_is_no_project() {
    let repository = Repository::new();
    repository.write("notebooks/setup.py", "# Databricks notebook source\nraise SystemExit('no version')\n");
    let commit = repository.commit("first");
    assert_eq!(pod(&repository, &commit).run("steps"), 0);
}

#[test]
fn an_install_and_a_wheel_that_fail_are_named() {
    let repository = Repository::new();
    repository.write("requirements.txt", "./nowhere\n");
    let commit = repository.commit("first");
    let failed = pod(&repository, &commit);
    assert_eq!(failed.run("steps"), 66);
    assert!(
        failed.message().starts_with("pip install requirements.txt ended with exit code 1: ERROR"),
        "{}",
        failed.message()
    );

    repository.write("requirements.txt", "");
    repository.write("setup.py", "raise SystemExit('no version')\n");
    let commit = repository.commit("second");
    let failed = pod(&repository, &commit);
    assert_eq!(failed.run("steps"), 66);
    assert!(failed.message().starts_with("wheel . ended with exit code 1"), "{}", failed.message());
}

#[test]
fn term_ends_everything_and_leaves_a_verdict() {
    let repository = Repository::new();
    let test = "import subprocess\n\n\ndef test_it():\n    child = subprocess.Popen(['sleep', '600'])\n    open('../pid', 'w').write(str(child.pid))\n    child.wait()\n";
    repository.write("test_it.py", test);
    let commit = repository.commit("first");
    let pod = pod(&repository, &commit);
    let steps = pod.start("steps");
    let mut process = PathBuf::new();
    until("the test runs", || {
        let pid = fs::read_to_string(pod.at("work/pid")).unwrap_or_default();
        process = PathBuf::from("/proc").join(&pid);
        !pid.is_empty()
    });
    let asked = Instant::now();
    assert_eq!(terminate(steps), 66);
    assert!(asked.elapsed() < Duration::from_secs(30));
    until("the test's child is gone", || {
        // Whoever adopts orphans may be slow to bury them.
        !process.exists() || fs::read_to_string(process.join("stat")).is_ok_and(|stat| stat.contains(" Z "))
    });
    assert!(pod.message().contains("pytest was stopped"), "{}", pod.message());
}

#[test]
fn the_time_limit_ends_a_step() {
    let repository = Repository::new();
    repository.write("setup.py", "import time\ntime.sleep(600)\n");
    let commit = repository.commit("first");
    let mut pod = pod(&repository, &commit);
    pod.plan["deadlines"]["stepsSeconds"] = json!(5);
    assert_eq!(pod.run("steps"), 66);
    assert!(pod.message().contains("ran into the time limit"), "{}", pod.message());
}

/// A package index in a folder: packages of one module each, as wheels.
fn packages(pod: &Pod, wanted: &[(&str, &str, &str)]) -> PathBuf {
    let folder = pod.at("index");
    let script = "import sys, zipfile
folder, name, version, module = sys.argv[1:]
stem = f'{name.replace(\"-\", \"_\")}-{version}'
info = f'{stem}.dist-info'
with zipfile.ZipFile(f'{folder}/{stem}-py3-none-any.whl', 'w') as wheel:
    files = {f'{module}/__init__.py': f'origin = {name!r}\\n', f'{info}/METADATA': f'Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n',
        f'{info}/WHEEL': 'Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n'}
    for path, text in files.items():
        wheel.writestr(path, text)
    wheel.writestr(f'{info}/RECORD', ''.join(f'{path},,\\n' for path in [*files, f'{info}/RECORD']))";
    fs::create_dir_all(&folder).expect("created");
    for (name, version, module) in wanted {
        let folder = folder.to_string_lossy().into_owned();
        let made = std::process::Command::new("python3").args(["-c", script, &folder, name, version, module]).status();
        assert!(made.expect("started").success());
    }
    folder
}

/// A pod whose tests want Databricks Connect, with an index of its own.
fn connected(repository: &Repository, version: &str) -> Pod {
    let commit = repository.commit("first");
    let mut pod = pod(repository, &commit);
    let index = packages(
        &pod,
        &[
            ("databricks-connect", "15.4.1", "pyspark"),
            ("databricks-connect", "15.4.26", "pyspark"),
            ("databricks-connect", "16.1.0", "pyspark"),
            ("databricks-sdk", "0.60.0", "databricks_sdk"),
            ("pyspark", "3.5.0", "pyspark"),
        ],
    );
    pod.set("PIP_NO_INDEX", "1");
    pod.set("PIP_FIND_LINKS", index);
    pod.plan["databricksConnect"] = json!(version);
    pod
}

const WHICH: &str = "import pyspark\ndef test_which():\n    assert pyspark.origin == 'databricks-connect'\n";

#[test]
fn databricks_connect_takes_the_place_of_a_pyspark_that_requirements_bring() {
    let repository = Repository::new();
    repository.write("requirements.txt", "pyspark==3.5.0\ndatabricks-connect==15.4.1\ndatabricks-sdk\n");
    repository.write("test_it.py", WHICH);
    let pod = connected(&repository, "15.4.*");
    assert_eq!(pod.run("steps"), 0, "{}", pod.read("work/log/steps.log"));
    let log = pod.read("work/log/steps.log");
    assert!(log.contains("pyspark 3.5.0, which requirements or wheels brought, makes way"), "{log}");
    assert!(log.contains("sessions by databricks-connect 15.4.26 and databricks-sdk 0.60.0 on Python 3."), "{log}");
}

#[test]
fn a_version_that_the_index_does_not_have_is_named() {
    let repository = Repository::new();
    repository.write("test_it.py", WHICH);
    let pod = connected(&repository, "99.9.*");
    assert_eq!(pod.run("steps"), 66, "{}", pod.read("work/log/steps.log"));
    let message = pod.message();
    assert!(message.starts_with("pip install databricks-connect==99.9.* ended with exit code 1: ERROR:"), "{message}");
}

#[test]
fn a_build_without_it_installs_none() {
    let repository = Repository::new();
    repository.write(
        "test_it.py",
        "import importlib.util\ndef test_none():\n    assert not importlib.util.find_spec('pyspark')\n",
    );
    let mut pod = connected(&repository, "15.4.*");
    pod.plan.as_object_mut().expect("a plan").remove("databricksConnect");
    assert_eq!(pod.run("steps"), 0, "{}", pod.read("work/log/steps.log"));
}

#[test]
fn credentials_reach_the_tests_and_neither_log_nor_reports_nor_last_words() {
    let (token, federated) = ("dapi0123456789abcdef", "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln");
    let repository = Repository::new();
    // The length says that the line end of the Secret's file is gone.
    let code = "import os
def test_it():
    token = os.environ['DATABRICKS_TOKEN']
    assert len(token) == 20
    federated = open(os.environ['DATABRICKS_OIDC_TOKEN_FILEPATH']).read().strip()
    print('the token is', token, 'or', federated, os.environ['DATABRICKS_HOST'])
    open('TEST-own.xml', 'w').write(f'<testsuite><testcase name=\"{token}\"><failure message=\"{federated}\"/></testcase></testsuite>')
    assert token == federated, f'{token} is {federated}'
";
    repository.write("test_it.py", code);
    let commit = repository.commit("first");
    let mut pod = pod(&repository, &commit);
    pod.write("identity", format!("{federated}\n"));
    let file = pod.at("identity");
    pod.set("DATABRICKS_HOST", "https://adb-1.2.azuredatabricks.net");
    pod.set("DATABRICKS_TOKEN", format!("{token}\n"));
    pod.set("DATABRICKS_OIDC_TOKEN_FILEPATH", file);
    let output = pod.container("steps").output().expect("started");
    assert_eq!(output.status.code(), Some(67));
    let told = [
        String::from_utf8_lossy(&output.stdout).into_owned(),
        pod.read("work/log/steps.log"),
        pod.read("work/reports/TEST-1.xml"),
        pod.read("work/src/TEST-own.xml"),
        pod.read("work/out/steps.json"),
        pod.message(),
    ];
    for text in &told {
        assert!(!text.contains(token) && !text.contains(federated), "{text}");
    }
    assert!(told[1].contains("the token is [redacted] or [redacted] https://adb-1.2"), "{}", told[1]);
    assert!(told[2].contains("AssertionError: [redacted] is [redacted]"), "{}", told[2]);
    assert!(told[3].contains("testcase name=\"[redacted]\""), "{}", told[3]);
}
