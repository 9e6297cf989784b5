//! Rollback: what was good last comes back by itself.

use anyhow::{Context as _, ensure};
use brickline_crds::{DatabricksRelease, ReleasePipeline, ReleaseReason, ReleaseResult};
use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::promotion::follower;
use super::setting::{Setting, digest, files};
use crate::forge::Change;

/// The pipeline and its branch.
const NAME: &str = "careful";

/// A commit whose notebook fails is replaced by the last good artifact, without a build and without anybody's doing; the new
/// release says why it exists.
pub(super) async fn a_failed_test_brings_the_last_good_back(setting: &Setting) -> anyhow::Result<()> {
    let team = &setting.team;
    team.repository.push(NAME, &files()).await?;
    team.stage.create::<ReleasePipeline>(pipeline(&team.repository.clone_url())).await?;
    setting.kubectl(&["wait", "--for=condition=Ready", "dbpipe/careful", "--timeout=3m"]).await?;
    let good = pushed(setting, "README.md", "# careful\n", ReleaseResult::Succeeded).await?;
    let broken = "# Databricks notebook source\nassert 1 + 1 == 3\n";
    let bad = pushed(setting, "quick/quick.py", broken, ReleaseResult::Failed).await?;
    ensure!(digest(&good)? != digest(&bad)?, "both have one artifact");

    let name = follower(setting, &bad.name_any(), ReleaseReason::Rollback).await?;
    let back = setting.ended(&name, ReleaseResult::Succeeded).await?;
    ensure!(digest(&back)? == digest(&good)?, "it brought {} back, not {}", digest(&back)?, digest(&good)?);
    let why = &back.spec.cause.as_ref().context("no cause")?.message;
    ensure!(why.contains("Test failed"), "it says {why}");
    for release in [&bad, &back] {
        setting.holds_no_lock(release).await?;
    }
    Ok(())
}

async fn pushed(
    setting: &Setting,
    path: &str,
    content: &str,
    result: ReleaseResult,
) -> anyhow::Result<DatabricksRelease> {
    let change = Change::File { path: path.into(), content: content.into() };
    let commit = setting.team.repository.push(NAME, &change).await?;
    setting.ended(&setting.team.release_of(&commit).await?, result).await
}

fn pipeline(url: &str) -> Value {
    let quick = "quick/**";
    json!({
        "metadata": {"name": NAME},
        "spec": {
            "repository": {"url": url, "provider": "gitea", "credentialsRef": {"name": "git"}},
            "trigger": {"branches": [NAME], "webhook": {"secretRef": {"name": "hook"}}},
            "stages": [{"name": "live", "workspaceRef": {"name": "staging"}}],
            "template": {"spec": {
                "onFailure": "Rollback",
                "deploy": {"items": [{"from": quick, "to": "/Shared/careful"}]},
                "install": {"clusters": []},
                "test": {"notebooks": [{"match": quick, "parameters": {"word": "open sesame"}}]},
            }},
        },
    })
}
