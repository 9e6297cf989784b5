//! The Test phase: how close to the ideal many notebooks run, how often Databricks is asked meanwhile, and how long the scripts
//! take that Brickline replaces.

mod fake;
mod print;
mod scripts;

use std::time::Duration;

use anyhow::{Context as _, ensure};
use brickline_crds::{DatabricksRelease, DatabricksWorkspace, Phase, ReleaseResult};
use data_encoding::BASE64;
use k8s_openapi::api::{core::v1::Service, discovery::v1::EndpointSlice};
use serde_json::{Value, json};

use self::{
    fake::{Asked, Fake},
    scripts::Release,
};
use super::{
    alone,
    chronicle::{Chronicle, Mark},
    leave,
};
use crate::{
    cluster::{ADMINISTRATOR, Cluster},
    forge::Change,
    progress::Progress,
    scenario::Stage,
    system::{CLUSTER, Emulator, OTHER_CLUSTER, System, Team, workspace},
};

/// How many notebooks there are, how long each takes, and how many run at the same time.
const NOTEBOOKS: u32 = 20;
const LENGTH: Duration = Duration::from_secs(30);
const PARALLEL: u32 = 8;
/// How long a release may take to come to its next mark.
const PATIENCE: Duration = Duration::from_mins(10);
/// The example's notebook.
const NOTEBOOK: &str = "dbxdemo-notebook.py";

/// Everything that was measured.
struct Measured {
    on_fake: Duration,
    requests: Vec<Asked>,
    on_emulator: Duration,
    ours: Duration,
    scripts: scripts::Ran,
}

/// Measures, and prints.
pub(super) async fn measure(progress: &Progress) -> anyhow::Result<()> {
    let cluster = Cluster::up(progress).await?;
    alone(&cluster.client()).await?;
    let system = System::up(&cluster, progress).await?;
    let stage = Stage::set(&cluster, "tests").await?;
    let measured = leave(&stage, Box::pin(play(progress, &stage, &system)).await).await?;
    print::print(&measured);
    Ok(())
}

async fn play(progress: &Progress, stage: &Stage, system: &System) -> anyhow::Result<Measured> {
    let team = progress.step("Set a team up", Team::found(stage, system, &[CLUSTER, OTHER_CLUSTER])).await?;
    stage.create::<DatabricksWorkspace>(workspace("staging", &stage.namespace, "dbx")).await?;
    let fake = Fake::serve(stage.cluster.gateway_ip(), LENGTH).await?;
    introduce(stage, &fake).await?;
    let bench = Bench { team: &team, chronicle: Chronicle::begin(stage) };
    let digest = progress.step(&format!("Build {NOTEBOOKS} notebooks"), bench.build()).await?;
    let on_fake = bench.many("on-fake", "fake", &digest);
    let on_fake = progress.step("Run them in the fake workspace", on_fake).await?;
    let on_emulator = bench.many("on-emulator", "staging", &digest);
    let on_emulator = progress.step("Run them in the emulator", on_emulator).await?;
    let ours = progress.step("Release the example, then another version of it", bench.example()).await?;
    let scripts = progress.step("The same by scripts, twice", bench.scripts()).await?;
    Ok(Measured { on_fake, requests: fake.requests(), on_emulator, ours, scripts })
}

/// Makes the fake a workspace of the team: a Service without pods leads to it.
async fn introduce(stage: &Stage, fake: &Fake) -> anyhow::Result<()> {
    let service = json!({"metadata": {"name": "fake"}, "spec": {"ports": [{"port": 8080}]}});
    stage.create::<Service>(service).await?;
    let endpoints = json!({
        "metadata": {"name": "fake", "labels": {"kubernetes.io/service-name": "fake"}},
        "addressType": if fake.address.is_ipv4() { "IPv4" } else { "IPv6" },
        "ports": [{"port": fake.address.port()}],
        "endpoints": [{"addresses": [fake.address.ip().to_string()]}],
    });
    stage.create::<EndpointSlice>(endpoints).await?;
    let mut manifest = workspace("fake", &stage.namespace, "dbx");
    manifest["spec"]["host"] = json!(format!("http://fake.{}.svc.cluster.local:8080", stage.namespace));
    stage.create::<DatabricksWorkspace>(manifest).await.map(drop)
}

/// What all measurements use.
struct Bench<'a> {
    team: &'a Team,
    chronicle: Chronicle,
}

impl Bench<'_> {
    /// Builds a repository of notebooks that only wait; answers the artifact's digest.
    async fn build(&self) -> anyhow::Result<String> {
        let notebook = format!("# Databricks notebook source\nimport time\ntime.sleep({})\n", LENGTH.as_secs());
        let files = (0..NOTEBOOKS).map(|number| (format!("notebooks/n{number:02}.py"), notebook.clone())).collect();
        let commit = self.team.repository.push("many", &Change::Only(files)).await?;
        let mut manifest = self.team.minimal_release("built", &commit, "staging");
        manifest["spec"]["source"]["git"]["ref"] = json!("refs/heads/many");
        if let Some(spec) = manifest["spec"].as_object_mut() {
            spec.remove("workspaceRef");
        }
        self.team.stage.create::<DatabricksRelease>(manifest).await?;
        let release = succeeded(self.team.finished("built").await?)?;
        let artifact = release.status.and_then(|status| status.artifact).context("no artifact")?;
        Ok(artifact.digest)
    }

    /// Runs all of them, and answers how long the Test phase took.
    async fn many(&self, name: &str, workspace: &str, digest: &str) -> anyhow::Result<Duration> {
        let mut manifest = json!({
            "apiVersion": "brickline.dev/v1alpha1",
            "kind": "DatabricksRelease",
            "metadata": {"name": name},
            "spec": {
                "source": {"artifactFrom": [{"release": "built", "digest": digest}]},
                "workspaceRef": {"name": workspace},
                "requestedBy": ADMINISTRATOR,
                "install": {"clusters": []},
                "test": {"maxParallel": PARALLEL, "notebooks": [{"match": "notebooks/**"}]},
            },
        });
        if workspace == "fake" {
            // It has nowhere to put them.
            manifest["spec"]["startAt"] = json!("Test");
        }
        self.team.stage.create::<DatabricksRelease>(manifest).await?;
        self.phases(name, Phase::Test).await
    }

    /// Waits until a release has ended well; answers how long its phases took from this one on.
    async fn phases(&self, name: &str, from: Phase) -> anyhow::Result<Duration> {
        self.chronicle.until(name, Mark::Finished, PATIENCE).await?;
        succeeded(self.team.finished(name).await?)?;
        let marks = self.chronicle.of(name);
        let at = |mark: Mark| marks.get(&mark).copied().with_context(|| format!("{mark:?} of {name} was not seen"));
        let took = at(Mark::Finishing)?.duration_since(at(Mark::Began(from))?);
        Ok(Duration::try_from(took)?)
    }

    /// Releases the example, and then with another wheel; answers how long Deploy, Install and Test of the second took.
    async fn example(&self) -> anyhow::Result<Duration> {
        let old = self.team.repository.head("release").await?;
        self.team.release_by_hand("example-1", &old, "staging").await?;
        self.phases("example-1", Phase::Deploy).await?;
        let new = self.team.repository.merge(&Change::Behaviour).await?;
        self.team.release_by_hand("example-2", &new.commit, "staging").await?;
        self.phases("example-2", Phase::Deploy).await
    }

    /// The same notebook and wheel by the scripts, on a cluster of their own: the first time there is nothing to replace.
    async fn scripts(&self) -> anyhow::Result<scripts::Ran> {
        let workspace = &self.team.emulator;
        let notebook = content(workspace, &format!("/Shared/{NOTEBOOK}")).await?;
        let statuses = workspace.get(&format!("/api/2.0/libraries/cluster-status?cluster_id={CLUSTER}")).await?;
        let path = statuses["library_statuses"][0]["library"]["whl"].as_str().context("no wheel is installed")?;
        let wheel = content(workspace, path).await?;
        let name = path.rsplit('/').next().unwrap_or_default();
        let release = Release { cluster: OTHER_CLUSTER, notebook: ("by-scripts.py", &notebook), wheel: (name, &wheel) };
        scripts::run(workspace, &release).await?;
        scripts::run(workspace, &release).await
    }
}

fn succeeded(release: DatabricksRelease) -> anyhow::Result<DatabricksRelease> {
    let status = release.status.as_ref().context("no status")?;
    let messages: Vec<_> = status.phases.iter().map(|phase| format!("{}: {}", phase.name, phase.message)).collect();
    ensure!(status.result == ReleaseResult::Succeeded, "the release ended {}: {}", status.result, messages.join("; "));
    Ok(release)
}

/// A notebook's or file's content.
async fn content(workspace: &Emulator, path: &str) -> anyhow::Result<Vec<u8>> {
    let exported: Value = workspace.get(&format!("/api/2.0/workspace/export?format=SOURCE&path={path}")).await?;
    let content = exported["content"].as_str().with_context(|| format!("{path} has no content"))?;
    Ok(BASE64.decode(content.as_bytes())?)
}
