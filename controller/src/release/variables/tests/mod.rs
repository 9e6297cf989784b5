//! What users get for `$(...)` in a release's spec.

mod effective;
mod properties;
mod refused;
mod scope;
mod text;

use std::collections::BTreeMap;

use brickline_crds::{
    DatabricksRelease, DatabricksReleaseStatus, DatabricksWorkspaceSpec, ReleasePipelineSpec, labels,
};
use serde_json::{Value, json};

const COMMIT: &str = "9b1c0de9b1c0de9b1c0de9b1c0de9b1c0de9b1c0";

/// A release of pipeline `dbxdemo` to stage and workspace `staging`, with these fields of its spec besides.
fn release(fields: &Value) -> DatabricksRelease {
    let git =
        json!({"url": "https://git.example.com/data/dbxdemo.git", "ref": "refs/heads/release/1.2", "commit": COMMIT});
    let mut spec = json!({
        "source": {"git": git}, "stage": "staging", "reason": "push", "workspaceRef": {"name": "staging"},
    });
    spec.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let mut release = DatabricksRelease::new("dbxdemo-0123456789ab", serde_json::from_value(spec).unwrap());
    release.metadata.namespace = Some("data".into());
    release.metadata.labels = Some([(labels::PIPELINE.to_owned(), "dbxdemo".to_owned())].into());
    release
}

/// A release that deploys to `to`.
fn deploying(to: &str) -> DatabricksRelease {
    release(&json!({"deploy": {"items": [{"from": "notebooks/**", "to": to}]}}))
}

fn pipeline() -> ReleasePipelineSpec {
    let parameters = json!([
        {"name": "env", "enum": ["staging", "production"], "default": "staging"},
        {"name": "team", "default": "sales"},
        {"name": "retries", "type": "number", "default": "3"},
        {"name": "verbose", "type": "boolean", "default": "false"},
    ]);
    let repository = json!({"url": "https://git.example.com/data/dbxdemo.git"});
    serde_json::from_value(json!({"repository": repository, "parameters": parameters})).unwrap()
}

fn workspace() -> DatabricksWorkspaceSpec {
    workspace_with("main_staging", "0123-staging")
}

fn workspace_with(catalog: &str, cluster: &str) -> DatabricksWorkspaceSpec {
    serde_json::from_value(json!({
        "host": "https://adb-1.2.azuredatabricks.net",
        "auth": {"token": {"secretRef": {"name": "dbx", "key": "token"}}},
        "clusters": {"main": {"id": cluster}},
        "variables": {
            "catalog": {"value": catalog},
            "root": {"value": "/Volumes/main"},
            "apiKey": {"secretRef": {"name": "vars", "key": "api"}},
        },
    }))
    .unwrap()
}

/// The values for a release of the pipeline to the workspace.
fn scoped(release: &DatabricksRelease) -> Result<BTreeMap<String, String>, Vec<String>> {
    super::scope(release, None, "20261121.4", Some(&pipeline()), Some(&workspace()))
}

/// The release with these variables in its status.
fn with(mut release: DatabricksRelease, variables: BTreeMap<String, String>) -> DatabricksRelease {
    release.status = Some(DatabricksReleaseStatus { variables, ..DatabricksReleaseStatus::default() });
    release
}

/// Where the release deploys to in the end.
fn target(release: DatabricksRelease) -> String {
    let variables = scoped(&release).unwrap();
    super::effective(&with(release, variables)).spec.deploy.items()[0].to.clone()
}
