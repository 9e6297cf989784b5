//! Jobs: saved work with a schedule. API page: "Jobs" (`/api/2.2/jobs`).

mod files;

use std::collections::BTreeMap;

use reqwest::Method;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::compute::{Environment, NewCluster};
use super::limits::Family;
use super::tasks::Task;
use super::transport::{Call, protocol};
use super::{Client, Error, Once};

/// Jobs on one page of a listing: the most that version 2.2 gives.
const PAGE: &str = "100";
/// Pages of a listing: beyond the 12,000 jobs that Databricks saves for a workspace by default.
const MAX_PAGES: usize = 200;

/// Everything that a job is. Fields left at their default are not sent.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct JobSettings {
    /// The name shown in the workspace. Several jobs may have the same.
    pub name: String,
    /// What people read beside it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// At most 25. They become tags of the clusters made for its runs, so the clouds' rules for those hold.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// What it runs; at most 100.
    pub tasks: Vec<JobTask>,
    /// Clusters that its tasks share.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub job_clusters: Vec<JobCluster>,
    /// Environments of its serverless tasks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub environments: Vec<Environment>,
    /// When it runs by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<CronSchedule>,
    /// Parameters that all its tasks can read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<JobParameter>,
    /// Whom Databricks writes to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_notifications: Option<EmailNotifications>,
    /// Seconds until Databricks ends a run; 0: never.
    pub timeout_seconds: u64,
    /// How many of its runs go on at the same time; further ones wait in the queue, which this version of the API turns on.
    pub max_concurrent_runs: u32,
}

/// One task of a job. Its cluster is one of those in `task`, or a shared one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobTask {
    /// What it runs, and on what.
    #[serde(flatten)]
    pub task: Task,
    /// The tasks that must have succeeded before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<Dependency>,
    /// One of the job's shared clusters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_cluster_key: Option<String>,
}

/// A task that another one waits for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Dependency {
    /// The task's name within the job.
    pub task_key: String,
}

/// A cluster made for each run and shared by its tasks.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct JobCluster {
    /// The cluster's name within the job.
    pub job_cluster_key: String,
    /// What it is made of.
    pub new_cluster: Box<NewCluster>,
}

/// When a job runs by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CronSchedule {
    /// Seconds, minutes, hours, day of the month, month and day of the week, as Quartz reads them: `0 0 3 ? * MON-FRI`.
    pub quartz_cron_expression: String,
    /// A time zone that Java knows, such as `Europe/Lisbon`.
    pub timezone_id: String,
    /// Whether it counts.
    #[serde(default)]
    pub pause_status: PauseStatus,
}

/// Whether a schedule counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum PauseStatus {
    /// It does.
    #[default]
    Unpaused,
    /// Not until somebody says so.
    Paused,
}

/// A parameter of a job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct JobParameter {
    /// Its name.
    pub name: String,
    /// Its value unless a run is given another one.
    pub default: String,
}

/// Whom Databricks writes to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct EmailNotifications {
    /// When a run did not succeed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub on_failure: Vec<String>,
}

/// A job as `jobs/list` shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Job {
    /// The job's id.
    #[serde(default, deserialize_with = "super::tolerant::required_integer")]
    pub job_id: i64,
    /// Who created it; empty if that user is gone.
    #[serde(default, deserialize_with = "super::tolerant::text")]
    pub creator_user_name: String,
    /// When it was created, in milliseconds since 1970.
    #[serde(default, deserialize_with = "super::tolerant::number")]
    pub created_time: i64,
    /// What it is, without its tasks.
    #[serde(default)]
    pub settings: Listed,
}

/// What a listing tells of a job's settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Listed {
    /// The name shown in the workspace.
    #[serde(deserialize_with = "super::tolerant::text")]
    pub name: String,
    /// Its tags.
    #[serde(deserialize_with = "super::tolerant::map")]
    pub tags: BTreeMap<String, String>,
    /// When it runs by itself; none also for what can't be read.
    #[serde(deserialize_with = "schedule")]
    pub schedule: Option<CronSchedule>,
}

fn schedule<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<CronSchedule>, D::Error> {
    Ok(serde_json::from_value(serde_json::Value::deserialize(deserializer)?).ok())
}

#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct Jobs<T> {
    #[serde(default, deserialize_with = "super::tolerant::list")]
    jobs: Vec<T>,
    #[serde(default)]
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
struct Created {
    #[serde(deserialize_with = "super::tolerant::required_integer")]
    job_id: i64,
}

#[derive(Serialize)]
struct Reset<'a> {
    job_id: i64,
    new_settings: &'a JobSettings,
}

#[derive(Serialize)]
struct JobId {
    job_id: i64,
}

impl Client {
    /// `GET jobs/list`: every job of the workspace that the identity may see, without its tasks. Harmless when repeated.
    ///
    /// # Errors
    /// `Protocol` if there are more jobs than 20,000: a listing that was cut off must not pass for a whole one. The
    /// general ones.
    pub async fn jobs(&self) -> Result<Vec<Job>, Error> {
        self.pages_of_jobs(MAX_PAGES, false).await
    }

    pub(super) async fn pages_of_jobs<T: DeserializeOwned>(&self, most: usize, tasks: bool) -> Result<Vec<T>, Error> {
        let (mut jobs, mut token) = (Vec::new(), None::<String>);
        for _ in 0..most {
            let mut call = Call::get("jobs/list", Family::Jobs, "/api/2.2/jobs/list").query("limit", PAGE);
            if tasks {
                call = call.query("expand_tasks", "true");
            }
            if let Some(token) = token.take() {
                call = call.query("page_token", token);
            }
            let page: Jobs<T> = self.read(call).await?;
            jobs.extend(page.jobs);
            token = page.next_page_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(jobs);
            }
        }
        Err(protocol("jobs/list", &format_args!("the workspace has more than {} jobs: delete some", jobs.len())))
    }

    /// `POST jobs/create`; answers the job's id. Once by observation: there is no token, so list before.
    ///
    /// # Errors
    /// `Invalid` for settings that Databricks refuses, the general ones.
    pub async fn create_job(&self, settings: &JobSettings) -> Result<i64, Error> {
        let call = Call::new("jobs/create", Family::Jobs, Method::POST, "/api/2.2/jobs/create", Once::Observation);
        let created: Created = self.read(call.json(settings)?).await?;
        Ok(created.job_id)
    }

    /// `POST jobs/reset`: replaces all settings; runs under way go on with the old ones. Harmless when repeated.
    ///
    /// # Errors
    /// `NotFound`, `Invalid` for settings that Databricks refuses, the general ones.
    pub async fn reset_job(&self, job_id: i64, settings: &JobSettings) -> Result<(), Error> {
        let call = Call::new("jobs/reset", Family::Jobs, Method::POST, "/api/2.2/jobs/reset", Once::Harmless);
        self.act(call.json(&Reset { job_id, new_settings: settings })?).await
    }

    /// `POST jobs/delete`. Harmless when repeated: a job that is gone counts as deleted.
    ///
    /// # Errors
    /// The general ones.
    pub async fn delete_job(&self, job_id: i64) -> Result<(), Error> {
        let call = Call::new("jobs/delete", Family::Jobs, Method::POST, "/api/2.2/jobs/delete", Once::Harmless);
        match self.act(call.json(&JobId { job_id })?).await {
            Err(error) if error.is_not_found() => Ok(()),
            deleted => deleted,
        }
    }
}
