//! Stopping: what is canceled or deleted leaves nothing running and nothing locked.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use brickline_crds::{DatabricksRelease, DatabricksWorkspace, Phase, Reason, ReleaseResult};
use k8s_openapi::api::{
    batch::v1::Job,
    core::v1::{Namespace, Secret},
    rbac::v1::RoleBinding,
};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, ListParams},
    runtime::wait::{await_condition, conditions::is_deleted},
};
use secrecy::ExposeSecret as _;
use serde_json::json;
use tokio::time::timeout;

use super::setting::{PATIENCE, Setting, why};
use super::workspace;
use crate::{
    scenario::Stage,
    system::{tenant, workspace as workspace_of},
};

/// How long a namespace may take to go. Its releases' cleanup is bounded by a minute each.
const PARTING: Duration = Duration::from_mins(4);

/// Whoever cancels or deletes a release, or everything around it, ends its work.
pub(super) async fn work_ends_with_its_release(setting: &Setting) -> anyhow::Result<()> {
    canceling_stops_the_notebook(setting).await?;
    deleting_stops_the_build(setting).await?;
    a_namespace_goes_whatever_is_missing(setting).await
}

/// A cancel while a notebook runs ends the run at Databricks, frees the cluster, and the release ends Canceled.
async fn canceling_stops_the_notebook(setting: &Setting) -> anyhow::Result<()> {
    setting.create(setting.artifact_release("canceled", "staging", "endless")).await?;
    let run = running(setting, "canceled").await?;
    setting.patch("canceled", json!({"cancel": true})).await?;
    let canceled = setting.ended("canceled", ReleaseResult::Canceled).await?;
    let state = &workspace::run(&setting.team, run).await?["state"];
    ensure!(state["result_state"] == "CANCELED", "the run is {state}");
    let (reason, message) = why(&canceled)?;
    ensure!(reason == "Canceled", "{reason}: {message}");
    setting.holds_no_lock(&canceled).await
}

/// Waits until the release's only notebook has a run that goes, and says which.
async fn running(setting: &Setting, name: &str) -> anyhow::Result<u64> {
    let tested = setting.until(name, "running a notebook", |status| run_of(status).is_some()).await?;
    tested.status.as_ref().and_then(run_of).context("no run")
}

fn run_of(status: &brickline_crds::DatabricksReleaseStatus) -> Option<u64> {
    let ticket = status.phase(Phase::Test)?.ticket.as_ref()?;
    u64::try_from(ticket.in_flight.first()?.run_id?).ok()
}

/// A release that is deleted while it builds goes, and its build with it.
async fn deleting_stops_the_build(setting: &Setting) -> anyhow::Result<()> {
    let commit = setting.team.repository.head("quick").await?;
    setting.create(setting.git_release("deleted", "quick", &commit)).await?;
    let building = |status: &brickline_crds::DatabricksReleaseStatus| {
        status.phase(Phase::Build).is_some_and(|build| build.attempts == 1 && build.ticket.is_some())
    };
    setting.until("deleted", "building", building).await?;
    setting.delete("deleted").await?;
    let jobs = setting.team.stage.api::<Job>();
    let ours = ListParams::default().labels("brickline.dev/release=deleted");
    for job in jobs.list(&ours).await?.items {
        let (name, uid) = (job.name_any(), job.uid().unwrap_or_default());
        let gone = await_condition(jobs.clone(), &name, is_deleted(&uid));
        timeout(PARTING, Box::pin(gone)).await.context("the Job of a deleted release stays")??;
    }
    Ok(())
}

/// A namespace goes although a release is under way in it, its workspace's Secret is gone, and the controller's rights go too.
/// Its notebook can't be stopped then: as long as that runs, nobody else gets the cluster.
async fn a_namespace_goes_whatever_is_missing(setting: &Setting) -> anyhow::Result<()> {
    let team = &setting.team;
    let doomed = Stage::set(&team.stage.cluster, "contract-doomed").await?;
    let token = json!({"token": team.emulator.token.expose_secret()});
    for (name, data) in [("dbx", token), ("git", team.system.git_secret())] {
        doomed.create::<Secret>(json!({"metadata": {"name": name}, "stringData": data})).await?;
    }
    doomed.create::<RoleBinding>(tenant(&doomed.namespace)).await?;
    doomed.create::<DatabricksWorkspace>(workspace_of("staging", &team.stage.namespace, "dbx")).await?;
    let commit = team.repository.head("quick").await?;
    let mut manifest = setting.artifact_release("doomed", "staging", "endless");
    manifest["spec"]["source"] = setting.git_release("doomed", "quick", &commit)["spec"]["source"].clone();
    doomed.create::<DatabricksRelease>(manifest).await?;
    let tests = |release: Option<&DatabricksRelease>| {
        release.and_then(|release| release.status.as_ref()).is_some_and(|status| run_of(status).is_some())
    };
    let begun = await_condition(doomed.api::<DatabricksRelease>(), "doomed", tests);
    let begun = timeout(PATIENCE, Box::pin(begun)).await.context("the doomed release never tests")??;
    let run = begun.and_then(|release| run_of(release.status.as_ref()?)).context("no run")?;

    doomed.api::<Secret>().delete("dbx", &DeleteParams::default()).await?;
    let namespaces: Api<Namespace> = Api::all(doomed.client());
    let uid = namespaces.get(&doomed.namespace).await?.uid().unwrap_or_default();
    doomed.clear().await?;
    let gone = await_condition(namespaces, &doomed.namespace, is_deleted(&uid));
    timeout(PARTING, Box::pin(gone)).await.context("the namespace does not go")??;
    what_may_be_alive_keeps_its_cluster(setting, run).await
}

/// The next release says what may still be alive and how to override, and goes by itself when that has ended.
async fn what_may_be_alive_keeps_its_cluster(setting: &Setting, run: u64) -> anyhow::Result<()> {
    setting.create(setting.artifact_release("after", "staging", "quick")).await?;
    let waits = setting.waits("after", Reason::WaitingForCluster).await?;
    let message = waits.status.and_then(|status| status.waiting).map(|waiting| waiting.message).unwrap_or_default();
    let named = ["may still be alive", &format!("run {run}"), "delete lease"];
    ensure!(named.iter().all(|word| message.contains(word)), "{message}");
    workspace::cancel(&setting.team, run).await?;
    setting.ended("after", ReleaseResult::Succeeded).await.map(drop)
}
