//! The settings of a saved job: kept as the client wrote them, with the service's defaults, and read when they are needed.

use crate::{
    api::{maybe_number, number},
    spec::{
        Known, Plan, Quartz, invalid,
        quartz::{Pause, Schedule},
    },
    state::Refusal,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const MAX_NAME: usize = 4096;
const MAX_TAGS: usize = 25;
const MAX_CONCURRENT_RUNS: u64 = 1000;
/// Arrays whose entries have names: an update replaces entries, not the whole.
const KEYED: [(&str, &str); 4] = [
    ("tasks", "task_key"),
    ("job_clusters", "job_cluster_key"),
    ("environments", "environment_key"),
    ("parameters", "name"),
];

/// What the emulator reads of a job's settings.
#[derive(Deserialize)]
pub(crate) struct JobSettings {
    #[serde(default = "untitled")]
    pub(crate) name: String,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) schedule: Option<Schedule>,
    #[serde(default, deserialize_with = "maybe_number")]
    max_concurrent_runs: Option<u64>,
    #[serde(default)]
    queue: Option<QueueSettings>,
    #[serde(default)]
    pub(crate) parameters: Vec<Parameter>,
    #[serde(flatten)]
    pub(crate) plan: Plan,
}

/// What becomes of runs that a limit keeps from beginning.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct QueueSettings {
    /// Whether they wait; otherwise they are skipped.
    pub(crate) enabled: bool,
}

/// A parameter of the job, which its tasks get.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) default: String,
}

/// What a client changes of a job.
#[derive(Deserialize)]
pub(crate) struct Change {
    #[serde(deserialize_with = "number")]
    pub(crate) job_id: i64,
    #[serde(default)]
    pub(crate) new_settings: Map<String, Value>,
    #[serde(default)]
    pub(crate) fields_to_remove: Vec<String>,
}

fn untitled() -> String {
    "Untitled".to_owned()
}

impl JobSettings {
    /// Reads settings that were written by a client.
    pub(crate) fn read(settings: &Map<String, Value>) -> Result<Self, Refusal> {
        serde_json::from_value(Value::Object(settings.clone())).map_err(|error| Refusal::Malformed(error.to_string()))
    }

    /// Whether runs beyond that wait.
    pub(crate) fn may_wait(&self) -> bool {
        self.queue.is_some_and(|queue| queue.enabled)
    }

    /// Runs at the same time; others wait or are skipped.
    pub(crate) fn limit(&self) -> usize {
        self.max_concurrent_runs.map_or(1, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
    }

    /// The schedule, unless there is none or it is paused.
    pub(crate) fn clock(&self) -> Result<Option<Quartz>, Refusal> {
        let Some(schedule) = &self.schedule else { return Ok(None) };
        let quartz = Quartz::read(schedule)?;
        Ok((schedule.pause_status == Pause::Unpaused).then_some(quartz))
    }

    /// Checks all that can be known before it runs.
    pub(crate) fn check(self, known: Known<'_>) -> Result<(), Refusal> {
        if self.name.is_empty() || self.name.len() > MAX_NAME {
            return invalid(format!("The name of a job has 1 to {MAX_NAME} characters."));
        }
        let long = |(key, value): (&String, &String)| key.is_empty() || key.len() > 127 || value.len() > 255;
        if self.tags.len() > MAX_TAGS || self.tags.iter().any(long) {
            return invalid(format!(
                "A job has at most {MAX_TAGS} tags, with keys of 127 and values of 255 characters."
            ));
        }
        if self.max_concurrent_runs.is_some_and(|limit| limit > MAX_CONCURRENT_RUNS) {
            return invalid(format!("max_concurrent_runs must be at most {MAX_CONCURRENT_RUNS}."));
        }
        self.clock()?;
        if self.plan.is_empty() { Ok(()) } else { self.plan.accept(known).map(drop) }
    }
}

/// The settings of a new job, or a job's new ones: with `queues` its runs wait, unless they say otherwise.
pub(crate) fn begin(mut settings: Map<String, Value>, queues: bool) -> Map<String, Value> {
    if queues {
        settings.entry("queue").or_insert(json!({ "enabled": true }));
    }
    settings
}

/// The settings as the service keeps them: with its defaults, without what isn't a setting.
pub(crate) fn complete(mut settings: Map<String, Value>) -> Map<String, Value> {
    settings.remove("access_control_list");
    let flat = !settings.contains_key("tasks") && settings.contains_key("notebook_task");
    settings.insert("format".to_owned(), if flat { "SINGLE_TASK" } else { "MULTI_TASK" }.into());
    let defaults = [
        ("name", untitled().into()),
        ("max_concurrent_runs", 1.into()),
        ("timeout_seconds", 0.into()),
        ("email_notifications", json!({})),
        ("webhook_notifications", json!({})),
    ];
    for (name, value) in defaults {
        settings.entry(name).or_insert(value);
    }
    if let Some(Value::Object(schedule)) = settings.get_mut("schedule") {
        schedule.entry("pause_status").or_insert("UNPAUSED".into());
    }
    let source = if settings.contains_key("git_source") { "GIT" } else { "WORKSPACE" };
    for task in settings.get_mut("tasks").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(task) = task.as_object_mut() else { continue };
        for (name, value) in
            [("run_if", "ALL_SUCCESS".into()), ("timeout_seconds", 0.into()), ("email_notifications", json!({}))]
        {
            task.entry(name).or_insert(value);
        }
        if let Some(Value::Object(notebook)) = task.get_mut("notebook_task") {
            notebook.entry("source").or_insert(source.into());
        }
    }
    settings
}

/// `jobs/update`: fields are replaced, entries of lists with names by their names; then fields are removed, as `tags` or
/// `tasks/one`.
pub(crate) fn update(mut settings: Map<String, Value>, change: Change) -> Map<String, Value> {
    for (name, value) in change.new_settings {
        let key = KEYED.iter().find(|(list, _)| *list == name).map(|(_, key)| *key);
        match (key, settings.get_mut(&name), value) {
            (Some(key), Some(Value::Array(old)), Value::Array(new)) => merge(old, new, key),
            (_, _, value) => drop(settings.insert(name, value)),
        }
    }
    for field in &change.fields_to_remove {
        match field.split_once('/') {
            None => drop(settings.remove(field)),
            Some((list, entry)) => {
                let key = KEYED.iter().find(|(name, _)| *name == list).map_or("name", |(_, key)| *key);
                if let Some(Value::Array(entries)) = settings.get_mut(list) {
                    entries.retain(|item| item[key] != entry);
                }
            }
        }
    }
    settings
}

fn merge(old: &mut Vec<Value>, new: Vec<Value>, key: &str) {
    for entry in new {
        match old.iter_mut().find(|known| known[key] == entry[key]) {
            Some(known) => *known = entry,
            None => old.push(entry),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Clusters;
    use rstest::rstest;

    fn map(value: Value) -> Map<String, Value> {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn an_update_replaces_fields_and_named_entries() {
        let old = map(
            json!({ "name": "a", "tags": { "x": "1" }, "tasks": [{ "task_key": "one", "n": 1 }, { "task_key": "two" }] }),
        );
        let change = json!({
            "job_id": 1,
            "new_settings": { "tags": { "y": "2" }, "tasks": [{ "task_key": "one", "n": 2 }, { "task_key": "three" }] },
            "fields_to_remove": ["name", "tasks/two", "none"],
        });
        let new = update(old, serde_json::from_value(change).unwrap());
        assert_eq!(
            Value::Object(new),
            json!({ "tags": { "y": "2" }, "tasks": [{ "task_key": "one", "n": 2 }, { "task_key": "three" }] })
        );
    }

    #[rstest]
    #[case::nothing(json!({}), true)]
    #[case::paused(json!({ "schedule": { "quartz_cron_expression": "0 0 6 * * ?", "timezone_id": "UTC", "pause_status": "PAUSED" } }), true)]
    #[case::paused_and_wrong(json!({ "schedule": { "quartz_cron_expression": "x", "timezone_id": "UTC", "pause_status": "PAUSED" } }), false)]
    #[case::many_runs(json!({ "max_concurrent_runs": 1001 }), false)]
    #[case::no_name(json!({ "name": "" }), false)]
    #[case::many_tags(json!({ "tags": (0..26).map(|n| (n.to_string(), "v")).collect::<BTreeMap<_, _>>() }), false)]
    #[case::no_such_cluster(json!({ "tasks": [{ "task_key": "a", "existing_cluster_id": "none", "notebook_task": { "notebook_path": "/n" } }] }), false)]
    fn settings_are_checked(#[case] settings: Value, #[case] fine: bool) {
        let folder = tempfile::tempdir().unwrap();
        let clusters = Clusters::open(folder.path().to_owned()).unwrap();
        assert_eq!(JobSettings::read(&map(settings)).unwrap().check(Known::strict(&clusters)).is_ok(), fine);
    }

    #[test]
    fn notebooks_come_from_git_if_the_job_does() {
        let folder = tempfile::tempdir().unwrap();
        let clusters = Clusters::open(folder.path().to_owned()).unwrap();
        let source = json!({ "git_url": "https://g/r", "git_provider": "gitHub", "git_branch": "main" });
        let task = json!({ "task_key": "a", "notebook_task": { "notebook_path": "n" } });
        let full = complete(map(json!({ "git_source": source, "tasks": [task] })));
        assert_eq!(full["tasks"][0]["notebook_task"]["source"], "GIT");
        assert!(JobSettings::read(&full).unwrap().check(Known::strict(&clusters)).is_ok());
    }

    #[test]
    fn a_job_shows_the_services_defaults() {
        let schedule = json!({ "quartz_cron_expression": "0 0 6 * * ?", "timezone_id": "UTC" });
        let task = json!({ "task_key": "a", "notebook_task": { "notebook_path": "/n" } });
        let full =
            Value::Object(complete(map(json!({ "schedule": schedule, "tasks": [task], "access_control_list": [] }))));
        assert_eq!(full["schedule"]["pause_status"], "UNPAUSED");
        assert_eq!(
            (&full["max_concurrent_runs"], &full["format"], &full["name"]),
            (&json!(1), &json!("MULTI_TASK"), &json!("Untitled"))
        );
        assert_eq!(full["tasks"][0]["notebook_task"]["source"], "WORKSPACE");
        assert!(full.get("access_control_list").is_none());
    }
}
