//! The scenario `api-server-away`: nobody answers the controller and the kubelet for minutes, in the middle of releases.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use brickline_crds::{DatabricksReleaseStatus, Phase, PhaseState, ReleaseResult};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::leader::{IMPORT, long_deployment, never_back, nothing_twice, record};
use super::setting::Setting;
use super::workspace;
use crate::{progress::Progress, scenario::Stage, system::Replica};

/// How long the API server stands still: the leader's Lease expires after 35 seconds.
const AWAY: Duration = Duration::from_mins(2);
/// How long the build takes: it ends while the API server is away.
const BUILD: Duration = Duration::from_secs(45);

/// One release is in mid-Deploy when the API server stands still, another one builds. The controller can't renew its Lease and
/// leaves; when it is back it goes on with both. Their statuses never go back, and nothing is done twice.
pub(crate) async fn api_server_away(stage: Stage) -> anyhow::Result<()> {
    ensure!(stage.cluster.is_local(), "only components of the local cluster can be stopped from here");
    let progress = Progress::default();
    let setting = Setting::up(&stage, &progress).await?;
    let told = Box::pin(both_go_on(&setting, &progress)).await;
    let healed = workspace::heal(&setting.team).await;
    told.and(healed)
}

async fn both_go_on(setting: &Setting, progress: &Progress) -> anyhow::Result<()> {
    let before = Replica::leader(&setting.team.stage.cluster).await?;
    let deploying = long_deployment(setting, "deployed-on").await?;
    setting.create(deploying).await?;
    setting.create(long_build(setting).await?).await?;
    let histories = ["deployed-on", "built-on"].map(|name| (name, record(setting, name)));
    let at_work = |phase: Phase| {
        move |status: &DatabricksReleaseStatus| status.phase(phase).is_some_and(|one| one.state == PhaseState::Running)
    };
    setting.until("built-on", "building", at_work(Phase::Build)).await?;
    setting.until("deployed-on", "deploying", at_work(Phase::Deploy)).await?;
    sleep(IMPORT).await;

    let frozen = setting.team.stage.cluster.freeze("kube-apiserver")?;
    sleep(AWAY).await;
    drop(frozen);

    let deployed = setting.ended("deployed-on", ReleaseResult::Succeeded).await?;
    let built = setting.ended("built-on", ReleaseResult::Succeeded).await?;
    for (name, history) in histories {
        never_back(&history.await?).with_context(|| name.to_owned())?;
    }
    nothing_twice(setting, &deployed).await?;
    setting.holds_no_lock(&deployed).await?;
    let attempts =
        built.status.as_ref().and_then(|status| status.phase(Phase::Build)).map_or(0, |build| build.attempts);
    let after = Replica::leader(&setting.team.stage.cluster).await?;
    let restarts = if after.pod == before.pod { after.restarts - before.restarts } else { 1 };
    progress.note(&format!(
        "    away for {} s: the controller left {restarts} times, the build took {attempts} attempts",
        AWAY.as_secs()
    ));
    Ok(())
}

/// A release that only builds, for longer than it takes to stop the API server.
async fn long_build(setting: &Setting) -> anyhow::Result<Value> {
    let commit = setting.team.repository.head("quick").await?;
    let mut manifest = setting.git_release("built-on", "quick", &commit);
    let sleep = format!("sleep {}", BUILD.as_secs());
    manifest["spec"]["build"]["steps"] = json!([{"name": "takes its time", "run": sleep}]);
    Ok(manifest)
}
