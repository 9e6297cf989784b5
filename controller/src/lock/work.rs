//! Work that a holder left behind: whether it may still be alive.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::batch::v1::Job;
use kube::Api;

use crate::databricks::{Category, Client};
use crate::trouble::Trouble;

/// Runs asked for at the same time.
const PARALLEL: usize = 5;

/// Stands for a run that may have been submitted without our learning its id.
pub(crate) const UNKNOWN: &str = "unknown";

/// What a release started and could not stop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Work {
    /// Ids of Databricks' runs, and [`UNKNOWN`].
    pub(crate) runs: BTreeSet<String>,
    /// The name of a Job in the release's namespace.
    pub(crate) job: Option<String>,
}

impl Work {
    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.job.is_none()
    }
}

/// Says what of a holder's work may still be alive.
pub(crate) trait Witness {
    /// What is not surely over, in words: `run 12 (RUNNING)`. Empty: all of it is over. `namespace` is the holder's.
    async fn still_alive(&self, namespace: &str, work: &Work) -> Result<Vec<String>, Trouble>;
}

/// The real witness. The release that wants the lock is connected to the holder's workspace: its host is in the lock.
pub(crate) struct Outside<'a> {
    pub(crate) databricks: &'a Client,
    pub(crate) kube: &'a kube::Client,
}

impl Witness for Outside<'_> {
    async fn still_alive(&self, namespace: &str, work: &Work) -> Result<Vec<String>, Trouble> {
        // Collected first: a stream over the borrowed ids would tie their lifetime into the future's type.
        let asked: Vec<_> = work.runs.iter().map(|run| self.run(run)).collect();
        let alive: Vec<Option<String>> = stream::iter(asked).buffered(PARALLEL).try_collect().await?;
        let job = match &work.job {
            Some(job) => self.job(namespace, job).await?,
            None => None,
        };
        Ok(alive.into_iter().flatten().chain(job).collect())
    }
}

impl Outside<'_> {
    async fn run(&self, id: &str) -> Result<Option<String>, Trouble> {
        if id == UNKNOWN {
            return Ok(Some("a run whose id nobody knows: look for it at Databricks".to_owned()));
        }
        let Ok(run_id) = id.parse() else { return Ok(Some(format!("run {id:?}, which is no id of Databricks"))) };
        match self.databricks.run(run_id).await {
            Ok(run) if run.state.is_over() => Ok(None),
            Ok(run) => {
                let state: &str = run.state.life_cycle_state.into();
                Ok(Some(format!("run {id} ({state})")))
            }
            Err(error) if error.is_not_found() => Ok(None),
            // Another identity's run: that is no fault of the release that waits.
            Err(error) if error.category() == Category::Permission => {
                Ok(Some(format!("run {id}, which the workspace's identity may not see")))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn job(&self, namespace: &str, name: &str) -> Result<Option<String>, Trouble> {
        let jobs: Api<Job> = Api::namespaced(self.kube.clone(), namespace);
        let job = jobs.get_opt(name).await?;
        Ok(job.filter(|job| !is_over(job)).map(|_| format!("Job {namespace}/{name}")))
    }
}

/// A Job is `Complete` or `Failed` only when all of its pods have ended.
fn is_over(job: &Job) -> bool {
    let conditions = job.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|conditions| {
        conditions
            .iter()
            .any(|condition| matches!(&*condition.type_, "Complete" | "Failed") && condition.status == "True")
    })
}
