//! What tasks run on: a cluster that is there, one made for the run, or serverless.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::pattern;

/// The cluster of releases that name none.
const MAIN: &str = "main";

/// What tasks run on: at most one field is set; none: the cluster `main`.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.cluster), has(self.newCluster), has(self.serverless)].filter(x, x).size() <= 1").message("compute is one of cluster, newCluster or serverless: remove the others"))]
pub struct Compute {
    /// An existing cluster, by the workspace's name for it; `main` if `compute` is empty. Default: `main`, unless the
    /// compute is another. Example: `etl`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = Rule::new(pattern::WORD).message(pattern::CLUSTERS_MESSAGE))]
    pub cluster: Option<String>,
    /// A cluster made for each run and ended with it. The workspace's `newClusters` must allow it. The release's libraries
    /// are installed on it before the run starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_cluster: Option<Box<NewCluster>>,
    /// Databricks' serverless compute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serverless: Option<Serverless>,
}

/// The one kind of compute that was chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ComputeKind<'a> {
    /// An existing cluster, by the workspace's name for it.
    Cluster(&'a str),
    /// A cluster for the run.
    New(&'a NewCluster),
    /// Serverless.
    Serverless(&'a Serverless),
}

impl Compute {
    /// What was chosen.
    #[must_use]
    pub fn kind(&self) -> ComputeKind<'_> {
        match (&self.new_cluster, &self.serverless) {
            (Some(new), _) => ComputeKind::New(new),
            (None, Some(serverless)) => ComputeKind::Serverless(serverless),
            (None, None) => ComputeKind::Cluster(self.cluster.as_deref().unwrap_or(MAIN)),
        }
    }
}

/// A cluster made for a run. The names are those of Databricks' Clusters API.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.sparkVersion) || has(self.policyId)").message("newCluster needs sparkVersion, unless the policy of policyId fixes it"))]
#[x_kube(validation = Rule::new("!has(self.numWorkers) || !has(self.autoscale)").message("newCluster has either numWorkers or autoscale"))]
#[x_kube(validation = Rule::new("has(self.numWorkers) || has(self.autoscale) || has(self.policyId)").message("newCluster needs numWorkers or autoscale, unless the policy of policyId fixes them; numWorkers: 0 is a single node"))]
#[x_kube(validation = Rule::new("has(self.nodeTypeId) || has(self.instancePoolId) || has(self.policyId)").message("newCluster needs nodeTypeId or instancePoolId, unless the policy of policyId fixes them"))]
pub struct NewCluster {
    /// The Databricks Runtime. Example: `15.4.x-scala2.12`. None: the policy's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    pub spark_version: Option<String>,
    /// The machines. Example: `Standard_DS3_v2`. None: those of the pool, or the policy's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    pub node_type_id: Option<String>,
    /// The driver's machine. Default: that of the workers. Example: `Standard_DS3_v2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    pub driver_node_type_id: Option<String>,
    /// Takes the machines from a pool. None: `nodeTypeId` says which. Example: `0101-120000-brick1-pool-abcd`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    pub instance_pool_id: Option<String>,
    /// How many workers it has; 0: a single node. None: as `autoscale` or the policy says. Example: 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1000))]
    pub num_workers: Option<u32>,
    /// How many workers it has, as its work needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscale: Option<Autoscale>,
    /// The cluster policy it follows; what is not said here comes from the policy. None: it follows none. Example:
    /// `E0631F5C0D0006D6`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z0-9_-]+$')").message("policyId is the policy's id, such as E0631F5C0D0006D6, without $(...): what a release may use is known when it is created"))]
    pub policy_id: Option<String>,
    /// Who may see what on it. Default: the policy's, or Databricks' own.
    // The field's own words, not those of its type.
    #[schemars(with = "DataSecurityMode")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_security_mode: Option<DataSecurityMode>,
    /// The user or group that a `Dedicated` cluster belongs to. Default: the workspace's identity. Example:
    /// `data-team`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 320))]
    pub single_user_name: Option<String>,
    /// The engine. Default: as `sparkVersion` says.
    // The field's own words, not those of its type.
    #[schemars(with = "RuntimeEngine")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_engine: Option<RuntimeEngine>,
    /// Spark's settings. Example: `{spark.sql.shuffle.partitions: "8"}`. Default: none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64), extend("additionalProperties" = {"type": "string", "maxLength": 1024}))]
    pub spark_conf: BTreeMap<String, String>,
    /// Environment variables of its processes. No secrets: everybody who sees the cluster sees them. Default: none.
    /// Example: `{LEVEL: all}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32), extend("additionalProperties" = {"type": "string", "maxLength": 1024}))]
    pub spark_env_vars: BTreeMap<String, String>,
    /// Tags of its machines, for accounting. Example: `{team: data}`. Default: none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 40), extend("additionalProperties" = {"type": "string", "maxLength": 255}))]
    pub custom_tags: BTreeMap<String, String>,
}

/// The bounds of a cluster that grows and shrinks.
#[derive(KubeSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.min <= self.max").message("autoscale.min must be at most autoscale.max"))]
pub struct Autoscale {
    /// The fewest workers. Example: 2.
    #[schemars(range(min = 1, max = 1000))]
    pub min: u32,
    /// The most workers. Example: 8.
    #[schemars(range(min = 1, max = 1000))]
    pub max: u32,
}

/// Who may see what on a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DataSecurityMode {
    /// Databricks chooses (`DATA_SECURITY_MODE_AUTO`).
    Auto,
    /// Several users, apart from each other (`USER_ISOLATION`).
    Standard,
    /// One user or group (`SINGLE_USER`).
    Dedicated,
    /// No isolation and no Unity Catalog (`NONE`).
    None,
}

/// What executes Spark's plans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RuntimeEngine {
    /// Spark's own.
    Standard,
    /// Photon.
    Photon,
}

/// Serverless compute.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Serverless {
    /// The version of Databricks' client, Python and packages. Example: `"2"`. Default: Databricks' own. It doesn't apply
    /// to notebooks: those keep the environment that they were saved with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(validation = Rule::new("self.matches('^[0-9]{1,4}$')").message("environmentVersion is a number in quotes, such as \"2\""))]
    pub environment_version: Option<String>,
    /// Packages beside the release's libraries, as in a requirements file. Example: `great-expectations==1.2`.
    /// Databricks takes none for notebooks on serverless: a notebook installs what it needs with `%pip`. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 1024)))]
    pub dependencies: Vec<String>,
}
