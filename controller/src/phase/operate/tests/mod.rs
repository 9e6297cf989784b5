//! What releases leave to run: jobs as asked for, each once, and nobody else's.

mod act;
mod change;
mod owner;
mod plan;
mod quartz;

use brickline_artifact::manifest::{File, Origin, Source, Wheel};
use brickline_artifact::{Digest, Manifest};
use brickline_crds::{DatabricksRelease, DatabricksReleaseSpec, Reason, labels};
use serde_json::{Value, json};

use super::{Owner, Wanted, plan::plan};
use crate::databricks::jobs::JobSettings;
use crate::trouble::Trouble;

/// A release of a pipeline with these jobs, that deploys notebooks and files.
fn release(operate: &Value) -> DatabricksRelease {
    let spec: DatabricksReleaseSpec = serde_json::from_value(json!({
        "source": {},
        "stage": "staging",
        "workspaceRef": {"name": "staging"},
        "deploy": {
            "items": [
                {"from": "notebooks/**", "to": "/Shared/dbxdemo"},
                {"from": "jobs/**", "to": "/Shared/dbxdemo/jobs", "kind": "File"},
            ],
            "libraries": {"to": "/Volumes/main/release/libs"},
        },
        "operate": operate,
    }))
    .unwrap();
    let mut release = DatabricksRelease::new("dbxdemo-0123456789ab", spec);
    release.metadata.namespace = Some("data".to_owned());
    release.metadata.labels = Some([(labels::PIPELINE.to_owned(), "dbxdemo".to_owned())].into());
    release
}

/// What the build left: two notebooks, a Python file and a wheel.
fn manifest() -> Manifest {
    let file = |path: &str| File {
        path: path.parse().unwrap(),
        digest: Digest::of(path.as_bytes()),
        size: 1,
        executable: false,
        change: brickline_artifact::manifest::Change::Added,
        previous_path: None,
        notebook: None,
    };
    let [release, url, reference, commit] = ["dbxdemo", "https://git.example.com/a.git", "refs/heads/release", "0"];
    Manifest {
        version: 1,
        release: Origin { namespace: "data".to_owned(), name: release.to_owned(), uid: "uid".to_owned() },
        source: Source {
            url: url.to_owned(),
            reference: reference.to_owned(),
            commit: commit.to_owned(),
            base: None,
            committed_at: 0,
        },
        made_of: Vec::new(),
        files: ["jobs/report.py", "notebooks/load.py", "notebooks/publish.sql"].map(file).into(),
        removed: Vec::new(),
        skipped: Vec::new(),
        wheels: vec![Wheel {
            path: "wheels/dbx_demo-0.1.0-py3-none-any.whl".parse().unwrap(),
            distribution: "dbx-demo".to_owned(),
            version: "0.1.0".to_owned(),
            digest: Digest::of(b"wheel"),
            size: 1,
        }],
    }
}

fn owner(release: &DatabricksRelease) -> Owner {
    Owner::of(release, "brickline")
}

/// The plan of a release with these jobs; the workspace has a cluster `main`.
fn planned(release: &DatabricksRelease) -> Result<Vec<(Wanted, JobSettings)>, Trouble> {
    plan(&release.spec, &manifest(), &owner(release), |name| match name {
        "main" => Ok("0123-456789-abc".to_owned()),
        other => Err(Trouble::lasting(Reason::InvalidSpec, format!("there is no cluster {other}"))),
    })
}

/// A job with one task, and these fields besides.
fn job(fields: &Value) -> Value {
    let mut job = json!({"name": "nightly", "tasks": [{"key": "load", "notebook": {"path": "notebooks/load.py"}}]});
    job.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    job
}

fn with(fields: &Value) -> DatabricksRelease {
    release(&json!({"jobs": [job(fields)]}))
}
