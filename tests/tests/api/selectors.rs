//! Field selectors: how users find releases, and how the controller watches unfinished ones only.

use std::{pin::pin, time::Duration};

use anyhow::{Context as _, bail, ensure};
use brickline_crds::{DatabricksRelease, ReleaseApproval, ReleaseResult, labels};
use brickline_tests::{Lab, Mode, Room, Suite, object};
use futures::{Stream, StreamExt as _};
use kube::{
    Api, ResourceExt,
    api::{ListParams, WatchEvent, WatchParams},
};
use serde_json::{Value, json};
use tokio::time::timeout;

/// Adds the tests.
pub fn add(suite: &mut Suite) {
    suite.add("releases are found by result, workspace, ref, commit and branch", found);
    suite.add("releases are found by their labels", labelled);
    suite.add("approvals are found by their release", approvals);
    suite.add("a selector of another field is refused", others);
    suite.add("a watch of unfinished releases loses those that finish", watched);
}

/// What `kubectl get dbrel -l` finds.
async fn labelled(lab: &Lab) -> anyhow::Result<()> {
    let room = lab.room("labelled").await?;
    let tag = |tag: &str| format!("{}{tag}", labels::TAG_PREFIX);
    let (slashed, long) = ("release/2026 été", "feature/".repeat(25));
    for (name, branch, result, tags) in [
        ("one", slashed, "failed", vec!["nightly", "eu"]),
        ("two", long.as_str(), "succeeded", vec!["eu"]),
        ("three", "release", "", vec![]),
    ] {
        let mut marks = json!({
            labels::PIPELINE: "dbxdemo",
            labels::BRANCH: labels::value(branch),
            labels::COMMIT: "9b1c0de",
            labels::REASON: "push",
        });
        for word in tags {
            marks[tag(word)] = json!("true");
        }
        if !result.is_empty() {
            marks[labels::RESULT] = json!(result);
        }
        let release = object::with(object::release(name), "metadata.labels", marks);
        room.create(&release, Mode::Real).await?.accepted()?;
    }
    let api: Api<DatabricksRelease> = Api::namespaced(lab.client(), room.namespace());
    let cases = [
        (format!("{}=dbxdemo", labels::PIPELINE), vec!["one", "three", "two"]),
        (format!("{}=release", labels::BRANCH), vec!["three"]),
        (format!("{}={}", labels::BRANCH, labels::value(slashed)), vec!["one"]),
        (format!("{}={}", labels::BRANCH, labels::value(&long)), vec!["two"]),
        (format!("{}=9b1c0de,{}=failed", labels::COMMIT, labels::RESULT), vec!["one"]),
        (format!("!{}", labels::RESULT), vec!["three"]),
        (format!("{}=push,{} in (failed, succeeded)", labels::REASON, labels::RESULT), vec!["one", "two"]),
        (tag("eu"), vec!["one", "two"]),
        (format!("{},{}", tag("eu"), tag("nightly")), vec!["one"]),
    ];
    for (selector, wanted) in cases {
        let list = api.list(&ListParams::default().labels(&selector)).await.context(selector.clone())?;
        let names: Vec<String> = list.iter().map(ResourceExt::name_any).collect();
        ensure!(names == wanted, "{selector}: {names:?}");
    }
    Ok(())
}

async fn approvals(lab: &Lab) -> anyhow::Result<()> {
    let room = lab.room("approvals").await?;
    for (name, release) in [("a", "one"), ("b", "two"), ("c", "one")] {
        let approval = object::with(object::approval(name), "spec.releaseRef.name", json!(release));
        room.create(&approval, Mode::Real).await?.accepted()?;
    }
    let api: Api<ReleaseApproval> = Api::namespaced(lab.client(), room.namespace());
    let list = api.list(&ListParams::default().fields("spec.releaseRef.name=one")).await?;
    let names: Vec<String> = list.iter().map(ResourceExt::name_any).collect();
    ensure!(names == ["a", "c"], "{names:?}");
    Ok(())
}

/// A release of this ref to this workspace.
fn release(name: &str, branch: &str, workspace: &str) -> Value {
    let object = object::with(object::release(name), "spec.source.git.ref", json!(format!("refs/heads/{branch}")));
    object::with(object, "spec.workspaceRef", json!({"name": workspace}))
}

async fn finish(room: &Room, name: &str, result: &str) -> anyhow::Result<()> {
    let status = json!({
        "state": if result.is_empty() { "Running" } else { "Finished" }, "result": result, "branch": format!("of/{name}"),
    });
    let meta = json!({"name": name});
    let object = json!({"apiVersion": "brickline.dev/v1alpha1", "kind": "DatabricksRelease", "metadata": meta, "status": status});
    room.apply_status(&object, "brickline").await?.accepted().map(drop)
}

async fn found(lab: &Lab) -> anyhow::Result<()> {
    let room = lab.room("found").await?;
    let all = [("new", "release", "staging"), ("running", "release/1", "staging"), ("failed", "release", "production")];
    for (name, branch, workspace) in all {
        room.create(&release(name, branch, workspace), Mode::Real).await?.accepted()?;
    }
    finish(&room, "running", "").await?;
    finish(&room, "failed", "Failed").await?;
    let api: Api<DatabricksRelease> = Api::namespaced(lab.client(), room.namespace());
    let cases = [
        // One that the controller has not seen has no status, and is unfinished all the same.
        ("status.result=", vec!["new", "running"]),
        ("status.result=Failed", vec!["failed"]),
        ("status.result!=", vec!["failed"]),
        ("status.result=Succeeded", vec![]),
        ("spec.workspaceRef.name=staging", vec!["new", "running"]),
        ("spec.source.git.ref=refs/heads/release", vec!["failed", "new"]),
        ("spec.source.git.ref=refs/heads/release/1", vec!["running"]),
        ("spec.source.git.commit=9b1c0de4a1f25c3e7d6b8a9f0c1d2e3f4a5b6c7d", vec!["failed", "new", "running"]),
        ("spec.source.git.commit=9b1c0de", vec![]),
        ("status.branch=of/failed", vec!["failed"]),
        ("status.result=,spec.source.git.ref=refs/heads/release,spec.workspaceRef.name=staging", vec!["new"]),
    ];
    for (selector, wanted) in cases {
        let list = api.list(&ListParams::default().fields(selector)).await.context(selector)?;
        let names: Vec<String> = list.iter().map(ResourceExt::name_any).collect();
        ensure!(names == wanted, "{selector}: {names:?}");
    }
    Ok(())
}

async fn others(lab: &Lab) -> anyhow::Result<()> {
    let api: Api<DatabricksRelease> = Api::all(lab.client());
    match api.list(&ListParams::default().fields("spec.stage=staging")).await {
        Err(kube::Error::Api(status)) if status.code == 400 => Ok(()),
        other => bail!("{other:?}"),
    }
}

async fn watched(lab: &Lab) -> anyhow::Result<()> {
    let room = lab.room("watched").await?;
    let api: Api<DatabricksRelease> = Api::namespaced(lab.client(), room.namespace());
    room.create(&release("old", "release", "staging"), Mode::Real).await?.accepted()?;
    finish(&room, "old", "Succeeded").await?;
    let unfinished = "status.result=";
    let list = api.list(&ListParams::default().fields(unfinished)).await?;
    ensure!(list.items.is_empty(), "the finished one is listed");
    let since = list.metadata.resource_version.context("a list without a version")?;
    let mut events = pin!(api.watch(&WatchParams::default().fields(unfinished).timeout(60), &since).await?);
    room.create(&release("it", "release", "staging"), Mode::Real).await?.accepted()?;
    ensure!(matches!(next(&mut events).await?, WatchEvent::Added(it) if it.name_any() == "it"), "not the new one");
    finish(&room, "it", "").await?;
    ensure!(matches!(next(&mut events).await?, WatchEvent::Modified(it) if it.name_any() == "it"), "not the change");
    finish(&room, "it", "Failed").await?;
    let WatchEvent::Deleted(it) = next(&mut events).await? else { bail!("the finished one was not dropped") };
    // What comes along is the object as it was while it matched: the result must be read from elsewhere.
    let result = it.status.map(|status| status.result);
    ensure!(result == Some(ReleaseResult::None), "{result:?}");
    room.create(&release("another", "release", "staging"), Mode::Real).await?.accepted()?;
    // A change of a finished one is not told: the next word is of the new one.
    ensure!(matches!(next(&mut events).await?, WatchEvent::Added(it) if it.name_any() == "another"), "not the new one");
    Ok(())
}

async fn next<S>(events: &mut S) -> anyhow::Result<WatchEvent<DatabricksRelease>>
where
    S: Stream<Item = kube::Result<WatchEvent<DatabricksRelease>>> + Unpin,
{
    let next = timeout(Duration::from_secs(20), events.next()).await;
    next.context("no event in time")?.context("the watch ended")?.context("the watch broke")
}
