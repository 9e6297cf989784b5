//! The files that saved jobs install: what must not be deleted while a job may still run.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use super::MAX_PAGES;
use crate::databricks::{Client, Error, tolerant};

/// A job with its tasks, as far as it matters here. What other clients wrote there is taken as it is.
#[derive(Deserialize)]
pub(super) struct Expanded {
    #[serde(default, deserialize_with = "tolerant::number")]
    job_id: i64,
    #[serde(default)]
    settings: Settings,
    /// Whether it has more tasks than a list shows.
    #[serde(default)]
    has_more: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Settings {
    #[serde(deserialize_with = "tolerant::list")]
    tasks: Vec<Value>,
    #[serde(deserialize_with = "tolerant::list")]
    environments: Vec<Value>,
}

impl Expanded {
    /// Libraries of tasks by their path, and dependencies of environments.
    fn files(&self) -> impl Iterator<Item = String> {
        let all = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let libraries = self.settings.tasks.iter().flat_map(move |task| all(&task["libraries"]));
        let paths = libraries.flat_map(|library| {
            ["whl", "jar", "requirements"].map(|kind| library[kind].as_str().map(str::to_owned)).into_iter().flatten()
        });
        let dependencies = self.settings.environments.iter().flat_map(move |one| all(&one["spec"]["dependencies"]));
        paths.chain(dependencies.filter_map(|text| text.as_str().map(str::to_owned))).collect::<Vec<_>>().into_iter()
    }
}

impl Client {
    /// `GET jobs/list` with tasks: every file that some job of the workspace installs. Harmless when repeated.
    ///
    /// # Errors
    /// `Protocol` if there are more jobs than are read, or more tasks of one than a list shows: then nobody knows what is in
    /// use. The general ones.
    pub async fn files_of_jobs(&self) -> Result<BTreeSet<String>, Error> {
        let jobs: Vec<Expanded> = self.pages_of_jobs(MAX_PAGES, true).await?;
        if let Some(large) = jobs.iter().find(|job| job.has_more) {
            let message = format!("job {} has more tasks than a list shows", large.job_id);
            return Err(Error::Protocol { operation: "jobs/list", message });
        }
        Ok(jobs.iter().flat_map(Expanded::files).collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn files_are_found_on_clusters_and_in_environments() {
        let job = json!({"job_id": 1, "settings": {
            "tasks": [
                {"task_key": "a", "libraries": [{"whl": "/Volumes/a.whl"}, {"pypi": {"package": "x"}}]},
                {"task_key": "b", "libraries": null},
            ],
            "environments": [{"environment_key": "e", "spec": {"dependencies": ["/Workspace/b.whl", "requests"]}}],
        }});
        let job: Expanded = serde_json::from_value(job).expect("a job");
        assert_eq!(job.files().collect::<Vec<_>>(), ["/Volumes/a.whl", "/Workspace/b.whl", "requests"]);
        let empty: Expanded = serde_json::from_value(json!({"settings": {"tasks": null}})).expect("a job");
        assert_eq!(empty.files().count(), 0);
    }
}
