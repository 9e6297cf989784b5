//! Build: one Job with one pod, or several beside each other; leaves the artifact, the reports and the logs in the artifact
//! store. An artifact that was built elsewhere is fetched instead.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `decide.rs` | a build that is one Job: create it, wait for it, read its verdict. Pure |
//! | `jobs.rs` | a build with further jobs: the same for each, in their order and as slots allow. Pure |
//! | `order.rs` | which of the jobs may begin, and which never will. Pure |
//! | `judge.rs` | what one Job and its pod say. Pure |
//! | `record.rs` | what an ended job leaves in the release's status. Pure |
//! | `name.rs` | the Jobs' names and tickets. Pure |
//! | `plan.rs`, `pod.rs` | a job's order to its pod, and the pod. Pure |
//! | `session.rs` | Databricks Connect: what the job with the tests is given of the workspace |
//! | `fetch` | what stands in its place for `source.artifact`: a download, and no Job |
//! | `since.rs` | the commits that a build is compared with. Pure |

mod act;
mod decide;
pub(crate) mod fetch;
mod jobs;
mod judge;
mod name;
mod observe;
mod order;
mod plan;
mod pod;
mod record;
pub(crate) mod session;
mod since;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use brickline_artifact::result::{BuildResult, Outcome};

use super::job;

pub(crate) use super::job::of_build as job_name;
pub(crate) use act::{act, alive, stop};
pub(crate) use decide::decide;
#[cfg(test)]
pub(crate) use name::Running;
pub(crate) use name::{begin, under_way};
pub(crate) use observe::observe;

/// What can be done. All is harmless when repeated: a Job's name is derived from the release, the job and the attempt, a
/// slot is the leader's own account, and an artifact is stored by its digest.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Effect {
    /// Create the Job of a job's attempt.
    CreateJob { job: String, name: String, attempt: u32 },
    /// Ask for build slots for these jobs.
    Slots { jobs: BTreeSet<String> },
    /// Fetch what was built elsewhere.
    Fetch,
}

/// What a look shows: the jobs under way, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct View(pub(crate) BTreeMap<String, Look>);

/// What a look at one job shows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Look {
    pub(crate) job: job::State,
    /// What the pod handed in, once it is sealed.
    pub(crate) result: Option<BuildResult>,
    /// What the pod's containers say of themselves.
    pub(crate) pod: Option<Pod>,
}

impl Look {
    /// What the pod handed in, if that is the verdict: whatever became of the Job since. But the repository's code may
    /// have written a success that the steps' exit code does not bear out.
    pub(crate) fn sealed(&self) -> Option<&BuildResult> {
        let contradicted = |result: &BuildResult| {
            result.outcome == Outcome::Succeeded && matches!(self.job, job::State::Failed { .. })
        };
        self.result.as_ref().filter(|result| self.job != job::State::Active && !contradicted(result))
    }
}

/// What a pod's status tells.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Pod {
    pub(crate) name: String,
    /// Why a container can't start, such as an image that can't be pulled; or why no node takes the pod.
    pub(crate) waiting: Option<String>,
    /// The verdict of `checkout` or `steps` by termination message or exit code.
    pub(crate) verdict: Option<Outcome>,
    /// A container that ended without a verdict of the runner's: killed, or never started.
    pub(crate) ended: Option<Ended>,
    /// The node or the kubelet took the pod away: evicted, preempted, lost.
    pub(crate) disrupted: Option<String>,
}

/// How a container ended that could not say so itself.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ended {
    pub(crate) container: String,
    pub(crate) exit_code: i32,
    /// Kubernetes' reason and message, such as `OOMKilled` or `StartError: ...`.
    pub(crate) why: String,
}
