//! The lab: a team with one workspace, whose releases are made by hand from branches of its repository.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use brickline_crds::{DatabricksRelease, DatabricksReleaseStatus, DatabricksWorkspace, Phase, ReleaseResult};
use serde_json::{Value, json};

use crate::{
    cluster::ADMINISTRATOR,
    forge::Change,
    progress::Progress,
    scenario::Stage,
    system::{CLUSTER, System, Team, workspace},
};

/// How long kubectl may wait.
const PATIENCE: Duration = Duration::from_mins(4);

/// Everything that the proofs share.
pub(super) struct Lab {
    pub(super) team: Team,
}

/// One request that the workspace was asked.
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) path: String,
}

impl Lab {
    pub(super) async fn up(stage: &Stage, progress: &Progress) -> anyhow::Result<Self> {
        let system = System::up(&stage.cluster, progress).await?;
        let team = Team::found(stage, &system, &[CLUSTER]).await?;
        let mut manifest = workspace("staging", &stage.namespace, "dbx");
        manifest["spec"]["newClusters"] = json!({"allowed": true});
        stage.create::<DatabricksWorkspace>(manifest).await?;
        Ok(Self { team })
    }

    /// Builds a branch that holds these files alone; answers where its artifact comes from.
    pub(super) async fn build(&self, name: &str, files: Vec<(String, String)>) -> anyhow::Result<Value> {
        let commit = self.team.repository.push(name, &Change::Only(files)).await?;
        let release = format!("build-{name}-{}", &commit[..7]);
        let mut manifest = self.team.minimal_release(&release, &commit, "staging");
        manifest["spec"]["source"]["git"]["ref"] = json!(format!("refs/heads/{name}"));
        if let Some(spec) = manifest["spec"].as_object_mut() {
            spec.remove("workspaceRef");
        }
        self.team.stage.create::<DatabricksRelease>(manifest).await?;
        let status = self.ended(&release, ReleaseResult::Succeeded).await?;
        let artifact = status.artifact.context("no artifact")?;
        Ok(json!({"release": release, "digest": artifact.digest}))
    }

    /// Releases an artifact as `spec` says, and waits until that has ended.
    pub(super) async fn release(
        &self,
        name: &str,
        artifact: &Value,
        spec: &Value,
        result: ReleaseResult,
    ) -> anyhow::Result<DatabricksReleaseStatus> {
        let mut manifest = json!({
            "apiVersion": "brickline.dev/v1alpha1",
            "kind": "DatabricksRelease",
            "metadata": {"name": name},
            "spec": {
                "source": {"artifactFrom": [artifact]},
                "workspaceRef": {"name": "staging"},
                "requestedBy": ADMINISTRATOR,
            },
        });
        if let (Some(whole), Some(part)) = (manifest["spec"].as_object_mut(), spec.as_object()) {
            whole.extend(part.clone());
        }
        self.team.stage.create::<DatabricksRelease>(manifest).await?;
        self.ended(name, result).await
    }

    /// Waits until a release has ended in this way.
    pub(super) async fn ended(&self, name: &str, result: ReleaseResult) -> anyhow::Result<DatabricksReleaseStatus> {
        let release = Box::pin(self.team.finished(name)).await?;
        let status = release.status.context("no status")?;
        let phases: Vec<_> = status.phases.iter().map(|phase| format!("{}: {}", phase.name, phase.message)).collect();
        ensure!(status.result == result, "{name} ended {}, not {result}: {}", status.result, phases.join("; "));
        Ok(status)
    }

    /// kubectl in the team's namespace, as the administrator.
    pub(super) async fn kubectl(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let namespace = ["--namespace", &self.team.stage.namespace];
        let kubectl = self.team.stage.cluster.kubectl(namespace.iter().chain(arguments));
        Ok(Box::pin(kubectl.limit(PATIENCE).run()).await?)
    }

    /// What releases asked of the workspace since then; whether it is ready is asked for by no release.
    pub(super) async fn asked(&self, since: u64) -> anyhow::Result<Vec<Asked>> {
        let requests = self.team.emulator.requests(since).await?;
        let text = |request: &Value, field: &str| request[field].as_str().unwrap_or_default().to_owned();
        let asked = requests.iter().map(|one| Asked { method: text(one, "method"), path: text(one, "path") });
        Ok(asked.filter(|one| one.path.starts_with("/api/") && !one.path.contains("/scim/")).collect())
    }
}

/// The message of a phase.
pub(super) fn message(status: &DatabricksReleaseStatus, phase: Phase) -> &str {
    status.phase(phase).map(|phase| phase.message.as_str()).unwrap_or_default()
}

/// A notebook of one cell.
pub(super) fn notebook(code: &str) -> String {
    format!("# Databricks notebook source\n{code}\n")
}

/// The files of a project that builds a wheel with one package of its own name, which knows its version.
pub(super) fn project(name: &str, version: &str) -> Vec<(String, String)> {
    let setup = format!(
        "from setuptools import setup\n\nsetup(name={name:?}, version={version:?}, packages=[{name:?}], \
         entry_points={{'console_scripts': ['{name}={name}:main']}})\n"
    );
    let module = format!("VERSION = {version:?}\n\n\ndef main():\n    print('{name}', VERSION)\n");
    vec![(format!("libraries/{name}/setup.py"), setup), (format!("libraries/{name}/{name}/__init__.py"), module)]
}
