//! Clusters: reading their state and what runs on them, starting and restarting them. API pages: "Clusters"
//! (`/api/2.1/clusters`), "Jobs" (`/api/2.2/jobs/runs/list`).

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde::{Deserialize, Serialize};

use super::limits::Family;
use super::runs::PAGE;
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

/// A run that is not over, and the clusters its tasks use or are going to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ActiveRun {
    /// The run's id.
    pub run_id: i64,
    /// Its name.
    pub name: String,
    /// Ids of clusters.
    pub clusters: BTreeSet<String>,
}

/// Pages read at most: more runs than Databricks lets a workspace have at the same time.
const MAX_PAGES: usize = 100;

#[derive(Deserialize)]
struct RunsPage {
    #[serde(default, deserialize_with = "super::tolerant::list")]
    runs: Vec<ListedRun>,
    #[serde(default)]
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
struct ListedRun {
    #[serde(default, deserialize_with = "super::tolerant::required_integer")]
    run_id: i64,
    #[serde(default, deserialize_with = "super::tolerant::text")]
    run_name: String,
    /// A run of one task names its cluster itself.
    #[serde(flatten)]
    own: Place,
    #[serde(default, deserialize_with = "super::tolerant::list")]
    tasks: Vec<Place>,
}

/// Where something runs: once it has begun, and as it was asked for.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Place {
    cluster_instance: Option<Instance>,
    existing_cluster_id: Option<String>,
    cluster_spec: Option<Asked>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Instance {
    cluster_id: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    existing_cluster_id: Option<String>,
}

impl Place {
    fn clusters(self) -> impl Iterator<Item = String> {
        let instance = self.cluster_instance.and_then(|instance| instance.cluster_id);
        let asked = self.cluster_spec.and_then(|asked| asked.existing_cluster_id);
        [instance, asked, self.existing_cluster_id].into_iter().flatten()
    }
}

impl From<ListedRun> for ActiveRun {
    fn from(run: ListedRun) -> Self {
        let clusters = run.own.clusters().chain(run.tasks.into_iter().flat_map(Place::clusters)).collect();
        Self { run_id: run.run_id, name: run.run_name, clusters }
    }
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

    /// `GET jobs/runs/list` of runs that are not over, with the clusters they use. Notebooks that people run by hand are no
    /// runs. Harmless when repeated.
    ///
    /// # Errors
    /// `Protocol` if there are more than are read: a listing that was cut off must not pass for a whole one. The general
    /// ones.
    pub async fn active_runs(&self) -> Result<Vec<ActiveRun>, Error> {
        let (mut runs, mut token) = (Vec::new(), None::<String>);
        for _ in 0..MAX_PAGES {
            let call = Call::get("jobs/runs/list", Family::Runs, "/api/2.2/jobs/runs/list");
            let mut call = call.query("active_only", "true").query("expand_tasks", "true").query("limit", PAGE);
            if let Some(token) = token.take() {
                call = call.query("page_token", token);
            }
            let page: RunsPage = self.read(call).await?;
            runs.extend(page.runs.into_iter().map(ActiveRun::from));
            token = page.next_page_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(runs);
            }
        }
        let message = format!("more than {} runs are under way: nobody can tell which clusters are idle", runs.len());
        Err(Error::Protocol { operation: "jobs/runs/list", message })
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
    fn a_run_names_its_clusters_itself_or_by_its_tasks() {
        let page = r#"{"runs":[
            {"run_id":"7","run_name":"one","cluster_instance":{"cluster_id":"a"},"cluster_spec":{"existing_cluster_id":"a"}},
            {"run_id":8,"run_name":null,"tasks":[{"existing_cluster_id":"b"},{"cluster_instance":{"cluster_id":"c"}},{}]},
            {"run_id":9,"tasks":null}
        ],"has_more":false}"#;
        let page: RunsPage = serde_json::from_str(page).expect("a page");
        let runs: Vec<ActiveRun> = page.runs.into_iter().map(ActiveRun::from).collect();
        let clusters: Vec<Vec<&str>> =
            runs.iter().map(|run| run.clusters.iter().map(String::as_str).collect()).collect();
        assert_eq!(clusters, [vec!["a"], vec!["b", "c"], vec![]]);
        assert_eq!((runs[0].run_id, runs[0].name.as_str()), (7, "one"));
    }

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
