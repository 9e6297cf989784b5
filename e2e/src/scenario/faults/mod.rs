//! The scenario `faults`: a workspace that fails for a while holds no release up, and one that fails for good ends it with a
//! condition that says so.

mod weather;

use std::time::Duration;

use anyhow::{Context as _, ensure};
use brickline_crds::{
    DatabricksRelease, DatabricksReleaseStatus, DatabricksWorkspace, Reason, ReleaseResult, ReleaseState,
};
use k8s_openapi::api::core::v1::Secret;
use kube::runtime::wait::await_condition;
use serde_json::json;
use tokio::time::timeout;

use super::Stage;
use super::road::{ready, status};
use crate::{
    progress::Progress,
    system::{System, Team, workspace},
};

/// How long a release may take to meet its workspace on a busy machine.
const PATIENCE: Duration = Duration::from_mins(6);

/// Tells it.
pub(super) async fn tell(stage: Stage) -> anyhow::Result<()> {
    let progress = Progress::default();
    let system = System::up(&stage.cluster, &progress).await?;
    let team = Team::settle(&stage, &system).await?;
    weather::a_release_goes_through(&team).await.context("a release in bad weather")?;
    let wrong = json!({"metadata": {"name": "wrong"}, "stringData": {"token": "not-the-token"}});
    stage.create::<Secret>(wrong).await?;
    stage.create::<DatabricksWorkspace>(workspace("wrong-token", &stage.namespace, "wrong")).await?;
    let mut nowhere = workspace("nowhere", &stage.namespace, "dbx");
    nowhere["spec"]["host"] = json!(format!("http://nobody.{}.svc.cluster.local:8080", stage.namespace));
    stage.create::<DatabricksWorkspace>(nowhere).await?;

    let commit = team.repository.head("release").await?;
    team.release_by_hand("wrong-token", &commit, "wrong-token").await?;
    let mut impatient = team.minimal_release("unreachable", &commit, "nowhere");
    impatient["spec"]["retries"] = json!({"limit": 1, "initial": "1s"});
    stage.create::<DatabricksRelease>(impatient).await?;

    stalled(&team, "wrong-token").await?;
    let release = team.finished("unreachable").await?;
    let status = status(&release)?;
    let (found, message) = ready(status)?;
    ensure!(status.result == ReleaseResult::Failed, "unreachable ended {}: {found}: {message}", status.result);
    ensure!(found == "WorkspaceUnreachable" && message.contains("nobody"), "unreachable: {found}: {message}");
    let secret = "not-the-token";
    let log = controller_log(&stage).await.context("the controller's log")?;
    ensure!(!log.contains(secret), "the wrong token is in the controller's log");
    Ok(())
}

/// Waits until a release waits for people to mend its workspace's credentials, and says so.
async fn stalled(team: &Team, name: &str) -> anyhow::Result<()> {
    let rejected = |status: &DatabricksReleaseStatus| {
        let mut phases = status.phases.iter();
        phases.any(|phase| phase.reason == Some(Reason::AuthenticationFailed) && phase.message.contains("credentials"))
    };
    let seen = await_condition(team.stage.api(), name, |release: Option<&DatabricksRelease>| {
        release
            .and_then(|release| release.status.as_ref())
            .is_some_and(|status| rejected(status) || status.state == ReleaseState::Finished)
    });
    let release = timeout(PATIENCE, Box::pin(seen)).await.context("the credentials are not named")??;
    let status = release.and_then(|release| release.status).context("no status")?;
    ensure!(rejected(&status) && status.state != ReleaseState::Finished, "{name} is {}", status.state);
    Ok(())
}

async fn controller_log(stage: &Stage) -> anyhow::Result<String> {
    let look = ["logs", "--namespace", crate::system::NAMESPACE, "deployment/brickline", "--tail=-1"];
    Ok(stage.cluster.kubectl(look).run().await?)
}
