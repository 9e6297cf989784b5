//! The scenario `leader`: the leading replica is frozen in the middle of a release, and wakes up when another leads.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use brickline_crds::{
    DatabricksRelease, DatabricksReleaseStatus, DatabricksWorkspace, Phase, PhaseState, ReleaseResult, ReleaseState,
};
use futures::StreamExt as _;
use kube::{
    ResourceExt as _,
    runtime::{WatchStreamExt as _, watcher::watch_object},
};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::setting::Setting;
use super::workspace;
use crate::{
    progress::Progress,
    scenario::Stage,
    system::{NAMESPACE, Replica, workspace as workspace_of},
};

/// How long the leader is frozen: its Lease expires after 35 seconds.
const FROZEN: Duration = Duration::from_mins(1);
/// How long each notebook takes to be imported.
pub(super) const IMPORT: Duration = Duration::from_secs(3);
/// How long replicas may take to come, and the old leader to leave.
const PATIENCE: Duration = Duration::from_mins(2);
const GLANCE: Duration = Duration::from_millis(200);
/// Two replicas, which the kubelet doesn't take for dead while they are frozen.
const TWO: &str = r#"{"spec":{"replicas":2,"template":{"spec":{"containers":[{"name":"controller","livenessProbe":{"failureThreshold":60}}]}}}}"#;
/// As the chart has it.
const ONE: &str = r#"{"spec":{"replicas":1,"template":{"spec":{"containers":[{"name":"controller","livenessProbe":{"failureThreshold":6}}]}}}}"#;

/// A leader that sleeps for a minute in mid-Deploy and then goes on changes nothing that the next leader did: the release ends
/// well, its statuses never go back, and no notebook runs twice.
pub(crate) async fn freeze_in_mid_deploy(stage: Stage) -> anyhow::Result<()> {
    ensure!(stage.cluster.is_local(), "only processes of the local cluster can be frozen from here");
    let setting = Setting::up(&stage, &Progress::default()).await?;
    scale(&setting, TWO).await?;
    let told = Box::pin(handed_over(&setting)).await;
    let healed = workspace::heal(&setting.team).await;
    told.and(healed).and(scale(&setting, ONE).await)
}

async fn handed_over(setting: &Setting) -> anyhow::Result<()> {
    let cluster = &setting.team.stage.cluster;
    let manifest = long_deployment(setting, "handed-over").await?;
    setting.create(manifest).await?;
    let history = record(setting, "handed-over");
    let deploys = |status: &DatabricksReleaseStatus| {
        status.phase(Phase::Deploy).is_some_and(|deploy| deploy.state == PhaseState::Running)
    };
    setting.until("handed-over", "deploying", deploys).await?;
    let old = Replica::leader(cluster).await?;
    sleep(IMPORT).await;
    old.signal(Signal::STOP)?;
    let frozen = Instant::now();
    let taken = another_leads(setting, &old).await;
    sleep(FROZEN.saturating_sub(frozen.elapsed())).await;
    old.signal(Signal::CONT)?;
    taken?;
    let release = setting.ended("handed-over", ReleaseResult::Succeeded).await?;
    never_back(&history.await?)?;
    nothing_twice(setting, &release).await?;
    old_leader_left(setting, &old).await?;
    setting.holds_no_lock(&release).await
}

/// A release whose Deploy takes longer than a minute: two dozen notebooks, slowly and one after the other; three are run.
pub(super) async fn long_deployment(setting: &Setting, name: &str) -> anyhow::Result<Value> {
    let delay =
        json!({"match": {"path": "/api/*/workspace/import"}, "kind": "delay", "ms": IMPORT.as_millis(), "times": 1000});
    workspace::fault(&setting.team, delay).await?;
    let mut narrow = workspace_of("narrow", &setting.team.stage.namespace, "dbx");
    narrow["spec"]["limits"] = json!({"uploads": 1});
    setting.team.stage.create::<DatabricksWorkspace>(narrow).await?;
    let mut manifest = setting.artifact_release(name, "narrow", "many");
    manifest["spec"]["test"] = json!({"notebooks": [{"match": "many/n*0.py"}]});
    Ok(manifest)
}

async fn another_leads(setting: &Setting, old: &Replica) -> anyhow::Result<()> {
    let deadline = Instant::now() + FROZEN;
    loop {
        if let Ok(now) = Replica::leader(&setting.team.stage.cluster).await
            && now.pod != old.pod
        {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "nobody took over in {} s", FROZEN.as_secs());
        sleep(GLANCE).await;
    }
}

/// The process that was frozen learns that it leads no more, and leaves; its container is started again and follows.
async fn old_leader_left(setting: &Setting, old: &Replica) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !Replica::all(&setting.team.stage.cluster)
        .await?
        .iter()
        .any(|now| now.pod == old.pod && now.restarts > old.restarts)
    {
        ensure!(Instant::now() < deadline, "the old leader's process did not leave");
        sleep(GLANCE).await;
    }
    Ok(())
}

/// Every status of the release that the API server shows, until it is over.
pub(super) fn record(setting: &Setting, name: &str) -> JoinHandle<Vec<DatabricksReleaseStatus>> {
    let mut watch = Box::pin(watch_object(setting.releases(), name).default_backoff());
    tokio::spawn(async move {
        let mut seen = Vec::new();
        while let Some(news) = watch.next().await {
            let Ok(Some(DatabricksRelease { status: Some(status), .. })) = news else { continue };
            let over = status.state == ReleaseState::Finished;
            seen.push(status);
            if over {
                break;
            }
        }
        seen
    })
}

/// No phase goes back to an earlier state, and none is begun more often than the statuses before say.
pub(super) fn never_back(history: &[DatabricksReleaseStatus]) -> anyhow::Result<()> {
    ensure!(history.len() > 3, "only {} statuses were seen", history.len());
    let rank = |state: PhaseState| match state {
        PhaseState::Pending => 0,
        PhaseState::Running => 1,
        _ => 2,
    };
    for pair in history.windows(2) {
        let [before, after] = pair else { continue };
        for old in &before.phases {
            let new = after.phase(old.name).with_context(|| format!("{} is gone from the status", old.name))?;
            let forth = rank(new.state) >= rank(old.state) && new.attempts >= old.attempts;
            ensure!(forth, "{} went from {} back to {}", old.name, old.state, new.state);
        }
    }
    Ok(())
}

pub(super) async fn nothing_twice(setting: &Setting, release: &DatabricksRelease) -> anyhow::Result<()> {
    let status = release.status.as_ref().context("no status")?;
    let tested = status.phase(Phase::Test).context("no Test")?;
    let notebooks = tested.ticket.as_ref().map_or(0, |ticket| ticket.notebooks);
    let mut runs = workspace::runs(&setting.team, &format!("{} ", release.name_any())).await?;
    runs.retain(|run| run["state"]["result_state"] == "SUCCESS");
    let expected = usize::try_from(notebooks * tested.attempts).unwrap_or(0);
    ensure!(expected > 0 && runs.len() == expected, "{} runs of {notebooks} notebooks", runs.len());
    Ok(())
}

/// Changes the Deployment and waits until its pods are as it says.
async fn scale(setting: &Setting, patch: &str) -> anyhow::Result<()> {
    let cluster = &setting.team.stage.cluster;
    let namespace = ["--namespace", NAMESPACE];
    for arguments in [
        ["patch", "deployment/brickline", "--patch", patch],
        ["rollout", "status", "deployment/brickline", "--timeout=2m"],
    ] {
        Box::pin(cluster.kubectl(namespace.iter().chain(&arguments)).limit(PATIENCE + PATIENCE).run()).await?;
    }
    Ok(())
}
