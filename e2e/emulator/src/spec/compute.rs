//! Compute is where a task runs: on a cluster that exists, on one made for it or for its run, or serverless.

use crate::{
    spec::{Workload, git::GitSource, invalid},
    state::{Clusters, Library, Refusal},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;

/// Where one task runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Compute {
    /// By the id of the cluster.
    Existing(String),
    /// On a cluster of its own, gone with it.
    New(Value),
    /// On a cluster of the run, shared with other tasks; by its key.
    Shared(String),
    /// With the key of its environment, if it needs one.
    Serverless(Option<String>),
}

/// The fields of a task that say where it runs.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct ComputeSpec {
    existing_cluster_id: Option<String>,
    new_cluster: Option<Value>,
    job_cluster_key: Option<String>,
    environment_key: Option<String>,
}

/// A cluster of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct JobCluster {
    pub(crate) job_cluster_key: String,
    pub(crate) new_cluster: Value,
}

/// An environment of serverless tasks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Environment {
    pub(crate) environment_key: String,
    #[serde(default)]
    pub(crate) spec: EnvironmentSpec,
}

/// What an environment has.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct EnvironmentSpec {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) environment_version: Option<String>,
    /// Its older name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client: Option<String>,
    /// Lines for pip.
    pub(crate) dependencies: Vec<String>,
}

/// What the tasks of a run share.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Shared {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) job_clusters: Vec<JobCluster>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) environments: Vec<Environment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) git_source: Option<GitSource>,
}

impl ComputeSpec {
    /// Whether it names a cluster.
    pub(crate) fn is_empty(&self) -> bool {
        self.existing_cluster_id.is_none() && self.new_cluster.is_none() && self.job_cluster_key.is_none()
    }

    /// Where the task `key` runs, if all that needs exists.
    pub(crate) fn accept(
        self,
        key: &str,
        workload: &Workload,
        libraries: &[Library],
        shared: &Shared,
        clusters: &Clusters,
    ) -> Result<Compute, Refusal> {
        let compute = match (self.existing_cluster_id, self.new_cluster, self.job_cluster_key) {
            (Some(id), None, None) => {
                clusters.get(&id)?;
                Compute::Existing(id)
            }
            (None, Some(cluster), None) => Compute::New(cluster),
            (None, None, Some(name)) => {
                if !shared.job_clusters.iter().any(|cluster| cluster.job_cluster_key == name) {
                    return invalid(format!("Task {key}: job_cluster_key '{name}' is not among the job_clusters."));
                }
                Compute::Shared(name)
            }
            (None, None, None) => Compute::Serverless(self.environment_key.clone()),
            _ => return invalid("Give only one of existing_cluster_id, new_cluster and job_cluster_key."),
        };
        if matches!(compute, Compute::Serverless(_)) {
            check_serverless(key, self.environment_key.as_deref(), workload, libraries, shared)?;
        } else if self.environment_key.is_some() {
            return invalid(format!("Task {key}: environment_key is for serverless compute only."));
        }
        Ok(compute)
    }
}

/// The service's own words, as users report them.
fn check_serverless(
    key: &str,
    environment: Option<&str>,
    workload: &Workload,
    libraries: &[Library],
    shared: &Shared,
) -> Result<(), Refusal> {
    if !libraries.is_empty() {
        return invalid(
            "Libraries field is not supported for serverless task, please specify libraries in environment.",
        );
    }
    match environment {
        Some(_) if !workload.is_python() => invalid(format!(
            "A task environment can not be provided for notebook task {key}. Please use the %pip magic command to \
             install notebook-scoped Python libraries."
        )),
        None if workload.is_python() => invalid(format!(
            "An environment is required for serverless task {key}. Please define one using `environments` and \
             `environment_key`."
        )),
        Some(name) if !shared.environments.iter().any(|known| known.environment_key == name) => {
            invalid(format!("Task {key}: environment_key '{name}' is not among the environments."))
        }
        _ => Ok(()),
    }
}

impl Shared {
    /// Keys are unique, and the source can be one.
    pub(crate) fn check(&self, insecure_git: bool) -> Result<(), Refusal> {
        unique("job_cluster_key", self.job_clusters.iter().map(|cluster| cluster.job_cluster_key.as_str()))?;
        unique("environment_key", self.environments.iter().map(|known| known.environment_key.as_str()))?;
        self.git_source.as_ref().map_or(Ok(()), |source| source.check(insecure_git))
    }

    /// The lines for pip of an environment.
    pub(crate) fn dependencies(&self, key: &str) -> Vec<String> {
        let known = self.environments.iter().find(|known| known.environment_key == key);
        known.map(|known| known.spec.dependencies.clone()).unwrap_or_default()
    }
}

fn unique<'a>(field: &str, keys: impl Iterator<Item = &'a str>) -> Result<(), Refusal> {
    let mut seen = BTreeSet::new();
    for key in keys {
        if key.is_empty() || !seen.insert(key) {
            return invalid(format!("Each {field} must be there and differ from the others: '{key}'."));
        }
    }
    Ok(())
}
