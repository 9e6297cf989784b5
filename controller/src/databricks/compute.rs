//! Where tasks run, as `jobs/runs/submit` and `jobs/create` take it: from the API's words to Databricks'. Pure.

use std::collections::BTreeMap;

use brickline_crds::{Compute, ComputeKind, DataSecurityMode, RuntimeEngine, Serverless};
use serde::Serialize;

use super::libraries::{Library, Pypi};

/// The key of the one environment that a run or job has.
const ENVIRONMENT: &str = "default";

/// Where a task runs, with the libraries that travel with it.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// A cluster that exists, by its id. Libraries were installed on it before.
    Existing(String),
    /// A cluster made for the run.
    New {
        /// The cluster.
        cluster: Box<NewCluster>,
        /// Installed on it before the task starts.
        libraries: Vec<Library>,
    },
    /// Serverless; notebooks take no environment there.
    Serverless(Environment),
}

impl Place {
    /// The place that `compute` means. `cluster_id` looks an existing cluster up by the workspace's name; `libraries` are
    /// those of the release, which travel to a cluster or environment of the task's own.
    ///
    /// # Errors
    /// What `cluster_id` answers; for serverless, a library that it can't have.
    pub fn of<E: From<NotServerless>>(
        compute: &Compute,
        libraries: Vec<Library>,
        cluster_id: impl FnOnce(&str) -> Result<String, E>,
    ) -> Result<Self, E> {
        Ok(match compute.kind() {
            ComputeKind::Cluster(name) => Self::Existing(cluster_id(name)?),
            ComputeKind::New(new) => Self::New { cluster: Box::new(new.into()), libraries },
            ComputeKind::Serverless(serverless) => Self::Serverless(Environment::of(serverless, &libraries)?),
        })
    }

    /// The environment that tasks at this place name.
    #[must_use]
    pub fn environment(&self) -> Option<&Environment> {
        match self {
            Self::Serverless(environment) => Some(environment),
            Self::Existing(_) | Self::New { .. } => None,
        }
    }
}

/// A library that serverless compute has no way to install.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "serverless compute takes wheels, requirement files and Python packages, but not {0}: run on a cluster, or leave it out"
)]
pub struct NotServerless(pub String);

/// A cluster made for a run (`new_cluster`). Fields left unset are not sent.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct NewCluster {
    /// The runtime.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spark_version: Option<String>,
    /// The workers' machines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_type_id: Option<String>,
    /// The driver's machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver_node_type_id: Option<String>,
    /// The pool that the machines come from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_pool_id: Option<String>,
    /// How many workers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_workers: Option<u32>,
    /// The bounds of their number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autoscale: Option<Autoscale>,
    /// The policy it follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_id: Option<String>,
    /// Whether the policy's defaults fill what is unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apply_policy_default_values: Option<bool>,
    /// The access mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_security_mode: Option<&'static str>,
    /// The user of a cluster for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub single_user_name: Option<String>,
    /// The engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime_engine: Option<&'static str>,
    /// Spark's settings.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub spark_conf: BTreeMap<String, String>,
    /// Environment variables.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub spark_env_vars: BTreeMap<String, String>,
    /// Tags of its machines.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub custom_tags: BTreeMap<String, String>,
}

/// The bounds of a cluster's workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Autoscale {
    /// The fewest.
    pub min_workers: u32,
    /// The most.
    pub max_workers: u32,
}

/// What marks a cluster without workers as one on purpose (docs, "Single node compute").
const SINGLE_NODE: [(&str, &str); 2] =
    [("spark.databricks.cluster.profile", "singleNode"), ("spark.master", "local[*, 4]")];

impl From<&brickline_crds::NewCluster> for NewCluster {
    fn from(new: &brickline_crds::NewCluster) -> Self {
        let (mut spark_conf, mut custom_tags) = (new.spark_conf.clone(), new.custom_tags.clone());
        if new.num_workers == Some(0) {
            for (key, value) in SINGLE_NODE {
                spark_conf.entry(key.to_owned()).or_insert_with(|| value.to_owned());
            }
            custom_tags.entry("ResourceClass".to_owned()).or_insert_with(|| "SingleNode".to_owned());
        }
        Self {
            spark_version: new.spark_version.clone(),
            node_type_id: new.node_type_id.clone(),
            driver_node_type_id: new.driver_node_type_id.clone(),
            instance_pool_id: new.instance_pool_id.clone(),
            num_workers: new.num_workers,
            autoscale: new.autoscale.map(|scale| Autoscale { min_workers: scale.min, max_workers: scale.max }),
            policy_id: new.policy_id.clone(),
            apply_policy_default_values: new.policy_id.as_ref().map(|_| true),
            data_security_mode: new.data_security_mode.map(security),
            single_user_name: new.single_user_name.clone(),
            runtime_engine: new.runtime_engine.map(engine),
            spark_conf,
            spark_env_vars: new.spark_env_vars.clone(),
            custom_tags,
        }
    }
}

fn security(mode: DataSecurityMode) -> &'static str {
    match mode {
        DataSecurityMode::Auto => "DATA_SECURITY_MODE_AUTO",
        DataSecurityMode::Standard => "USER_ISOLATION",
        DataSecurityMode::Dedicated => "SINGLE_USER",
        DataSecurityMode::None => "NONE",
    }
}

fn engine(engine: RuntimeEngine) -> &'static str {
    match engine {
        RuntimeEngine::Standard => "STANDARD",
        RuntimeEngine::Photon => "PHOTON",
    }
}

/// An environment of serverless tasks (`environments[]`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Environment {
    /// What tasks name it by.
    pub environment_key: String,
    /// What is in it.
    pub spec: EnvironmentSpec,
}

/// What is in an environment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct EnvironmentSpec {
    /// The version of client, Python and packages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment_version: Option<String>,
    /// Lines of a requirements file: packages, and wheels by path.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<String>,
}

impl Environment {
    fn of(serverless: &Serverless, libraries: &[Library]) -> Result<Self, NotServerless> {
        let travelling: Vec<String> = libraries.iter().map(dependency).collect::<Result<_, _>>()?;
        let dependencies = travelling.into_iter().chain(serverless.dependencies.iter().cloned()).collect();
        let spec = EnvironmentSpec { environment_version: serverless.environment_version.clone(), dependencies };
        Ok(Self { environment_key: ENVIRONMENT.to_owned(), spec })
    }
}

/// A library as a line of a requirements file.
fn dependency(library: &Library) -> Result<String, NotServerless> {
    match library {
        Library::Whl(path) => Ok(path.clone()),
        Library::Requirements(path) => Ok(format!("-r {path}")),
        Library::Pypi(Pypi { package, repo: None }) => Ok(package.clone()),
        Library::Pypi(Pypi { package, repo: Some(repo) }) => Ok(format!("--index-url {repo} {package}")),
        Library::Jar(path) => Err(NotServerless(format!("the jar {path}"))),
        Library::Maven(maven) => Err(NotServerless(format!("the Maven artifact {}", maven.coordinates))),
        Library::Cran(cran) => Err(NotServerless(format!("the R package {}", cran.package))),
        Library::Other(other) => Err(NotServerless(format!("the library {other}"))),
    }
}

#[cfg(test)]
mod tests;
