//! The jobs that a release leaves behind: they run what was tested.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::compute::Compute;
use super::task::Runs;
use crate::{GoDuration, pattern, schedule};

/// A tag that jobs are found again by is not for users.
const TAGS: &str = "self.all(key, key.matches('^[A-Za-z][A-Za-z0-9 ._+=@-]{0,62}$') && !key.startsWith('brickline'))";
const TAGS_MESSAGE: &str = "names of a job's tags begin with a letter and have letters, digits, spaces and ._+=@-, at most 63 \
    characters; those that begin with brickline are set by the controller";

/// Names of a job's parameters.
const PARAMETERS: &str = "self.all(key, key.matches('^[A-Za-z0-9._-]{1,100}$'))";
const PARAMETERS_MESSAGE: &str = "names of a job's parameters are words of letters, digits, '_', '-' and '.'";

/// Whether `dependsOn` names tasks that there are.
const DEPENDS: &str = "[self.map(task, task.key)].all(keys, self.all(task, !has(task.dependsOn) || task.dependsOn.all(key, key != task.key && key in keys)))";
const DEPENDS_MESSAGE: &str = "dependsOn names other tasks of the same job, by their key";

/// A key of a task.
const KEY: &str = "self.matches('^[A-Za-z0-9_-]+$')";
const KEY_MESSAGE: &str = "a task's key is a word of letters, digits, '_' and '-'";

/// A variable is taken on trust: what it becomes is judged when the release begins.
const VARIABLE: &str = "self.matches('^[$][(](params|workspace[.]vars)[.][A-Za-z0-9_]+[)]$')";

/// Whether one of the days is any.
const DAYS: &str = "self.startsWith('@') || self.matches('^ *[^ ]+ +[^ ]+ +[*?] ') || self.matches(' [*?] *$')";
const DAYS_MESSAGE: &str = "Databricks' schedules have a day of the month or a day of the week, not both: write '*' for one of \
    them, or make two jobs";

/// The jobs that run what was tested.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Operate {
    /// Jobs that are created, or set right if they are there already, once the tests have passed. Default: none.
    /// Example: `[{name: nightly, tasks: [{key: load, notebook: {path: notebooks/load.py}}]}]`.
    #[schemars(length(max = 16))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub jobs: Vec<DatabricksJob>,
    /// Deletes jobs that an earlier release of the same pipeline and stage left and that are not among these any more.
    /// Nobody else's job is ever deleted. Default: false.
    pub prune: bool,
    /// Run jobs on a cluster that is none of `install.clusters`, where libraries are what somebody else installed.
    /// Default: false.
    pub allow_other_cluster: bool,
}

impl Operate {
    /// Whether there is anything to do.
    #[must_use]
    pub fn is_asked_for(&self) -> bool {
        self.prune || !self.jobs.is_empty()
    }
}

/// A job of Databricks.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DatabricksJob {
    /// Its name, in Databricks too. It is found again by it: another name is another job. Example: `dbxdemo nightly`.
    #[schemars(length(min = 1, max = 128))]
    pub name: String,
    /// What it runs. Example: `[{key: load, notebook: {path: notebooks/load.py}}]`.
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["key".into()]))]
    #[x_kube(validation = Rule::new(DEPENDS).message(DEPENDS_MESSAGE))]
    pub tasks: Vec<JobTask>,
    /// What its tasks run on. A `newCluster` here is one for all of them. Default: the cluster `main`.
    #[serde(default)]
    pub compute: Compute,
    /// When it runs by itself. None: when somebody starts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<JobSchedule>,
    /// Parameters that all its tasks can read: in notebooks with `dbutils.widgets.get`. Default: none. Example: `{env:
    /// $(params.env)}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64), extend("additionalProperties" = {"type": "string", "maxLength": 4096}))]
    #[x_kube(validation = Rule::new(PARAMETERS).message(PARAMETERS_MESSAGE))]
    pub parameters: BTreeMap<String, String>,
    /// Tags, which the clusters made for its runs have too. Example: `{team: data}`. Default: none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 20), extend("additionalProperties" = {"type": "string", "maxLength": 255}))]
    #[x_kube(validation = Rule::new(TAGS).message(TAGS_MESSAGE))]
    pub tags: BTreeMap<String, String>,
    /// How many of its runs go on at the same time; further ones wait in the queue of Databricks. Default: 1. Example:
    /// 1.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_concurrent_runs: u32,
    /// When Databricks ends a run. None: never. Example: `2h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GoDuration>,
    /// Whom Databricks writes to when a run did not succeed. Example: `[data@example.com]`. Default: nobody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10), inner(length(min = 3, max = 320)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub email_on_failure: Vec<String>,
}

fn one() -> u32 {
    1
}

/// One task of a job: exactly one of `notebook`, `pythonWheel` and `sparkPython`.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{"rule": Runs::RULE, "message": Runs::MESSAGE}]))]
pub struct JobTask {
    /// Its name in the job. Example: `load`.
    #[schemars(length(min = 1, max = 63))]
    #[schemars(extend("x-kubernetes-validations" = [{"rule": KEY, "message": KEY_MESSAGE}]))]
    pub key: String,
    /// The tasks that must have succeeded before it begins, by their keys. Default: none, it begins with the job.
    /// Example: `[load]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 63)))]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub depends_on: Vec<String>,
    /// What it runs.
    #[serde(flatten)]
    pub runs: Runs,
    /// What it runs on, if that is not what the others run on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute: Option<Compute>,
    /// When Databricks ends it. None: never. Example: `1h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GoDuration>,
}

/// When a job runs by itself.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, x_kube(cel))]
#[serde(rename_all = "camelCase")]
pub struct JobSchedule {
    /// When, as in a pipeline's schedules: minute, hour, day of the month, month and day of the week, or `@daily` and the
    /// like. Databricks can't have both a day of the month and a day of the week: one of them is `*`. Example:
    /// `0 3 * * MON-FRI`.
    #[schemars(length(min = 6, max = 100))]
    #[x_kube(validation = Rule::new(format!("{VARIABLE} || {}", schedule::CRON)).message(schedule::CRON_MESSAGE))]
    #[x_kube(validation = Rule::new(format!("{VARIABLE} || {DAYS}")).message(DAYS_MESSAGE))]
    pub cron: String,
    /// Whose clock: a name of the IANA time zone database. Default: `UTC`. Example: `Europe/Lisbon`.
    #[serde(default = "utc")]
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = Rule::new(format!("{VARIABLE} || {}", pattern::ZONE)).message(pattern::ZONE_MESSAGE))]
    pub time_zone: String,
    /// The schedule is there but doesn't count. Default: false.
    #[serde(default)]
    pub paused: bool,
}

fn utc() -> String {
    "UTC".to_owned()
}

#[cfg(test)]
pub(super) mod tests;
