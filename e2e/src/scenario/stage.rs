//! A stage: the namespace in which one scenario is told, and what the scenario finds there.

use std::{collections::BTreeMap, fs, time::Duration};

use anyhow::{Context as _, bail};
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        batch::v1::Job,
        core::v1::{Namespace, Pod, ServiceAccount},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api, Client, Resource,
    api::{DeleteParams, ListParams, LogParams, PostParams},
    runtime::wait::{await_condition, conditions},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::time::timeout;

use crate::{cache::Cache, cluster::Cluster};

/// How long a pod of a scenario may take unless it says otherwise.
const PATIENCE: Duration = Duration::from_mins(3);

/// A namespace with the "restricted" pod rules enforced. Cheap to clone.
#[derive(Clone)]
pub struct Stage {
    /// The cluster that it is on.
    pub cluster: Cluster,
    /// The namespace's name.
    pub namespace: String,
}

impl Stage {
    /// Makes a new namespace, whose name starts with `name`.
    pub(crate) async fn set(cluster: &Cluster, name: &str) -> anyhow::Result<Self> {
        let rules = [("pod-security.kubernetes.io/enforce", "restricted"), ("brickline.dev/scenario", name)];
        let labels: BTreeMap<String, String> =
            rules.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        let metadata =
            ObjectMeta { generate_name: Some(format!("{name}-")), labels: Some(labels), ..ObjectMeta::default() };
        let namespaces: Api<Namespace> = Api::all(cluster.client());
        let made = namespaces.create(&PostParams::default(), &Namespace { metadata, ..Namespace::default() }).await?;
        let stage =
            Self { cluster: cluster.clone(), namespace: made.metadata.name.context("a namespace without name")? };
        let account = await_condition(stage.api::<ServiceAccount>(), "default", |account: Option<&ServiceAccount>| {
            account.is_some()
        });
        timeout(PATIENCE, Box::pin(account)).await.context("no default service account")??;
        Ok(stage)
    }

    /// A client with the administrator's rights.
    #[must_use]
    pub fn client(&self) -> Client {
        self.cluster.client()
    }

    /// The objects of a kind in this namespace.
    #[must_use]
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.cluster.client(), &self.namespace)
    }

    /// Creates an object from its manifest.
    pub async fn create<K>(&self, manifest: Value) -> anyhow::Result<K>
    where
        K: Resource<Scope = NamespaceResourceScope> + Clone + std::fmt::Debug + Serialize + DeserializeOwned,
        K::DynamicType: Default,
    {
        let object = serde_json::from_value(manifest).context("manifest")?;
        Ok(self.api::<K>().create(&PostParams::default(), &object).await?)
    }

    /// Waits until a Job has completed, and returns the log of its pod. A Job that fails is an error with that log.
    pub async fn completed(&self, job: &str) -> anyhow::Result<String> {
        let over = await_condition(self.api::<Job>(), job, |job: Option<&Job>| {
            let conditions = job.and_then(|job| job.status.as_ref()?.conditions.as_ref()).into_iter().flatten();
            conditions
                .into_iter()
                .any(|one| ["Complete", "Failed"].contains(&one.type_.as_str()) && one.status == "True")
        });
        let ended = timeout(PATIENCE, Box::pin(over)).await.with_context(|| format!("job {job} is not over"))??;
        let log = self.log(&format!("job-name={job}")).await.unwrap_or_else(|error| format!("no log: {error:#}"));
        if ended.and_then(|job| job.status?.succeeded).unwrap_or(0) == 0 {
            bail!("job {job} failed; its log:\n{log}");
        }
        Ok(log)
    }

    /// Waits until a pod is running.
    pub async fn running(&self, pod: &str) -> anyhow::Result<()> {
        let running = await_condition(self.api::<Pod>(), pod, conditions::is_pod_running());
        timeout(PATIENCE, Box::pin(running)).await.with_context(|| format!("pod {pod} is not running"))??;
        Ok(())
    }

    async fn log(&self, labels: &str) -> anyhow::Result<String> {
        let pods = self.api::<Pod>().list(&ListParams::default().labels(labels)).await?;
        let pod = pods.items.into_iter().find_map(|pod| pod.metadata.name).context("no pod")?;
        Ok(self.api::<Pod>().logs(&pod, &LogParams::default()).await?)
    }

    /// Writes what is on the stage, its events and its pods' logs into a file of the cache, and says which.
    pub(crate) async fn picture(&self) -> String {
        let namespace = ["--namespace", &self.namespace];
        let looks: [&[&str]; 3] =
            [&["get", "all", "--output=wide"], &["get", "events", "--sort-by=.lastTimestamp"], &["describe", "pods"]];
        let mut picture = String::new();
        for look in looks {
            let seen = self.cluster.kubectl(look.iter().chain(&namespace)).run().await;
            picture.push_str(&seen.unwrap_or_else(|error| error.to_string()));
        }
        let logs = ["logs", "--all-containers", "--prefix", "--tail=200", "--selector=!none"];
        picture.push_str(&self.cluster.kubectl(logs.iter().chain(&namespace)).run().await.unwrap_or_default());
        let written = Cache::open().and_then(|cache| cache.log(&format!("scenario-{}", self.namespace)));
        match written.map_err(anyhow::Error::from).and_then(|path| Ok(fs::write(&path, &picture).map(|()| path)?)) {
            Ok(path) => format!("what it looked like: {}", path.display()),
            Err(error) => format!("what it looked like could not be kept: {error:#}"),
        }
    }

    /// Deletes the namespace with all in it. The cluster does so in the background: nothing of it is waited for.
    pub(crate) async fn clear(&self) -> anyhow::Result<()> {
        let namespaces: Api<Namespace> = Api::all(self.cluster.client());
        namespaces.delete(&self.namespace, &DeleteParams::background()).await?;
        Ok(())
    }
}
