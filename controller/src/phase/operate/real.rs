//! What this phase asks of jobs, without a release: for the contract.

use brickline_crds::{DatabricksRelease, DatabricksReleaseSpec};
use serde_json::json;

use super::{Changes, Found, Operated, Owner, Wanted, act};
use crate::databricks::Client;
use crate::databricks::jobs::{JobSettings, JobTask};
use crate::databricks::tasks::Task;
use crate::trouble::Trouble;

/// Jobs of one owner, all of one task.
pub(crate) struct Jobs {
    owner: Owner,
    task: Task,
}

impl Jobs {
    /// Those of a controller's releases by hand.
    pub(crate) fn of(installation: &str, task: Task) -> Self {
        let spec: DatabricksReleaseSpec = serde_json::from_value(json!({"source": {}})).unwrap();
        Self { owner: Owner::of(&DatabricksRelease::new("contract", spec), installation), task }
    }

    /// A job of nobody's that runs this long at most.
    fn plain(&self, name: &str, timeout_seconds: u64) -> JobSettings {
        let task = JobTask { task: self.task.clone(), depends_on: Vec::new(), job_cluster_key: None };
        let (name, tasks) = (name.to_owned(), vec![task]);
        JobSettings { name, tasks, timeout_seconds, max_concurrent_runs: 1, ..JobSettings::default() }
    }

    fn planned(&self, name: &str) -> (Wanted, JobSettings) {
        let mut settings = self.plain(name, 600);
        let digest = self.owner.sign(&mut settings);
        (Wanted { name: name.to_owned(), key: self.owner.key(name), digest }, settings)
    }

    pub(crate) fn wanted(&self, name: &str) -> Wanted {
        self.planned(name).0
    }

    pub(crate) async fn found(&self, client: &Client) -> Result<Vec<Found>, Trouble> {
        Ok(self.owner.own(&client.jobs().await?))
    }

    pub(crate) async fn change(&self, client: &Client, changes: &Changes) -> Result<Vec<Operated>, Trouble> {
        let names = changes.create.iter().chain(changes.reset.iter().map(|job| &job.name));
        let planned: Vec<JobSettings> = names.map(|name| self.planned(name).1).collect();
        act::apply(client, changes, &planned, |_| ()).await
    }

    /// Makes one with other settings.
    pub(crate) async fn put(&self, client: &Client, name: &str, ours: bool) -> Result<i64, Trouble> {
        let mut settings = self.plain(name, 60);
        if ours {
            self.owner.sign(&mut settings);
        }
        Ok(client.create_job(&settings).await?)
    }
}
