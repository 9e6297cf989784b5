//! The scenario `faults`: a workspace that fails for a while holds no release up, and one that fails for good ends it with a
//! condition that says so.

mod weather;

use anyhow::{Context as _, ensure};
use brickline_crds::{DatabricksWorkspace, ReleaseResult};
use k8s_openapi::api::core::v1::Secret;
use serde_json::json;

use super::Stage;
use super::road::{ready, status};
use crate::{
    progress::Progress,
    system::{System, Team, workspace},
};

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
    stage.create::<brickline_crds::DatabricksRelease>(impatient).await?;

    let cases =
        [("wrong-token", "AuthenticationFailed", "credentials"), ("unreachable", "WorkspaceUnreachable", "nobody")];
    for (name, reason, word) in cases {
        let release = team.finished(name).await?;
        let status = status(&release)?;
        let (found, message) = ready(status)?;
        ensure!(status.result == ReleaseResult::Failed, "{name} ended {}: {found}: {message}", status.result);
        ensure!(found == reason && message.contains(word), "{name}: {found}: {message}");
    }
    let secret = "not-the-token";
    let log = controller_log(&stage).await.context("the controller's log")?;
    ensure!(!log.contains(secret), "the wrong token is in the controller's log");
    Ok(())
}

async fn controller_log(stage: &Stage) -> anyhow::Result<String> {
    let look = ["logs", "--namespace", crate::system::NAMESPACE, "deployment/brickline", "--tail=-1"];
    Ok(stage.cluster.kubectl(look).run().await?)
}
