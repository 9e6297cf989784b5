//! Clusters: reading their state, starting and restarting them. API page: "Clusters" (`/api/2.1/clusters`).

use std::collections::BTreeMap;

use reqwest::Method;
use serde::{Deserialize, Serialize};

use super::limits::Family;
use super::transport::Call;
use super::{Client, Error, Once};

/// A cluster as `clusters/get` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Cluster {
    /// The cluster's id.
    #[serde(default, deserialize_with = "super::tolerant::text")]
    pub cluster_id: String,
    /// The cluster's name.
    #[serde(default, deserialize_with = "super::tolerant::text")]
    pub cluster_name: String,
    /// What it is doing.
    #[serde(default)]
    pub state: ClusterState,
    /// Databricks' words about the state.
    #[serde(default, deserialize_with = "super::tolerant::text")]
    pub state_message: String,
    /// The runtime, such as `15.4.x-scala2.12`.
    #[serde(default, deserialize_with = "super::tolerant::text")]
    pub spark_version: String,
    /// The access mode, such as `USER_ISOLATION`.
    #[serde(default)]
    pub data_security_mode: Option<String>,
    /// Changes with every (re)start: how one knows that a restart has happened. Absent while there is no driver.
    #[serde(default, deserialize_with = "super::tolerant::integer")]
    pub spark_context_id: Option<i64>,
    /// When it was last restarted, in milliseconds since 1970.
    #[serde(default, deserialize_with = "super::tolerant::integer")]
    pub last_restarted_time: Option<i64>,
    /// Why it ended, while it is terminated.
    #[serde(default)]
    pub termination_reason: Option<TerminationReason>,
}

/// What a cluster is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ClusterState {
    /// Machines are being acquired.
    Pending,
    /// Ready for work.
    Running,
    /// Restarting.
    Restarting,
    /// Running while its size changes.
    Resizing,
    /// Going down.
    Terminating,
    /// Down; can be started.
    Terminated,
    /// Failed.
    Error,
    /// Databricks doesn't know, or says a word this client doesn't.
    #[default]
    #[serde(other)]
    Unknown,
}

impl ClusterState {
    /// Whether work can be sent to it.
    #[must_use]
    pub fn is_ready(self) -> bool {
        matches!(self, Self::Running | Self::Resizing)
    }
}

/// Why a cluster ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct TerminationReason {
    /// One of about two hundred codes, such as `INACTIVITY`.
    pub code: String,
    /// `SUCCESS`, `CLIENT_ERROR`, `SERVICE_FAULT` or `CLOUD_FAILURE`.
    pub r#type: String,
    /// Details by name.
    pub parameters: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct ClusterId<'a> {
    cluster_id: &'a str,
}

impl Client {
    /// `GET clusters/get`. Harmless when repeated.
    ///
    /// # Errors
    /// `NotFound` if there is no such cluster, the general ones.
    pub async fn cluster(&self, cluster_id: &str) -> Result<Cluster, Error> {
        let call = Call::get("clusters/get", Family::Clusters, "/api/2.1/clusters/get");
        self.read(call.query("cluster_id", cluster_id)).await
    }

    /// `POST clusters/start`, asynchronous. Once by observation: read the state before, `Terminated` is left when it worked.
    ///
    /// # Errors
    /// `InvalidState` if it isn't terminated, `NotFound`, the general ones.
    pub async fn start_cluster(&self, cluster_id: &str) -> Result<(), Error> {
        self.cluster_act("clusters/start", "/api/2.1/clusters/start", cluster_id).await
    }

    /// `POST clusters/restart`, asynchronous. Once by observation: record `spark_context_id` before; done when it changed.
    ///
    /// # Errors
    /// `InvalidState` if it isn't running, `NotFound`, the general ones.
    pub async fn restart_cluster(&self, cluster_id: &str) -> Result<(), Error> {
        self.cluster_act("clusters/restart", "/api/2.1/clusters/restart", cluster_id).await
    }

    async fn cluster_act(&self, operation: &'static str, path: &str, cluster_id: &str) -> Result<(), Error> {
        let call = Call::new(operation, Family::Clusters, Method::POST, path, Once::Observation);
        self.act(call.json(&ClusterId { cluster_id })?).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_may_be_quoted_and_states_new() {
        let quoted =
            r#"{"cluster_id":"c","state":"HIBERNATING","spark_context_id":"4020997813441462000","cluster_name":null}"#;
        let cluster: Cluster = serde_json::from_str(quoted).expect("a cluster");
        assert_eq!(cluster.state, ClusterState::Unknown);
        assert_eq!(cluster.spark_context_id, Some(4_020_997_813_441_462_000));
        let plain: Cluster = serde_json::from_str(r#"{"state":"RUNNING","spark_context_id":7}"#).expect("a cluster");
        assert!(plain.state.is_ready() && plain.spark_context_id == Some(7));
    }
}
