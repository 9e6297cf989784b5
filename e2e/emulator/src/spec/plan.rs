//! A plan is what a one-time run and a saved job have in common: the tasks, and what they share.

use crate::{
    api::number,
    spec::{
        Known,
        compute::Shared,
        invalid,
        task::{TaskSpec, WorkSpec},
    },
    state::{
        Refusal, ids,
        run::{Format, TaskRecord},
    },
};
use serde::Deserialize;
use std::collections::BTreeSet;

const MAX_TASKS: usize = 1000;

/// Tasks with `tasks`, or one task in the flat shape of API 2.0.
#[derive(Deserialize)]
pub(crate) struct Plan {
    #[serde(default)]
    tasks: Option<Vec<TaskSpec>>,
    #[serde(flatten)]
    shared: Shared,
    /// The run's own limit, and in the flat shape its only task's.
    #[serde(default, deserialize_with = "number")]
    timeout_seconds: u64,
    #[serde(flatten)]
    flat: WorkSpec,
}

/// A plan that can be carried out.
pub(crate) struct Accepted {
    pub(crate) run_id: i64,
    pub(crate) format: Format,
    /// Seconds; 0 means no limit.
    pub(crate) timeout_seconds: u64,
    pub(crate) shared: Shared,
    pub(crate) tasks: Vec<TaskRecord>,
}

impl Plan {
    /// Whether it has no task at all, as a job may.
    pub(crate) fn is_empty(&self) -> bool {
        self.tasks.as_ref().map_or_else(|| self.flat.is_empty(), Vec::is_empty)
    }

    /// Checks everything that can be known before it runs.
    pub(crate) fn accept(self, known: Known<'_>) -> Result<Accepted, Refusal> {
        let shared = self.shared;
        shared.check(known.insecure_git)?;
        let run_id = ids::random();
        let Some(tasks) = self.tasks else {
            // The flat run is its own only task, and the limit is the task's.
            let task = TaskSpec::only(self.flat, self.timeout_seconds).accept(run_id, &shared, known.clusters)?;
            return Ok(Accepted { run_id, format: Format::SingleTask, timeout_seconds: 0, shared, tasks: vec![task] });
        };
        check_graph(&tasks)?;
        let tasks = tasks
            .into_iter()
            .map(|task| task.accept(ids::random(), &shared, known.clusters))
            .collect::<Result<_, _>>()?;
        Ok(Accepted { run_id, format: Format::MultiTask, timeout_seconds: self.timeout_seconds, shared, tasks })
    }
}

/// Keys are unique, dependencies exist and form no circle.
fn check_graph(tasks: &[TaskSpec]) -> Result<(), Refusal> {
    if tasks.is_empty() || tasks.len() > MAX_TASKS {
        return invalid(format!("A run has 1 to {MAX_TASKS} tasks."));
    }
    let keys: BTreeSet<_> = tasks.iter().map(|task| task.task_key.as_str()).collect();
    if keys.len() < tasks.len() || keys.contains("") {
        return invalid("Each task needs a task_key of its own.");
    }
    let mut done = BTreeSet::new();
    // Each round settles at least one task, or what is left can't be settled.
    while done.len() < tasks.len() {
        let ready = |task: &&TaskSpec| task.depends_on.iter().all(|other| done.contains(other.task_key.as_str()));
        let next: Vec<_> = tasks.iter().filter(ready).map(|task| task.task_key.as_str()).collect();
        let before = done.len();
        done.extend(next);
        if done.len() == before {
            return invalid("The dependencies of the tasks are unknown or form a circle.");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Clusters;
    use rstest::rstest;
    use serde_json::{Value, json};

    /// `key` or `key:dependency`, several between spaces.
    fn tasks(graph: &str) -> Vec<TaskSpec> {
        let one = |text: &str| {
            let mut keys = text.split(':');
            let key = keys.next();
            let on: Vec<_> = keys.map(|key| json!({ "task_key": key })).collect();
            serde_json::from_value(json!({ "task_key": key, "depends_on": on })).unwrap()
        };
        graph.split_whitespace().map(one).collect()
    }

    #[rstest]
    #[case("a b:a", true)]
    #[case("b:a a", true)]
    #[case("a:b b:a", false)]
    #[case("a:x", false)]
    #[case("a a", false)]
    #[case("", false)]
    fn a_graph_has_no_circle(#[case] graph: &str, #[case] fine: bool) {
        assert_eq!(check_graph(&tasks(graph)).is_ok(), fine);
    }

    #[test]
    fn a_plan_is_checked_before_anything_runs() {
        let folder = tempfile::tempdir().unwrap();
        let clusters = Clusters::open(folder.path().to_owned()).unwrap();
        clusters.define(crate::state::ClusterRecord::new("c", "c", "14.3"));
        let accept = |body: Value| serde_json::from_value::<Plan>(body).unwrap().accept(Known::strict(&clusters));
        let good = json!({ "existing_cluster_id": "c", "notebook_task": { "notebook_path": "/n" } });
        let with = |name: &str, value: Value| {
            let mut body = good.clone();
            body[name] = value;
            body
        };
        assert!(accept(good.clone()).is_ok());
        assert!(accept(with("existing_cluster_id", "other".into())).is_err());
        assert!(accept(with("git_source", json!({ "git_url": "x" }))).is_err());
        assert!(accept(with("notebook_task", Value::Null)).is_err());
        assert!(accept(with("job_cluster_key", "shared".into())).is_err());
        assert!(accept(with("environment_key", "one".into())).is_err());
    }

    #[rstest]
    #[case::notebook(json!({ "notebook_task": { "notebook_path": "/n" } }), None)]
    #[case::wheel(json!({ "python_wheel_task": { "package_name": "p", "entry_point": "e" }, "environment_key": "env" }), None)]
    #[case::notebook_in_an_environment(
        json!({ "notebook_task": { "notebook_path": "/n" }, "environment_key": "env" }),
        Some("A task environment can not be provided for notebook task")
    )]
    #[case::file_without_an_environment(
        json!({ "spark_python_task": { "python_file": "/f.py" } }),
        Some("An environment is required for serverless task t.")
    )]
    #[case::unknown_environment(
        json!({ "spark_python_task": { "python_file": "/f.py" }, "environment_key": "none" }),
        Some("environment_key 'none' is not among the environments")
    )]
    #[case::libraries(
        json!({ "notebook_task": { "notebook_path": "/n" }, "libraries": [{ "pypi": { "package": "x" } }] }),
        Some("Libraries field is not supported for serverless task")
    )]
    #[case::shared_cluster(json!({ "notebook_task": { "notebook_path": "/n" }, "job_cluster_key": "big" }), None)]
    #[case::unknown_cluster(
        json!({ "notebook_task": { "notebook_path": "/n" }, "job_cluster_key": "none" }),
        Some("job_cluster_key 'none' is not among the job_clusters")
    )]
    fn a_task_without_a_cluster_is_serverless(#[case] mut task: Value, #[case] refusal: Option<&str>) {
        let folder = tempfile::tempdir().unwrap();
        let clusters = Clusters::open(folder.path().to_owned()).unwrap();
        task["task_key"] = "t".into();
        let plan = json!({
            "tasks": [task],
            "environments": [{ "environment_key": "env", "spec": { "environment_version": "2", "dependencies": ["x"] } }],
            "job_clusters": [{ "job_cluster_key": "big", "new_cluster": { "spark_version": "14.3.x-scala2.12" } }],
        });
        let got = serde_json::from_value::<Plan>(plan)
            .unwrap()
            .accept(Known::strict(&clusters))
            .map(drop)
            .map_err(|refusal| refusal.to_string());
        match refusal {
            None => assert_eq!(got, Ok(())),
            Some(words) => assert!(got.as_ref().is_err_and(|message| message.contains(words)), "{got:?}"),
        }
    }
}
