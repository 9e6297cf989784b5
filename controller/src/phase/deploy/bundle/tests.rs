//! What teams that keep `databricks.yml` get: one pod with their workspace's credentials where they belong, and a verdict.

mod log;
mod pod;
mod verdict;
mod words;

use brickline_artifact::Digest;
use brickline_crds::{Artifact, DatabricksRelease, DatabricksReleaseStatus, DatabricksWorkspace};
use clap::Parser;
use rstest::rstest;
use serde_json::{Value, json};

use super::super::samples::manifest;
use super::check;
use crate::args::Args;
use crate::context::Settings;

/// A release with this bundle, and an artifact.
fn release(bundle: &Value) -> DatabricksRelease {
    let mut release: DatabricksRelease = serde_json::from_value(json!({
        "apiVersion": "brickline.dev/v1alpha1",
        "kind": "DatabricksRelease",
        "metadata": {
            "name": "dbxdemo-4f2c91d0a7be", "namespace": "data", "uid": "uid-1",
            "labels": {"brickline.dev/pipeline": "dbxdemo"},
        },
        "spec": {
            "source": {}, "workspaceRef": {"name": "staging"}, "deploy": {"bundle": bundle},
            "timeouts": {"deploy": "20m"},
        },
    }))
    .unwrap();
    let digest = Digest::of(b"zip").to_string();
    let artifact = Some(Artifact { digest, ..Artifact::default() });
    release.status = Some(DatabricksReleaseStatus { artifact, ..DatabricksReleaseStatus::default() });
    release
}

/// A workspace with these credentials.
fn workspace(host: &str, auth: &Value) -> DatabricksWorkspace {
    serde_json::from_value(json!({
        "apiVersion": "brickline.dev/v1alpha1",
        "kind": "DatabricksWorkspace",
        "metadata": {"name": "staging", "namespace": "data"},
        "spec": {"host": host, "auth": auth, "bundles": {"allowed": true}},
    }))
    .unwrap()
}

fn settings() -> Settings {
    let (ca_bundle, pools, artifact_ca) = (None, [].into(), "-----BEGIN CERTIFICATE-----".to_owned());
    Settings { args: Args::parse_from(["brickline"]), ca_bundle, pools, artifact_ca }
}

#[rstest]
#[case(".", "databricks.yml", true)]
#[case(".", "databricks.yaml", true)]
#[case("etl", "etl/databricks.yml", true)]
#[case("etl/nightly", "etl/nightly/bundle.yml", true)]
#[case("etl", "databricks.yml", false)]
#[case(".", "etl/databricks.yml", false)]
#[case("etl", "etl/resources/databricks.yml", false)]
#[case(".", "my-databricks.yml", false)]
fn a_bundle_that_is_not_in_the_artifact_is_found_out_before_anything_is_written(
    #[case] path: &str,
    #[case] file: &str,
    #[case] found: bool,
) {
    let release = release(&json!({"path": path, "target": "staging"}));
    let bundle = release.spec.deploy.bundle.as_ref().unwrap();
    let checked = check(bundle, &manifest(&[(file, "bundle: {name: etl}")]));
    assert_eq!(checked.is_ok(), found);
    if let Err(trouble) = checked {
        assert!(trouble.message.contains("spec.deploy.bundle.path") && !trouble.transient, "{}", trouble.message);
    }
}

#[test]
fn a_team_with_a_bundle_gets_no_notebooks_in_shared_that_nobody_asked_for() {
    let items = |deploy: Value| serde_json::from_value::<brickline_crds::Deploy>(deploy).unwrap().items().len();
    let item = json!([{"from": "conf/**", "to": "/Shared/conf"}]);
    assert_eq!(items(json!({})), 1, "notebooks/** to /Shared");
    assert_eq!(items(json!({"bundle": {"target": "staging"}})), 0);
    assert_eq!(items(json!({"bundle": {"target": "staging"}, "items": item})), 1, "both, if both are asked for");
    assert_eq!(items(json!({"items": []})), 0);
}
