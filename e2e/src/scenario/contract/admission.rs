//! Admission: what nobody can do, whatever rights they have on releases and approvals.

use anyhow::{Context as _, ensure};
use brickline_crds::{Phase, ReleaseResult};
use k8s_openapi::api::batch::v1::Job;
use kube::api::ListParams;
use serde_json::json;

use super::promotion::approval;
use super::setting::{APPROVER, DEVELOPER, Setting, digest, why};

/// Nobody asks or approves in another's name, nobody passes a release of theirs off as the controller's, and nobody releases
/// another branch than the protected workspace takes.
pub(super) async fn ways_around_are_refused(setting: &Setting) -> anyhow::Result<()> {
    nobody_asks_for_others(setting).await?;
    nobody_approves_for_others(setting).await?;
    no_other_branch_reaches_production(setting).await
}

/// Whose release it is decides whose approval counts, and an automatic reason passes where releases by hand don't.
async fn nobody_asks_for_others(setting: &Setting) -> anyhow::Result<()> {
    let manifest = setting.artifact_release("forged", "production", "quick");
    setting.refused(DEVELOPER, &manifest, &["spec.requestedBy must be who creates", DEVELOPER]).await?;
    for reason in ["push", "promotion", "schedule", "buildCompletion"] {
        let mut manifest = manifest.clone();
        manifest["spec"]["requestedBy"] = json!(DEVELOPER);
        manifest["spec"]["reason"] = json!(reason);
        setting.refused(DEVELOPER, &manifest, &["spec.reason", "the others are the controller's"]).await?;
    }
    let mut labelled = manifest.clone();
    labelled["spec"]["requestedBy"] = json!(DEVELOPER);
    labelled["metadata"]["labels"] = json!({"brickline.dev/result": "succeeded"});
    setting.refused(DEVELOPER, &labelled, &["the controller sets them"]).await
}

/// An approval carries the name of who gave it, and stays until they take it back.
async fn nobody_approves_for_others(setting: &Setting) -> anyhow::Result<()> {
    let built = setting.release(&setting.built.0).await?;
    let given = approval("given", &built, &digest(&built)?, APPROVER);
    setting.refused(DEVELOPER, &given, &["spec.approver must be who creates", DEVELOPER]).await?;
    setting.create_as(APPROVER, &given).await?;
    let look = ["--as", DEVELOPER, "delete", "dbappr", "given"];
    let refusal = setting.kubectl(&look).await.err().context("an approval was taken back by another")?;
    let said = format!("{refusal:#}");
    ensure!(said.contains(&format!("only {APPROVER} takes this decision back")), "{said}");
    let patch = ["patch", "dbappr", "given", "--type=merge", "--patch", r#"{"spec":{"decision":"Rejected"}}"#];
    ensure!(setting.kubectl(&patch).await.is_err(), "an approval was changed, by an administrator at that");
    Ok(())
}

/// Neither a commit of another branch nor an artifact that was built of one; both end before anything is done.
async fn no_other_branch_reaches_production(setting: &Setting) -> anyhow::Result<()> {
    let commit = setting.team.repository.head("quick").await?;
    let mut of_git = setting.git_release("other-branch", "quick", &commit);
    of_git["spec"]["workspaceRef"] = json!({"name": "production"});
    let of_artifact = setting.artifact_release("other-artifact", "production", "quick");
    for (name, mut manifest) in [("other-branch", of_git), ("other-artifact", of_artifact)] {
        manifest["spec"]["requestedBy"] = json!(DEVELOPER);
        setting.create_as(DEVELOPER, &manifest).await?;
        let ended = setting.ended(name, ReleaseResult::Failed).await?;
        let (reason, message) = why(&ended)?;
        let named = ["DatabricksWorkspace", "branch quick", "protection.allowedBranches"];
        ensure!(reason == "NotAuthorized" && named.iter().all(|word| message.contains(word)), "{reason}: {message}");
        let status = ended.status.unwrap_or_default();
        let deployed = status.phase(Phase::Deploy).is_some_and(|deploy| deploy.attempts > 0);
        ensure!(!deployed && status.locks.is_empty(), "{name} began to deploy");
        let jobs = ListParams::default().labels(&format!("brickline.dev/release={name}"));
        ensure!(setting.team.stage.api::<Job>().list(&jobs).await?.items.is_empty(), "{name} was built");
    }
    Ok(())
}
