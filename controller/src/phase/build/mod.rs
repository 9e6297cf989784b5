//! Build: one Job, one pod; leaves the artifact, the report and the logs in the artifact store.

mod act;
mod decide;
mod observe;
mod pod;
mod since;

use brickline_artifact::result::{BuildResult, Outcome};

use super::job;

pub(crate) use act::{act, alive, stop};
pub(crate) use decide::{decide, job_name, runs, ticket};
pub(crate) use observe::observe;

/// What can be done. Both are harmless when repeated: the Job's name is derived from the release and the attempt.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Effect {
    /// Create the attempt's Job.
    CreateJob { name: String, attempt: u32 },
}

/// What a look shows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct View {
    pub(crate) job: job::State,
    /// What the pod handed in, once it is sealed.
    pub(crate) result: Option<BuildResult>,
    /// What the pod's containers say of themselves.
    pub(crate) pod: Option<Pod>,
}

impl View {
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
