//! A team: a namespace that uses Brickline, with a repository, a workspace (an emulator), a pipeline and a webhook.

use std::{pin::pin, time::Duration};

use anyhow::{Context as _, bail};
use brickline_crds::{DatabricksRelease, DatabricksWorkspace, ReleasePipeline, ReleaseState, labels};
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{Pod, Secret, Service};
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::{
    ResourceExt as _,
    api::ListParams,
    runtime::{
        WatchStreamExt as _,
        wait::{await_condition, conditions},
        watcher::watch_object,
    },
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use super::{Emulator, NAMESPACE, System};
use crate::{
    cluster::ADMINISTRATOR,
    forge::{Repository, Webhook},
    scenario::Stage,
};

/// The cluster in the team's workspace.
pub const CLUSTER: &str = "0101-000000-emulator";
/// Another cluster, for those who ask for it.
pub const OTHER_CLUSTER: &str = "0202-000000-emulator";
/// A service principal that the team's workspace knows.
pub const CLIENT: &str = "12345678-90ab-cdef-1234-567890abcdef";
/// The directory of the same principal.
pub const TENANT: &str = "directory.example.com";
/// The volume in the workspace, as catalog, schema and name.
pub const VOLUME: &str = "main.release.libs";
/// How long pods and objects may take to be ready.
const PATIENCE: Duration = Duration::from_mins(3);
/// How long a release may take: several build at the same time on a small machine.
const RELEASE: Duration = Duration::from_mins(8);
/// How long a merge may take to become a release.
const MERGE: Duration = Duration::from_mins(1);
const GLANCE: Duration = Duration::from_millis(200);

/// A namespace with everything a team sets up once. Cheap to clone.
#[derive(Clone)]
pub struct Team {
    /// The namespace.
    pub stage: Stage,
    /// Brickline, as the team uses it.
    pub system: System,
    /// The team's repository.
    pub repository: Repository,
    /// The repository's webhook to Brickline.
    pub webhook: Webhook,
    /// The team's workspace.
    pub emulator: Emulator,
    /// The webhook's secret.
    pub hook: SecretString,
}

impl Team {
    /// Sets everything up as the documentation says, and waits until workspace and pipeline are ready.
    pub async fn settle(stage: &Stage, system: &System) -> anyhow::Result<Self> {
        let team = Self::found(stage, system, &[CLUSTER]).await?;
        stage.create::<DatabricksWorkspace>(workspace("staging", &stage.namespace, "dbx")).await?;
        stage.create::<ReleasePipeline>(pipeline(&team.repository.clone_url())).await?;
        team.ready().await?;
        Ok(team)
    }

    /// Everything but workspaces and pipelines, with these clusters in the emulator. Webhooks go to all pipelines to come.
    pub async fn found(stage: &Stage, system: &System, clusters: &[&str]) -> anyhow::Result<Self> {
        stage.create::<RoleBinding>(tenant(&stage.namespace)).await.context("tenant")?;
        let emulator = start_emulator(stage, system, clusters).await.context("emulator")?;
        let hook = random_secret();
        let secrets = [("hook", json!({"token": hook.expose_secret()})), ("git", system.git_secret())];
        for (name, data) in secrets {
            stage.create::<Secret>(json!({"metadata": {"name": name}, "stringData": data})).await?;
        }
        let repository = system.forge.repository(&stage.namespace).await?;
        let webhook = repository.add_webhook(&format!("{}/hooks/{}", system.webhooks, stage.namespace), &hook).await?;
        Ok(Self { stage: stage.clone(), system: system.clone(), repository, webhook, emulator, hook })
    }

    async fn ready(&self) -> anyhow::Result<()> {
        let workspace = await_condition(
            self.stage.api::<DatabricksWorkspace>(),
            "staging",
            |workspace: Option<&DatabricksWorkspace>| {
                is_ready(
                    workspace
                        .and_then(|workspace| workspace.status.as_ref())
                        .map(|status| status.conditions.as_slice()),
                )
            },
        );
        timeout(PATIENCE, Box::pin(workspace)).await.context("DatabricksWorkspace staging is not Ready")??;
        let pipeline =
            await_condition(self.stage.api::<ReleasePipeline>(), "dbxdemo", |pipeline: Option<&ReleasePipeline>| {
                is_ready(
                    pipeline.and_then(|pipeline| pipeline.status.as_ref()).map(|status| status.conditions.as_slice()),
                )
            });
        timeout(PATIENCE, Box::pin(pipeline)).await.context("ReleasePipeline dbxdemo is not Ready")??;
        Ok(())
    }

    /// The releases of a commit.
    pub async fn releases_of(&self, commit: &str) -> anyhow::Result<Vec<DatabricksRelease>> {
        let selector = format!("{}={}", labels::COMMIT, labels::short_commit(commit));
        Ok(self.stage.api::<DatabricksRelease>().list(&ListParams::default().labels(&selector)).await?.items)
    }

    /// The name of the release that a merge became.
    pub async fn release_of(&self, commit: &str) -> anyhow::Result<String> {
        let deadline = Instant::now() + MERGE;
        while Instant::now() < deadline {
            if let Some(release) = self.releases_of(commit).await?.first() {
                return Ok(release.name_any());
            }
            sleep(GLANCE).await;
        }
        bail!("the merge of {commit} became no release in {} s", MERGE.as_secs())
    }

    /// Waits until a release is over, however it ended.
    pub async fn finished(&self, name: &str) -> anyhow::Result<DatabricksRelease> {
        self.watch(name, |_| ()).await
    }

    /// The same, and shows each state on the way.
    pub async fn watch(&self, name: &str, seen: impl FnMut(&DatabricksRelease)) -> anyhow::Result<DatabricksRelease> {
        let over = timeout(RELEASE, Box::pin(self.until_finished(name, seen))).await;
        over.with_context(|| format!("release {name} is not over after {} min", RELEASE.as_secs() / 60))?
    }

    async fn until_finished(
        &self,
        name: &str,
        mut seen: impl FnMut(&DatabricksRelease),
    ) -> anyhow::Result<DatabricksRelease> {
        let mut states = pin!(watch_object(self.stage.api::<DatabricksRelease>(), name).default_backoff());
        while let Some(state) = states.next().await {
            // A watch that breaks begins anew by itself.
            let Ok(release) = state else { continue };
            let release = release.with_context(|| format!("release {name} is gone"))?;
            seen(&release);
            if release.status.as_ref().is_some_and(|status| status.state == ReleaseState::Finished) {
                return Ok(release);
            }
        }
        bail!("the watch of release {name} ended")
    }

    /// A minimal release of a commit, without any pipeline.
    pub async fn release_by_hand(&self, name: &str, commit: &str, workspace: &str) -> anyhow::Result<()> {
        let manifest = self.minimal_release(name, commit, workspace);
        self.stage.create::<DatabricksRelease>(manifest).await.map(drop)
    }

    /// The manifest of a minimal release.
    #[must_use]
    pub fn minimal_release(&self, name: &str, commit: &str, workspace: &str) -> Value {
        json!({
            "apiVersion": "brickline.dev/v1alpha1",
            "kind": "DatabricksRelease",
            "metadata": {"name": name},
            "spec": {
                "source": {"git": {
                    "url": self.repository.clone_url(),
                    "ref": "refs/heads/release",
                    "commit": commit,
                    "credentialsRef": {"name": "git"},
                }},
                "workspaceRef": {"name": workspace},
                "requestedBy": ADMINISTRATOR,
            },
        })
    }
}

fn is_ready(conditions: Option<&[k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition]>) -> bool {
    conditions.unwrap_or_default().iter().any(|one| one.type_ == "Ready" && one.status == "True")
}

fn random_secret() -> SecretString {
    data_encoding::HEXLOWER.encode(&rand::random::<[u8; 20]>()).into()
}

/// The namespace opts in: the controller may read its Secrets and build there.
#[must_use]
pub fn tenant(namespace: &str) -> Value {
    json!({
        "metadata": {"name": "brickline", "namespace": namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "brickline-tenant"},
        "subjects": [{"kind": "ServiceAccount", "name": "brickline", "namespace": NAMESPACE}],
    })
}

/// A workspace that is the team's emulator, with the token of Secret `secret`.
#[must_use]
pub fn workspace(name: &str, namespace: &str, secret: &str) -> Value {
    json!({
        "metadata": {"name": name},
        "spec": {
            "host": format!("http://emulator.{namespace}.svc.cluster.local:8080"),
            "auth": {"token": {"secretRef": {"name": secret, "key": "token"}}},
            "clusters": {"main": {"id": CLUSTER}},
        },
    })
}

fn pipeline(url: &str) -> Value {
    json!({
        "metadata": {"name": "dbxdemo"},
        "spec": {
            "repository": {"url": url, "provider": "gitea", "credentialsRef": {"name": "git"}},
            "trigger": {"branches": ["release"], "webhook": {"secretRef": {"name": "hook"}}},
            "stages": [{"name": "staging", "workspaceRef": {"name": "staging"}}],
        },
    })
}

/// Starts the emulator with these clusters, which run. Its token is in Secret `dbx` too, and so is the secret of its service
/// principals: [`CLIENT`] of Databricks, and the same of the directory [`TENANT`].
pub async fn start_emulator(stage: &Stage, system: &System, clusters: &[&str]) -> anyhow::Result<Emulator> {
    let (token, secret) = (random_secret(), random_secret());
    let known = format!(
        "{token}\noauth {CLIENT} {secret}\nazure {TENANT} {CLIENT} {secret}\n",
        token = token.expose_secret(),
        secret = secret.expose_secret(),
    );
    let data = json!({"token": token.expose_secret(), "secret": secret.expose_secret(), "known": known});
    stage.create::<Secret>(json!({"metadata": {"name": "dbx"}, "stringData": data})).await?;
    stage.create::<Pod>(emulator_pod(&system.emulator, clusters)).await?;
    let service = json!({
        "metadata": {"name": "emulator"},
        "spec": {"selector": {"app": "emulator"}, "ports": [{"port": 8080}]},
    });
    let service: Service = stage.create(service).await?;
    let running = await_condition(stage.api::<Pod>(), "emulator", conditions::is_pod_running());
    timeout(PATIENCE, Box::pin(running)).await.context("the emulator does not run")??;
    let ip = service.spec.and_then(|spec| spec.cluster_ip).context("a Service without an address")?;
    Emulator::at(format!("http://{ip}:8080"), token)
}

fn emulator_pod(image: &str, clusters: &[&str]) -> Value {
    let clusters: Vec<String> = clusters.iter().map(|id| format!("{id}=main")).collect();
    json!({
        "metadata": {"name": "emulator", "labels": {"app": "emulator"}},
        "spec": {
            "automountServiceAccountToken": false,
            "terminationGracePeriodSeconds": 5,
            "securityContext": {
                "runAsNonRoot": true, "runAsUser": 65532, "fsGroup": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [{
                "name": "emulator",
                "image": image,
                "imagePullPolicy": "IfNotPresent",
                "args": [
                    "serve", "--listen", "0.0.0.0:8080", "--data", "/data", "--token-file", "/etc/emulator/known",
                    "--cluster", clusters.join(","), "--start", "--volume", VOLUME, "--insecure-git",
                ],
                "ports": [{"containerPort": 8080}],
                "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1},
                "resources": {"requests": {"cpu": "50m", "memory": "512Mi"}, "limits": {"memory": "3Gi"}},
                "volumeMounts": [
                    {"name": "data", "mountPath": "/data"},
                    {"name": "tmp", "mountPath": "/tmp"},
                    {"name": "token", "mountPath": "/etc/emulator", "readOnly": true},
                ],
                "securityContext": {
                    "allowPrivilegeEscalation": false,
                    "readOnlyRootFilesystem": true,
                    "capabilities": {"drop": ["ALL"]},
                },
            }],
            "volumes": [
                {"name": "data", "emptyDir": {}},
                {"name": "tmp", "emptyDir": {}},
                {"name": "token", "secret": {"secretName": "dbx"}},
            ],
        },
    })
}
