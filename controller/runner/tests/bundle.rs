//! Bundle becomes the Databricks CLI: here a script of that name.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use support::Pod;

/// Runs the task with a CLI that is this script, if there is one.
fn run(script: Option<&str>, arguments: &[&str]) -> Output {
    let mut pod = Pod::new("https://git.example.com/data/dbxdemo.git", &"0".repeat(40));
    fs::create_dir(pod.at("path")).expect("created");
    if let Some(script) = script {
        pod.write("path/databricks", format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(pod.at("path/databricks"), fs::Permissions::from_mode(0o755)).expect("set");
    }
    pod.set("PATH", pod.at("path"));
    pod.set("DATABRICKS_TOKEN", "dapi-of-a-file\n");
    pod.set("DATABRICKS_HOST", "http://emulator.lab.svc:8080");
    pod.container("bundle").args(arguments).output().expect("started")
}

#[test]
fn the_cli_gets_its_arguments_and_a_token_without_the_files_line_end() {
    let output = run(
        Some(r#"echo "$*|$DATABRICKS_HOST|${DATABRICKS_TOKEN}|${ARM_CLIENT_SECRET-none}"; exit 7"#),
        &["bundle", "deploy", "--target", "staging", "--auto-approve"],
    );
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let expected = "bundle deploy --target staging --auto-approve|http://emulator.lab.svc:8080|dapi-of-a-file|none\n";
    assert_eq!((said.as_str(), output.status.code()), (expected, Some(7)));
}

#[test]
fn an_image_without_the_cli_is_said_so() {
    let output = run(None, &["bundle", "deploy"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("does the image have it in its PATH?"), "{said}");
}
