//! The setting: a team with two workspaces, people with different rights, and a repository that builds in seconds.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use brickline_crds::{
    DatabricksRelease, DatabricksReleaseStatus, DatabricksWorkspace, Reason, ReleaseResult, ReleaseState,
};
use k8s_openapi::api::{coordination::v1::Lease, rbac::v1::RoleBinding};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, ListParams, Patch, PatchParams},
    runtime::wait::{await_condition, conditions::is_deleted},
};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{
    cluster::ADMINISTRATOR,
    forge::Change,
    progress::Progress,
    scenario::{Stage, road::ready},
    system::{CLUSTER, NAMESPACE, OTHER_CLUSTER, System, Team, workspace},
};

/// May approve, and nothing else.
pub(super) const APPROVER: &str = "ana@example.com";
/// May edit pipelines and releases, and approve; not workspaces.
pub(super) const DEVELOPER: &str = "rui@example.com";
/// How many notebooks there are of those that make a long deployment.
const MANY: usize = 24;
/// How long a release may take on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_mins(6);
/// How long something may take to be gone.
const PARTING: Duration = Duration::from_mins(3);

/// Everything that the proofs share.
pub(super) struct Setting {
    /// The team.
    pub(super) team: Team,
    /// A release that has built [`files`], and the digest of what it built.
    pub(super) built: (String, String),
}

/// A repository without libraries and tests, whose notebooks do next to nothing, or take their time.
pub(super) fn files() -> Change {
    let notebook = |code: &str| format!("# Databricks notebook source\n{code}\n");
    let many = (0..MANY).map(|number| (format!("many/n{number:02}.py"), notebook("assert True")));
    let few = vec![
        ("quick/quick.py".into(), notebook("assert dbutils.widgets.get('word') == 'open sesame'")),
        ("pause/pause.py".into(), notebook("import time\ntime.sleep(6)")),
        ("endless/endless.py".into(), notebook("import time\ntime.sleep(3600)")),
    ];
    Change::Only(few.into_iter().chain(many).collect())
}

impl Setting {
    /// Sets the team up, and builds the quick repository once.
    pub(super) async fn up(stage: &Stage, progress: &Progress) -> anyhow::Result<Self> {
        let system = System::up(&stage.cluster, progress).await?;
        let team = Team::found(stage, &system, &[CLUSTER, OTHER_CLUSTER]).await?;
        for (name, cluster, protection) in [
            ("staging", CLUSTER, json!({})),
            ("production", OTHER_CLUSTER, json!({"approvals": {"required": 1}, "allowedBranches": ["release"]})),
        ] {
            protected(stage, name, cluster, protection).await?;
        }
        for (user, role) in [(APPROVER, "brickline-approver"), (DEVELOPER, "brickline-approver"), (DEVELOPER, "edit")] {
            stage.create::<RoleBinding>(binding(user, role)).await?;
        }
        let mut setting = Self { team, built: Default::default() };
        setting.kubectl(&["wait", "--for=condition=Ready", "dbws/staging", "dbws/production", "--timeout=3m"]).await?;
        let commit = setting.team.repository.push("quick", &files()).await?;
        let manifest = setting.git_release("quick-build", "quick", &commit);
        setting.create(manifest).await?;
        let built = setting.ended("quick-build", ReleaseResult::Succeeded).await?;
        setting.built = ("quick-build".into(), digest(&built)?);
        Ok(setting)
    }

    /// One more name for the same workspace, with rules of its own.
    pub(super) async fn workspace(&self, name: &str, protection: Value) -> anyhow::Result<()> {
        protected(&self.team.stage, name, CLUSTER, protection).await?;
        self.kubectl(&["wait", "--for=condition=Ready", &format!("dbws/{name}"), "--timeout=3m"]).await.map(drop)
    }

    /// The manifest of a release that only builds.
    pub(super) fn git_release(&self, name: &str, branch: &str, commit: &str) -> Value {
        let mut manifest = self.team.minimal_release(name, commit, "staging");
        manifest["spec"]["source"]["git"]["ref"] = json!(format!("refs/heads/{branch}"));
        if let Some(spec) = manifest["spec"].as_object_mut() {
            spec.remove("workspaceRef");
        }
        manifest
    }

    /// The manifest of a release of what was built already: one folder of notebooks to a folder of the release's own, and
    /// run there.
    pub(super) fn artifact_release(&self, name: &str, workspace: &str, folder: &str) -> Value {
        let (release, digest) = &self.built;
        json!({
            "apiVersion": "brickline.dev/v1alpha1",
            "kind": "DatabricksRelease",
            "metadata": {"name": name},
            "spec": {
                "source": {"artifactFrom": [{"release": release, "digest": digest}]},
                "workspaceRef": {"name": workspace},
                "requestedBy": ADMINISTRATOR,
                "deploy": {"items": [{"from": format!("{folder}/**"), "to": format!("/Shared/{name}")}]},
                "install": {"clusters": []},
                "test": {"notebooks": [{"match": format!("{folder}/**"), "parameters": {"word": "open sesame"}}]},
            },
        })
    }

    /// Creates a release.
    pub(super) async fn create(&self, manifest: Value) -> anyhow::Result<DatabricksRelease> {
        Box::pin(self.team.stage.create(manifest)).await
    }

    /// kubectl in the team's namespace, as the administrator.
    pub(super) async fn kubectl(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let namespace = ["--namespace", &self.team.stage.namespace];
        let kubectl = self.team.stage.cluster.kubectl(namespace.iter().chain(arguments));
        Ok(Box::pin(kubectl.limit(PATIENCE).run()).await?)
    }

    /// Creates an object with kubectl, as somebody; the error holds what kubectl said.
    pub(super) async fn create_as(&self, user: &str, manifest: &Value) -> anyhow::Result<String> {
        let arguments = ["--namespace", &self.team.stage.namespace, "--as", user, "create", "--filename", "-"];
        let kubectl = self.team.stage.cluster.kubectl(arguments).input(manifest.to_string());
        Ok(Box::pin(kubectl.run()).await?)
    }

    /// Expects that somebody may not create this, for a reason in which all these words stand.
    pub(super) async fn refused(&self, user: &str, manifest: &Value, words: &[&str]) -> anyhow::Result<()> {
        let name = manifest["metadata"]["name"].as_str().unwrap_or_default();
        let refusal = self.create_as(user, manifest).await.err().with_context(|| format!("{user} made {name}"))?;
        let said = format!("{refusal:#}");
        ensure!(words.iter().all(|word| said.contains(word)), "{name} was refused in other words: {said}");
        Ok(())
    }

    /// A release as it is now.
    pub(super) async fn release(&self, name: &str) -> anyhow::Result<DatabricksRelease> {
        Ok(self.releases().get(name).await?)
    }

    pub(super) fn releases(&self) -> Api<DatabricksRelease> {
        self.team.stage.api()
    }

    /// Waits until a release is as `is` says. One that ends before is an error.
    pub(super) async fn until(
        &self,
        name: &str,
        what: &str,
        is: impl Fn(&DatabricksReleaseStatus) -> bool + Send,
    ) -> anyhow::Result<DatabricksRelease> {
        let over = |status: &DatabricksReleaseStatus| status.state == ReleaseState::Finished;
        let seen = await_condition(self.releases(), name, |release: Option<&DatabricksRelease>| {
            release.and_then(|release| release.status.as_ref()).is_some_and(|status| is(status) || over(status))
        });
        let seen = timeout(PATIENCE, Box::pin(seen)).await;
        let Ok(seen) = seen else { bail!("{name} is not {what}: {}", picture(&self.release(name).await?)) };
        let release = seen?.with_context(|| format!("release {name} is gone"))?;
        ensure!(release.status.as_ref().is_some_and(&is), "{name} is not {what}: {}", picture(&release));
        Ok(release)
    }

    /// Waits until a release waits for this.
    pub(super) async fn waits(&self, name: &str, reason: Reason) -> anyhow::Result<DatabricksRelease> {
        self.until(name, &format!("{reason}"), |status| {
            status.waiting.as_ref().is_some_and(|waiting| waiting.reason == reason)
        })
        .await
    }

    /// Waits until a release has ended in this way.
    pub(super) async fn ended(&self, name: &str, result: ReleaseResult) -> anyhow::Result<DatabricksRelease> {
        let is = |status: &DatabricksReleaseStatus| status.state == ReleaseState::Finished && status.result == result;
        self.until(name, &result.to_string(), is).await
    }

    /// Waits until a release has ended, however.
    pub(super) async fn over(&self, name: &str) -> anyhow::Result<DatabricksRelease> {
        self.until(name, "over", |status| status.state == ReleaseState::Finished).await
    }

    /// Changes a release's spec.
    pub(super) async fn patch(&self, name: &str, spec: Value) -> anyhow::Result<()> {
        let patch = Patch::Merge(json!({"spec": spec}));
        self.releases().patch(name, &PatchParams::default(), &patch).await?;
        Ok(())
    }

    /// Deletes a release and waits until it is gone.
    pub(super) async fn delete(&self, name: &str) -> anyhow::Result<()> {
        let uid = self.release(name).await?.uid().unwrap_or_default();
        self.releases().delete(name, &DeleteParams::default()).await?;
        let gone = await_condition(self.releases(), name, is_deleted(&uid));
        timeout(PARTING, Box::pin(gone)).await.with_context(|| format!("{name} does not go"))??;
        Ok(())
    }

    /// Expects that no lock is held by a release.
    pub(super) async fn holds_no_lock(&self, release: &DatabricksRelease) -> anyhow::Result<()> {
        let leases: Api<Lease> = Api::namespaced(self.team.stage.client(), NAMESPACE);
        let uid = release.uid().unwrap_or_default();
        let holds = |lease: &Lease| lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref()) == Some(&uid);
        let held: Vec<Lease> = leases.list(&ListParams::default()).await?.into_iter().filter(holds).collect();
        ensure!(held.is_empty(), "{} holds {:?}", release.name_any(), held.iter().map(Lease::name_any));
        Ok(())
    }
}

async fn protected(stage: &Stage, name: &str, cluster: &str, protection: Value) -> anyhow::Result<()> {
    let mut manifest = workspace(name, &stage.namespace, "dbx");
    manifest["spec"]["clusters"]["main"]["id"] = json!(cluster);
    manifest["spec"]["variables"] = json!({"catalog": {"value": format!("main_{name}")}});
    manifest["spec"]["protection"] = protection;
    Box::pin(stage.create::<DatabricksWorkspace>(manifest)).await.map(drop)
}

/// The digest of what a release built or deploys.
pub(super) fn digest(release: &DatabricksRelease) -> anyhow::Result<String> {
    let artifact = release.status.as_ref().and_then(|status| status.artifact.as_ref());
    Ok(artifact.with_context(|| format!("{} has no artifact", release.name_any()))?.digest.clone())
}

/// Where a release is, in a sentence.
pub(super) fn picture(release: &DatabricksRelease) -> String {
    let Some(status) = &release.status else { return "no status".into() };
    let (reason, message) = ready(status).unwrap_or_default();
    format!("{} {} {reason}: {message}", status.state, status.result)
}

/// Reason and message of a release that has ended.
pub(super) fn why(release: &DatabricksRelease) -> anyhow::Result<(String, String)> {
    ready(release.status.as_ref().context("no status")?)
}

fn binding(user: &str, role: &str) -> Value {
    let name = format!("{role}-{}", user.split('@').next().unwrap_or_default());
    json!({
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    })
}
