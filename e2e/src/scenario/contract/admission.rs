//! Admission: what nobody can do, whatever rights they have on releases and approvals.

use anyhow::{Context as _, ensure};
use brickline_crds::{DatabricksWorkspace, Phase, Reason, ReleaseResult};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use k8s_openapi::api::batch::v1::Job;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::promotion::approval;
use super::setting::{APPROVER, DEVELOPER, Setting, digest, why};
use super::workspace;

/// Nobody asks or approves in another's name, nobody passes a release of theirs off as the controller's, and nobody releases
/// what, by whom, where to or when the protected workspace doesn't take it.
pub(super) async fn ways_around_are_refused(setting: &Setting) -> anyhow::Result<()> {
    nobody_asks_for_others(setting).await?;
    nobody_approves_for_others(setting).await?;
    no_other_branch_reaches_production(setting).await?;
    each_rule_of_a_workspace_holds(setting).await?;
    a_closed_window_opens(setting).await
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
        ends_at_the_gate(setting, name, &manifest, &["branch quick", "protection.allowedBranches"]).await?;
    }
    Ok(())
}

/// What a workspace takes from pipelines alone, from others, or elsewhere, nobody brings there by hand.
async fn each_rule_of_a_workspace_holds(setting: &Setting) -> anyhow::Result<()> {
    let closed: [(&str, Value, [&str; 2]); 3] = [
        ("no-hands", json!({"allowManual": false}), ["a release made by hand", "protection.allowManual"]),
        (
            "one-pipeline",
            json!({"allowedPipelines": [format!("{}/nightly", setting.team.stage.namespace)]}),
            ["a release without pipeline", "protection.allowedPipelines"],
        ),
        (
            "one-folder",
            json!({"allowedPaths": ["/Shared/kept", "/Workspace/libs"]}),
            ["path /Shared/to-one-folder", "protection.allowedPaths"],
        ),
    ];
    for (workspace, protection, words) in closed {
        setting.workspace(workspace, protection).await?;
        let name = format!("to-{workspace}");
        let mut manifest = setting.artifact_release(&name, workspace, "quick");
        manifest["spec"]["requestedBy"] = json!(DEVELOPER);
        ends_at_the_gate(setting, &name, &manifest, &words).await?;
    }
    Ok(())
}

/// It ends for the workspace's rule, and nothing of it was built, locked or deployed.
async fn ends_at_the_gate(setting: &Setting, name: &str, manifest: &Value, words: &[&str]) -> anyhow::Result<()> {
    setting.create_as(DEVELOPER, manifest).await?;
    let ended = setting.ended(name, ReleaseResult::Failed).await?;
    let (reason, message) = why(&ended)?;
    let named = message.contains("DatabricksWorkspace") && words.iter().all(|word| message.contains(word));
    ensure!(reason == "NotAuthorized" && named, "{name}: {reason}: {message}");
    let status = ended.status.unwrap_or_default();
    let deployed = status.phase(Phase::Deploy).is_some_and(|deploy| deploy.attempts > 0);
    ensure!(!deployed && status.locks.is_empty(), "{name} began to deploy");
    let jobs = ListParams::default().labels(&format!("brickline.dev/release={name}"));
    ensure!(setting.team.stage.api::<Job>().list(&jobs).await?.items.is_empty(), "{name} was built");
    ensure!(!workspace::has(&setting.team, &format!("/Shared/{name}")).await?, "{name} is in the workspace");
    Ok(())
}

/// A release waits for the workspace's next window, says when that is, and goes on when it opens.
async fn a_closed_window_opens(setting: &Setting) -> anyhow::Result<()> {
    // Neither today nor tomorrow, whatever happens at midnight.
    let day = (Timestamp::now() + SignedDuration::from_hours(72)).to_zoned(TimeZone::UTC).strftime("%a").to_string();
    let window = |days: Value| json!({"windows": [{"days": days, "from": "00:00", "to": "24:00", "timeZone": "UTC"}]});
    setting.workspace("windowed", window(json!([day]))).await?;
    let mut manifest = setting.artifact_release("in-window", "windowed", "quick");
    manifest["spec"]["requestedBy"] = json!(DEVELOPER);
    setting.create_as(DEVELOPER, &manifest).await?;
    let waits = setting.waits("in-window", Reason::WaitingForWindow).await?;
    let waiting = waits.status.and_then(|status| status.waiting).context("it waits for nothing")?;
    let until = waiting.until.context("it doesn't say until when")?.0.duration_since(Timestamp::now());
    ensure!((24..=72).contains(&until.as_hours()), "the window opens in {until}");
    ensure!(!workspace::has(&setting.team, "/Shared/in-window").await?, "it was deployed before");
    let all = json!(["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]);
    let open = Patch::Merge(json!({"spec": {"protection": window(all)}}));
    let workspaces = setting.team.stage.api::<DatabricksWorkspace>();
    workspaces.patch("windowed", &PatchParams::default(), &open).await?;
    setting.ended("in-window", ReleaseResult::Succeeded).await.map(drop)
}
