//! Pull requests: built, deployed to a folder of their own and tested there, before anybody merges.

use anyhow::{Context as _, ensure};
use brickline_crds::{
    DatabricksRelease, DatabricksReleaseStatus, DatabricksWorkspace, Phase, PhaseState, ReleasePipeline, ReleaseReason,
    ReleaseResult,
};
use kube::ResourceExt as _;
use serde_json::{Value, json};
use tokio::time::{Duration, Instant, sleep};

use super::setting::{Setting, digest, files};
use super::workspace;
use crate::{forge::Change, system};

/// The branch that pull requests are made into, and the one they come from.
const TARGET: &str = "into";
const BRANCH: &str = "feature";
/// What is deployed and run.
const NOTEBOOK: &str = "quick/quick.py";
/// How long the forge may take to show what was said of a commit.
const SHOWN: Duration = Duration::from_mins(1);
const GLANCE: Duration = Duration::from_millis(200);

/// Opened, it is tested in its own folder and the forge shows how it went; another commit takes the first one's place; closed, what
/// is under way is canceled. Nothing of it comes to the stage.
pub(super) async fn it_is_tested_before_it_is_merged(setting: &Setting) -> anyhow::Result<()> {
    let team = &setting.team;
    let repository = &team.repository;
    repository.push(TARGET, &files()).await?;
    repository.push(BRANCH, &files()).await?;
    settle(setting).await?;

    let commit = repository.push(BRANCH, &note("one")).await?;
    let number = repository.open(BRANCH, TARGET).await?;
    let first = setting.ended(&team.release_of(&commit).await?, ReleaseResult::Succeeded).await?;
    is_its_own(setting, &first, number).await?;
    shown(setting, &commit).await?;

    let commit = repository.push(BRANCH, &endless()).await?;
    let second = team.release_of(&commit).await?;
    ensure!(second != first.name_any(), "the new commit made no release");
    let tests = |status: &DatabricksReleaseStatus| {
        status.phase(Phase::Test).is_some_and(|test| test.state == PhaseState::Running)
    };
    setting.until(&second, "in its tests", tests).await?;
    let commit = repository.push(BRANCH, &files()).await?;
    let third = team.release_of(&commit).await?;
    setting.ended(&second, ReleaseResult::Canceled).await?;
    setting.ended(&third, ReleaseResult::Succeeded).await?;

    let commit = repository.push(BRANCH, &endless()).await?;
    let fourth = team.release_of(&commit).await?;
    repository.close(number).await?;
    setting.ended(&fourth, ReleaseResult::Canceled).await?;
    let pipeline = team.stage.api::<ReleasePipeline>().get("pulls").await?;
    let stages = serde_json::to_string(&pipeline.status.context("no status")?.stages)?;
    let came = [first.name_any(), second, third, fourth].into_iter().find(|name| stages.contains(name));
    ensure!(came.is_none(), "{came:?} came to a stage: {stages}");
    Ok(())
}

/// A workspace for them, a pipeline, and a webhook.
async fn settle(setting: &Setting) -> anyhow::Result<()> {
    let (team, stage) = (&setting.team, &setting.team.stage);
    stage.create::<DatabricksWorkspace>(system::workspace("sandbox", &stage.namespace, "dbx")).await?;
    stage.create::<ReleasePipeline>(pipeline(&team.repository.clone_url())).await?;
    setting.kubectl(&["wait", "--for=condition=Ready", "dbws/sandbox", "dbpipe/pulls", "--timeout=3m"]).await?;
    let url = format!("{}/hooks/{}/pulls", team.system.webhooks, stage.namespace);
    team.repository.add_pull_webhook(&url, &team.hook).await?;
    Ok(())
}

fn pipeline(url: &str) -> Value {
    json!({
        "metadata": {"name": "pulls"},
        "spec": {
            "repository": {"url": url, "provider": "gitea", "credentialsRef": {"name": "git"}},
            "trigger": {
                "branches": [TARGET],
                "webhook": {"secretRef": {"name": "hook"}},
                "pullRequests": {"enabled": true, "workspaceRef": {"name": "sandbox"}},
            },
            "stages": [{"name": "staging", "workspaceRef": {"name": "staging"}}],
            "template": {"spec": {
                "deploy": {"items": [{"from": "quick/**", "to": "/Shared/merged"}]},
                "install": {"clusters": []},
                "test": {"notebooks": [{"match": "quick/**", "parameters": {"word": "open sesame"}}]},
            }},
        },
    })
}

fn note(text: &str) -> Change {
    Change::File { path: "note.txt".to_owned(), content: format!("{text}\n") }
}

fn endless() -> Change {
    let content = "# Databricks notebook source\nimport time\ntime.sleep(3600)\n".to_owned();
    Change::File { path: NOTEBOOK.to_owned(), content }
}

/// Reason, ref and place are those of a pull request.
async fn is_its_own(setting: &Setting, release: &DatabricksRelease, number: u64) -> anyhow::Result<()> {
    let git = release.spec.source.git.as_ref().context("no commit")?;
    ensure!(release.spec.reason == ReleaseReason::PullRequest, "its reason is {}", release.spec.reason);
    ensure!(git.reference == format!("refs/pull/{number}/head"), "its ref is {}", git.reference);
    ensure!(release.spec.stage.is_none(), "it belongs to a stage");
    digest(release)?;
    let place = format!("/Shared/.pull-requests/{number}/pulls/Shared/merged/quick.py");
    ensure!(workspace::has(&setting.team, &place).await?, "nothing lies at {place}");
    Ok(())
}

/// The forge shows its success beside the commit.
async fn shown(setting: &Setting, commit: &str) -> anyhow::Result<()> {
    let deadline = Instant::now() + SHOWN;
    loop {
        let statuses = setting.team.repository.statuses(commit).await?;
        if statuses.iter().any(|status| status.state == "success") {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "the forge shows {statuses:?}");
        sleep(GLANCE).await;
    }
}
