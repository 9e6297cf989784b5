//! The bench: pipelines that only deploy, each from a branch of its own into a folder of its own.

use std::{fmt::Write as _, time::Duration};

use anyhow::{Context as _, ensure};
use brickline_crds::{DatabricksWorkspace, ReleasePipeline, ReleaseResult};
use k8s_openapi::api::core::v1::Service;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::{CHANGED, FOLDERS, LARGE, LARGE_MIB, NOTEBOOKS, PLACES, SIZE};
use crate::{
    forge::Change,
    load::{idle::controller, process},
    system::{Team, workspace},
};

/// What a release asked of the workspace.
#[derive(Default)]
pub(super) struct Deployed {
    /// All requests: method, path, status, when it came and how long it took in milliseconds.
    pub(super) requests: Vec<Asked>,
}

/// One request as the emulator saw it.
pub(super) struct Asked {
    pub(super) path: String,
    pub(super) status: u64,
    pub(super) at: i64,
    pub(super) took: i64,
}

impl Deployed {
    /// The requests for an API, by a part of its path.
    pub(super) fn of(&self, api: &str) -> impl Iterator<Item = &Asked> {
        self.requests.iter().filter(move |request| request.path.contains(api))
    }

    /// From the first request for an API to the last answer, in seconds.
    #[allow(clippy::cast_precision_loss)] // minutes in milliseconds are far below 2^52
    pub(super) fn span(&self, api: &str) -> f64 {
        let first = self.of(api).map(|request| request.at).min().unwrap_or(0);
        let last = self.of(api).map(|request| request.at + request.took).max().unwrap_or(0);
        (last - first) as f64 / 1000.0
    }
}

/// A team and its emulator.
pub(super) struct Bench<'a>(pub(super) &'a Team);

impl Bench<'_> {
    /// A pipeline that deploys the branch of its name into the folder of its name, by a workspace of its own: the same
    /// emulator by another name, since limits hold for a host.
    pub(super) async fn pipeline(&self, name: &str, limits: &Value) -> anyhow::Result<()> {
        let stage = &self.0.stage;
        let service =
            json!({"metadata": {"name": name}, "spec": {"selector": {"app": "emulator"}, "ports": [{"port": 8080}]}});
        stage.create::<Service>(service).await?;
        let mut manifest = workspace(name, &stage.namespace, "dbx");
        manifest["spec"]["host"] = json!(format!("http://{name}.{}.svc.cluster.local:8080", stage.namespace));
        manifest["spec"]["limits"] = limits.clone();
        stage.create::<DatabricksWorkspace>(manifest).await?;
        let items: Vec<Value> = if name == "large" {
            let place = |number| json!({"from": "files/**", "to": format!("/Shared/large/{number}"), "kind": "File"});
            (0..PLACES).map(place).collect()
        } else {
            vec![json!({"from": "notebooks/**", "to": format!("/Shared/{name}"), "prune": true})]
        };
        let pipeline = json!({
            "metadata": {"name": name},
            "spec": {
                "repository": {
                    "url": self.0.repository.clone_url(), "provider": "gitea", "credentialsRef": {"name": "git"},
                },
                "trigger": {"branches": [name], "webhook": {"secretRef": {"name": "hook"}}},
                "stages": [{"name": "stage", "workspaceRef": {"name": name}}],
                "template": {"spec": {
                    "deploy": {"items": items, "drift": "Off"},
                    "install": {"clusters": []},
                    "test": {"notebooks": []},
                }},
            },
        });
        stage.create::<ReleasePipeline>(pipeline).await?;
        self.ready(name).await
    }

    async fn ready(&self, name: &str) -> anyhow::Result<()> {
        let namespace = ["--namespace", &self.0.stage.namespace];
        let (workspace, pipeline) = (format!("dbws/{name}"), format!("releasepipeline/{name}"));
        let wait = ["wait", "--for=condition=Ready", &workspace, &pipeline, "--timeout=2m"];
        let kubectl = self.0.stage.cluster.kubectl(namespace.iter().chain(&wait));
        Box::pin(kubectl.limit(Duration::from_mins(3)).run()).await.map(drop).with_context(|| name.to_owned())
    }

    /// Lets the controller look at each folder before it deploys.
    pub(super) async fn watch_drift(&self, name: &str) -> anyhow::Result<()> {
        let patch = json!({"spec": {"template": {"spec": {"deploy": {"drift": "Listed"}}}}});
        let pipelines = self.0.stage.api::<ReleasePipeline>();
        pipelines.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    }

    /// Deploys all notebooks anew.
    pub(super) async fn notebooks(&self, name: &str) -> anyhow::Result<Deployed> {
        let files = (0..NOTEBOOKS).map(|number| (path(number), notebook())).collect();
        self.deploy(name, &Change::Only(files)).await
    }

    /// Deploys a commit that changes nothing of what is deployed.
    pub(super) async fn nothing(&self, name: &str) -> anyhow::Result<Deployed> {
        let content = format!("{:x}\n", rand::random::<u64>());
        self.deploy(name, &Change::File { path: "notes.txt".to_owned(), content }).await
    }

    /// Deploys a commit that changes a few notebooks.
    pub(super) async fn some(&self, name: &str) -> anyhow::Result<Deployed> {
        let files = (0..CHANGED).map(|number| (path(number * FOLDERS + number), notebook())).collect();
        self.deploy(name, &Change::Files(files)).await
    }

    /// Releases large files; answers the controller's memory before, and the most it had from the build's upload to the end.
    pub(super) async fn large(&self, name: &str) -> anyhow::Result<(Deployed, (u64, u64))> {
        let container = controller(&self.0.stage.client()).await?;
        let memory = || process::memory(&container)?.context("the controller does not run on this host");
        let files = (0..LARGE).map(|number| (format!("files/{number}.bin"), text(LARGE_MIB << 20))).collect();
        process::forget_peak(&container)?;
        let before = memory()?.rss;
        let deployed = self.deploy(name, &Change::Only(files)).await?;
        Ok((deployed, (before, memory()?.peak)))
    }

    async fn deploy(&self, name: &str, change: &Change) -> anyhow::Result<Deployed> {
        let since = self.0.emulator.latest().await?;
        let commit = self.0.repository.push(name, change).await?;
        let release = self.0.release_of(&commit).await?;
        self.succeeded(&release).await?;
        self.seen(since).await
    }

    async fn succeeded(&self, name: &str) -> anyhow::Result<()> {
        let release = self.0.finished(name).await?;
        let status = release.status.context("no status")?;
        let messages: Vec<_> = status.phases.iter().map(|phase| format!("{}: {}", phase.name, phase.message)).collect();
        ensure!(status.result == ReleaseResult::Succeeded, "{name} ended {}: {}", status.result, messages.join("; "));
        Ok(())
    }

    /// What the emulator was asked since then; whether the workspace is ready is asked for by no release.
    async fn seen(&self, since: u64) -> anyhow::Result<Deployed> {
        let number = |request: &Value, field: &str| request[field].as_i64().unwrap_or(0);
        let requests = self.0.emulator.requests(since).await?;
        let asked = requests.iter().filter_map(|request| {
            let path = request["path"].as_str().filter(|path| path.starts_with("/api/") && !path.contains("/scim/"))?;
            let (at, took) = (number(request, "time"), number(request, "duration_ms"));
            Some(Asked { path: path.to_owned(), status: request["status"].as_u64().unwrap_or(0), at, took })
        });
        Ok(Deployed { requests: asked.collect() })
    }

    /// Lets the emulator take as many imports a second as Databricks documents, or as many as come.
    pub(super) async fn limit(&self, is_on: bool) -> anyhow::Result<()> {
        let mode = if is_on { "documented" } else { "off" };
        self.0.emulator.post("/emulator/limits", &json!({"mode": mode})).await.map(drop)
    }

    /// Lets the emulator answer everything later by this.
    pub(super) async fn delay(&self, by: Duration) -> anyhow::Result<()> {
        let ms = u64::try_from(by.as_millis())?;
        self.0.emulator.post("/emulator/limits", &json!({"latency_ms": ms})).await.map(drop)
    }
}

fn path(number: usize) -> String {
    format!("notebooks/{:02}/n{number:04}.py", number % FOLDERS)
}

fn notebook() -> String {
    let mark = "# Databricks notebook source\n# ";
    format!("{mark}{}", text(SIZE - mark.len()))
}

/// Random digits, so that neither Git nor the artifact makes them much smaller.
fn text(size: usize) -> String {
    let mut text = String::with_capacity(size + 32);
    while text.len() < size {
        // Writing into a String can't fail.
        let _ = write!(text, "{:032x}", rand::random::<u128>());
    }
    text.truncate(size);
    text
}
