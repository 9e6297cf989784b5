//! Promotion: one merge, one build, two workspaces, and a person in between.

use anyhow::{Context as _, ensure};
use brickline_crds::{DatabricksRelease, Reason, ReleasePipeline, ReleaseReason, ReleaseResult, labels};
use k8s_openapi::api::batch::v1::Job;
use kube::{ResourceExt as _, api::ListParams};
use serde_json::{Value, json};
use tokio::time::{Duration, Instant, sleep};

use super::setting::{APPROVER, DEVELOPER, Setting, digest, why};
use super::workspace;
use crate::{
    forge::Change,
    system::{CLUSTER, OTHER_CLUSTER},
};

/// How long what follows from a release may take to appear.
const FOLLOWING: Duration = Duration::from_mins(1);
const GLANCE: Duration = Duration::from_millis(200);

/// What a merge became.
pub(super) struct Promoted {
    /// The merge's commit.
    pub(super) commit: String,
    /// The release to staging.
    pub(super) staging: DatabricksRelease,
    /// The release to production.
    pub(super) production: DatabricksRelease,
}

/// What was built for staging is what reaches production, on production's own cluster and in its own folders, and not before
/// somebody with the right to approve has said so.
pub(super) async fn one_merge_reaches_production(setting: &Setting) -> anyhow::Result<Promoted> {
    let team = &setting.team;
    team.stage.create::<ReleasePipeline>(pipeline(&team.repository.clone_url())).await?;
    setting.kubectl(&["wait", "--for=condition=Ready", "dbpipe/dbxdemo", "--timeout=3m"]).await?;
    let readme = Change::File { path: "README.md".into(), content: "# dbxdemo\n".into() };
    let commit = team.repository.merge(&readme).await?.commit;
    let name = team.release_of(&commit).await?;
    let staging = setting.ended(&name, ReleaseResult::Succeeded).await?;
    let next = follower(setting, &name, ReleaseReason::Promotion).await?;
    let waiting = setting.waits(&next, Reason::WaitingForApproval).await?;

    ensure!(waiting.spec.reason == ReleaseReason::Promotion, "its reason is {}", waiting.spec.reason);
    let from: Vec<&str> = waiting.spec.source.artifact_from.iter().map(|from| from.digest.as_str()).collect();
    ensure!(from == [digest(&staging)?], "staging has {}, production is to get {from:?}", digest(&staging)?);
    ensure!(
        workspace::has(team, "/Shared/staging/main_staging/dbxdemo-notebook.py").await?,
        "staging lacks its notebook"
    );
    ensure!(!workspace::has(team, "/Shared/production").await?, "production was written to without an approval");

    let approval = approval("first", &waiting, &digest(&staging)?, APPROVER);
    setting.create_as(APPROVER, &approval).await?;
    let production = setting.ended(&next, ReleaseResult::Succeeded).await?;
    ensure!(
        workspace::has(team, "/Shared/production/main_production/dbxdemo-notebook.py").await?,
        "production lacks it"
    );
    ensure!(digest(&production)? == digest(&staging)?, "production got another artifact than staging");
    let said = production.status.as_ref().and_then(|status| status.approvals.first().cloned()).context("no record")?;
    ensure!(said.approver == APPROVER && said.comment == "looks well", "the record says {said:?}");
    built_once(setting, &staging, &production).await?;
    each_on_its_own_cluster(setting, &staging, &production).await?;
    Ok(Promoted { commit, staging, production })
}

async fn built_once(setting: &Setting, staging: &DatabricksRelease, next: &DatabricksRelease) -> anyhow::Result<()> {
    for (release, builds) in [(staging, 1), (next, 0)] {
        let ours = ListParams::default().labels(&format!("{}={}", labels::RELEASE, release.name_any()));
        let jobs = setting.team.stage.api::<Job>().list(&ours).await?.items.len();
        ensure!(jobs == builds, "{} has {jobs} builds", release.name_any());
    }
    Ok(())
}

async fn each_on_its_own_cluster(
    setting: &Setting,
    staging: &DatabricksRelease,
    production: &DatabricksRelease,
) -> anyhow::Result<()> {
    for (release, cluster) in [(staging, CLUSTER), (production, OTHER_CLUSTER)] {
        let run = release.status.as_ref().map(|status| status.run.clone()).unwrap_or_default();
        let runs = workspace::runs(&setting.team, &format!("dbxdemo {run} ")).await?;
        let [run] = runs.as_slice() else { anyhow::bail!("{} has {} runs", release.name_any(), runs.len()) };
        ensure!(workspace::cluster_of(run)? == cluster, "{} ran on another cluster", release.name_any());
    }
    Ok(())
}

/// People find releases by what they know: branch, tag, pipeline and result by label, the exact ref by field; the wide table
/// says what happened and why.
pub(super) async fn releases_are_found(setting: &Setting, merged: &Promoted) -> anyhow::Result<()> {
    let (staging, production) = (merged.staging.name_any(), merged.production.name_any());
    let commit = format!("spec.source.git.commit={}", merged.commit);
    let looks: [(&[&str], &[&str]); 6] = [
        (&["-l", "brickline.dev/pipeline=dbxdemo,brickline.dev/branch=release"], &[&staging, &production]),
        (&["-l", "brickline.dev/reason=promotion,brickline.dev/result=succeeded"], &[&production]),
        (&["-l", "tags.brickline.dev/nightly=true,brickline.dev/stage=staging"], &[&staging]),
        (&["--field-selector", "spec.source.git.ref=refs/heads/release"], &[&staging]),
        (&["--field-selector", &commit], &[&staging]),
        (&["--field-selector", "status.branch=release"], &[&staging, &production]),
    ];
    for (look, expected) in looks {
        let shown = setting.kubectl(&[&["get", "dbrel", "-o", "name"], look].concat()).await?;
        let mut found: Vec<&str> = shown.lines().filter_map(|line| line.rsplit('/').next()).collect();
        let mut expected = expected.to_vec();
        found.sort_unstable();
        expected.sort_unstable();
        ensure!(found == expected, "{look:?} found {found:?}, not {expected:?}");
    }
    let table = setting.kubectl(&["get", "dbrel", "-o", "wide"]).await?;
    let head = table.lines().next().unwrap_or_default();
    for column in
        ["PIPELINE", "RUN", "COMMIT", "STATE", "READY", "BRANCH", "RESULT", "REASON", "REQUESTED-FOR", "MESSAGE"]
    {
        ensure!(head.contains(column), "no column {column} in {head}");
    }
    let row = table.lines().find(|line| line.starts_with(&production)).context("production is not in the table")?;
    for word in ["promotion", "Succeeded", &labels::short_commit(&merged.commit)] {
        ensure!(row.contains(word), "production's row doesn't say {word}: {row}");
    }
    Ok(())
}

/// An approval is for one release and one artifact, and never one's own: neither a requester's, nor one of another digest, nor
/// one of an earlier release of the same name lets a release go.
pub(super) async fn only_the_right_approval_counts(setting: &Setting, merged: &Promoted) -> anyhow::Result<()> {
    let mut manifest = setting.artifact_release("again", "production", "notebooks");
    let artifact = digest(&merged.staging)?;
    manifest["spec"]["source"] = json!({"artifactFrom": [{"release": merged.staging.name_any(), "digest": artifact}]});
    manifest["spec"]["requestedBy"] = json!(DEVELOPER);
    manifest["spec"]["test"] = json!({"notebooks": []});
    setting.create_as(DEVELOPER, &manifest).await?;
    let first = setting.waits("again", Reason::WaitingForApproval).await?;

    setting.create_as(DEVELOPER, &approval("own", &first, &artifact, DEVELOPER)).await?;
    setting.create_as(APPROVER, &approval("other-digest", &first, &format!("sha256:{:064}", 7), APPROVER)).await?;
    still_waits(setting, "again").await?;
    setting.create_as(APPROVER, &approval("right", &first, &artifact, APPROVER)).await?;
    setting.ended("again", ReleaseResult::Succeeded).await?;

    setting.delete("again").await?;
    setting.create_as(DEVELOPER, &manifest).await?;
    let second = setting.waits("again", Reason::WaitingForApproval).await?;
    setting.create_as(APPROVER, &approval("old-release", &first, &artifact, APPROVER)).await?;
    still_waits(setting, "again").await?;
    let mut no = approval("no", &second, &artifact, APPROVER);
    no["spec"]["decision"] = json!("Rejected");
    setting.create_as(APPROVER, &no).await?;
    let rejected = setting.ended("again", ReleaseResult::Canceled).await?;
    let (reason, message) = why(&rejected)?;
    ensure!(reason == "Rejected" && message.contains(APPROVER), "{reason}: {message}");
    Ok(())
}

/// Whoever made a release by hand that is then promoted has asked for the promotion too.
pub(super) async fn nobody_approves_what_follows_from_their_own(
    setting: &Setting,
    merged: &Promoted,
) -> anyhow::Result<()> {
    let mut spec = serde_json::to_value(&merged.staging.spec)?;
    (spec["reason"], spec["requestedBy"], spec["requestedFor"]) = (json!("manual"), json!(DEVELOPER), Value::Null);
    let manifest = json!({
        "apiVersion": "brickline.dev/v1alpha1",
        "kind": "DatabricksRelease",
        "metadata": {"name": "by-hand", "labels": {labels::PIPELINE: "dbxdemo"}},
        "spec": spec,
    });
    setting.create_as(DEVELOPER, &manifest).await?;
    let by_hand = setting.ended("by-hand", ReleaseResult::Succeeded).await?;
    let next = follower(setting, "by-hand", ReleaseReason::Promotion).await?;
    let waiting = setting.waits(&next, Reason::WaitingForApproval).await?;
    setting.create_as(DEVELOPER, &approval("by-hand-own", &waiting, &digest(&by_hand)?, DEVELOPER)).await?;
    still_waits(setting, &next).await?;
    let mut no = approval("by-hand-no", &waiting, &digest(&by_hand)?, APPROVER);
    no["spec"]["decision"] = json!("Rejected");
    setting.create_as(APPROVER, &no).await?;
    setting.ended(&next, ReleaseResult::Canceled).await.map(drop)
}

/// Asks the controller for another look, which it confirms, and expects the release to wait as before.
async fn still_waits(setting: &Setting, name: &str) -> anyhow::Result<()> {
    let token = format!("{:08x}", rand::random::<u32>());
    let annotation = format!("brickline.dev/requestedAt={token}");
    setting.kubectl(&["annotate", "--overwrite", "dbrel", name, &annotation]).await?;
    let looked = setting.until(name, "looked at", |status| status.last_handled_requested_at == token).await?;
    let status = looked.status.unwrap_or_default();
    let waits = status.waiting.is_some_and(|waiting| waiting.reason == Reason::WaitingForApproval);
    ensure!(waits, "{name} went on with an approval that must not count");
    Ok(())
}

/// The release that follows from a finished one for this reason.
pub(super) async fn follower(setting: &Setting, name: &str, reason: ReleaseReason) -> anyhow::Result<String> {
    let deadline = Instant::now() + FOLLOWING;
    while Instant::now() < deadline {
        let releases = setting.releases().list(&ListParams::default()).await?;
        let follows = |release: &&DatabricksRelease| {
            release.spec.reason == reason && release.spec.cause.as_ref().is_some_and(|cause| cause.release == name)
        };
        if let Some(release) = releases.iter().find(follows) {
            return Ok(release.name_any());
        }
        sleep(GLANCE).await;
    }
    anyhow::bail!("no {reason} followed from {name} in {} s", FOLLOWING.as_secs())
}

/// The manifest of an approval.
pub(super) fn approval(name: &str, release: &DatabricksRelease, digest: &str, approver: &str) -> Value {
    json!({
        "apiVersion": "brickline.dev/v1alpha1",
        "kind": "ReleaseApproval",
        "metadata": {"name": name},
        "spec": {
            "releaseRef": {"name": release.name_any(), "uid": release.uid()},
            "artifactDigest": digest,
            "decision": "Approved",
            "approver": approver,
            "comment": "looks well",
        },
    })
}

fn pipeline(url: &str) -> Value {
    json!({
        "metadata": {"name": "dbxdemo"},
        "spec": {
            "repository": {"url": url, "provider": "gitea", "credentialsRef": {"name": "git"}},
            "trigger": {"branches": ["release"], "webhook": {"secretRef": {"name": "hook"}}},
            "parameters": [{"name": "env", "enum": ["staging", "production"]}],
            "stages": [
                {
                    "name": "staging",
                    "workspaceRef": {"name": "staging"},
                    "parameters": {"env": "staging"},
                },
                {
                    "name": "production",
                    "workspaceRef": {"name": "production"},
                    "dependsOn": ["staging"],
                    "condition": "stages.staging.result == 'Succeeded'",
                    "parameters": {"env": "production"},
                },
            ],
            "template": {
                "spec": {
                    "tags": ["nightly", "demo"],
                    "deploy": {
                        "items": [{"from": "notebooks/**", "to": "/Shared/$(params.env)/$(workspace.vars.catalog)"}],
                    },
                },
            },
        },
    })
}
