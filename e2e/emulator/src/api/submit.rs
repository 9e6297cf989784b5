//! What a client submits, in the flat shape of API 2.0 or with `tasks`, checked and made into a run's record.

use crate::{
    api::arguments::number,
    state::{
        Clusters, Library, Refusal, RunRecord, ids,
        objects::now,
        run::{Format, LifeCycle, RunIf, RunState, TaskOutput, TaskRecord},
    },
};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const MAX_TOKEN: usize = 64;
const MAX_TASKS: usize = 100;
const MAX_PARAMETERS: usize = 1024 * 1024;

/// The body of `runs/submit`.
#[derive(Deserialize)]
pub(crate) struct Submission {
    #[serde(default)]
    run_name: Option<String>,
    #[serde(default)]
    tasks: Option<Vec<TaskSubmission>>,
    #[serde(default)]
    idempotency_token: Option<String>,
    #[serde(default)]
    git_source: Option<Value>,
    /// The run's own limit, and in the flat shape its only task's.
    #[serde(default, deserialize_with = "number")]
    timeout_seconds: u64,
    #[serde(flatten)]
    flat: Workload,
}

#[derive(Deserialize)]
struct TaskSubmission {
    task_key: String,
    #[serde(default)]
    depends_on: Vec<Dependency>,
    #[serde(default)]
    run_if: RunIf,
    #[serde(default, deserialize_with = "number")]
    timeout_seconds: u64,
    #[serde(flatten)]
    workload: Workload,
}

#[derive(Deserialize)]
struct Dependency {
    task_key: String,
}

#[derive(Deserialize)]
struct Workload {
    #[serde(default)]
    existing_cluster_id: Option<String>,
    #[serde(default)]
    new_cluster: Option<Value>,
    #[serde(default)]
    notebook_task: Option<NotebookTask>,
    #[serde(default)]
    libraries: Vec<Library>,
}

#[derive(Deserialize)]
struct NotebookTask {
    notebook_path: String,
    #[serde(default)]
    base_parameters: BTreeMap<String, Value>,
    #[serde(default)]
    source: Option<String>,
}

fn invalid<T>(message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Invalid(message.into()))
}

impl Submission {
    /// The record of the run, not yet started.
    pub(crate) fn accept(self, creator: &str, clusters: &Clusters) -> Result<RunRecord, Refusal> {
        self.check()?;
        let run_id = ids::random();
        let (format, tasks, timeout_seconds) = if let Some(tasks) = self.tasks {
            check_graph(&tasks)?;
            let accept = |task: TaskSubmission| task.accept(ids::random(), clusters);
            (Format::MultiTask, tasks.into_iter().map(accept).collect::<Result<_, _>>()?, self.timeout_seconds)
        } else {
            // The flat run is its own only task, and the limit is the task's.
            let task = TaskSubmission::only(self.flat, self.timeout_seconds);
            (Format::SingleTask, vec![task.accept(run_id, clusters)?], 0)
        };
        Ok(RunRecord {
            run_id,
            job_id: ids::random(),
            run_name: self.run_name.unwrap_or_else(|| "Untitled".to_owned()),
            creator: creator.to_owned(),
            format,
            idempotency_token: self.idempotency_token.filter(|token| !token.is_empty()),
            timeout_seconds,
            start_time: now(),
            end_time: 0,
            state: RunState::at(LifeCycle::Pending, ""),
            code: String::new(),
            deleted: false,
            tasks,
        })
    }

    fn check(&self) -> Result<(), Refusal> {
        if self.idempotency_token.as_ref().is_some_and(|token| token.len() > MAX_TOKEN) {
            return invalid(format!("idempotency_token must have at most {MAX_TOKEN} characters."));
        }
        match &self.git_source {
            Some(source) if source["git_provider"].is_null() => invalid("git_source needs a git_provider."),
            Some(_) => Err(Refusal::Unsupported("git_source")),
            None => Ok(()),
        }
    }
}

impl TaskSubmission {
    /// The task of a flat run.
    fn only(workload: Workload, timeout_seconds: u64) -> Self {
        let task_key = "run".to_owned();
        Self { task_key, depends_on: Vec::new(), run_if: RunIf::AllSuccess, timeout_seconds, workload }
    }

    fn accept(self, run_id: i64, clusters: &Clusters) -> Result<TaskRecord, Refusal> {
        let Workload { existing_cluster_id, new_cluster, notebook_task, libraries } = self.workload;
        match (&existing_cluster_id, &new_cluster) {
            (Some(id), None) => drop(clusters.get(id)?),
            (None, Some(_)) => {}
            (None, None) => return Err(Refusal::Unsupported("Serverless compute")),
            (Some(_), Some(_)) => return invalid("Give either existing_cluster_id or new_cluster."),
        }
        let Some(notebook) = notebook_task else {
            return Err(Refusal::Unsupported("A task other than notebook_task"));
        };
        libraries.iter().try_for_each(Library::check)?;
        Ok(TaskRecord {
            run_id,
            task_key: self.task_key,
            depends_on: self.depends_on.into_iter().map(|dependency| dependency.task_key).collect(),
            run_if: self.run_if,
            cluster_id: existing_cluster_id,
            new_cluster,
            libraries,
            base_parameters: notebook.parameters()?,
            notebook_path: notebook.notebook_path,
            timeout_seconds: self.timeout_seconds,
            start_time: 0,
            end_time: 0,
            setup_duration: 0,
            execution_duration: 0,
            spark_context_id: 0,
            state: RunState::at(LifeCycle::Blocked, ""),
            code: String::new(),
            output: TaskOutput::default(),
        })
    }
}

impl NotebookTask {
    fn parameters(&self) -> Result<BTreeMap<String, String>, Refusal> {
        if self.source.as_deref() == Some("GIT") {
            return Err(Refusal::Unsupported("A notebook from git"));
        }
        if !self.notebook_path.starts_with('/') {
            return invalid("notebook_path must be absolute for a notebook in the workspace.");
        }
        let mut parameters = BTreeMap::new();
        let mut size = 0;
        for (name, value) in &self.base_parameters {
            let Some(text) = value.as_str() else {
                return invalid(format!("base_parameters.{name} must be a string."));
            };
            size += name.len() + text.len();
            parameters.insert(name.clone(), text.to_owned());
        }
        if size > MAX_PARAMETERS {
            return invalid("base_parameters must not exceed 1 MB.");
        }
        Ok(parameters)
    }
}

/// Keys are unique, dependencies exist and form no circle.
fn check_graph(tasks: &[TaskSubmission]) -> Result<(), Refusal> {
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
        let ready = |task: &&TaskSubmission| task.depends_on.iter().all(|other| done.contains(other.task_key.as_str()));
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
    use rstest::rstest;
    use serde_json::json;

    /// `key` or `key:dependency`, several between spaces.
    fn tasks(graph: &str) -> Vec<TaskSubmission> {
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
    fn a_body_is_checked_before_anything_runs() {
        let folder = tempfile::tempdir().unwrap();
        let clusters = Clusters::open(folder.path().to_owned()).unwrap();
        clusters.define(crate::state::ClusterRecord::new("c", "c", "14.3"));
        let accept = |body: Value| serde_json::from_value::<Submission>(body).unwrap().accept("me", &clusters);
        let good = json!({ "existing_cluster_id": "c", "notebook_task": { "notebook_path": "/n" } });
        let with = |name: &str, value: Value| {
            let mut body = good.clone();
            body[name] = value;
            body
        };
        assert!(accept(good.clone()).is_ok());
        assert!(accept(with("idempotency_token", "x".repeat(64).into())).is_ok());
        assert!(accept(with("idempotency_token", "x".repeat(65).into())).is_err());
        assert!(accept(with("existing_cluster_id", "other".into())).is_err());
        assert!(accept(with("git_source", json!({ "git_url": "x" }))).is_err());
        assert!(accept(with("notebook_task", json!({ "notebook_path": "n" }))).is_err());
        assert!(accept(with("notebook_task", Value::Null)).is_err());
        let wrong = json!({ "notebook_path": "/n", "base_parameters": { "a": 1 } });
        assert!(accept(with("notebook_task", wrong)).is_err());
    }
}
