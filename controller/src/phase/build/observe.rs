//! Looks at a build: its Job, its pod, and what was handed in.
//!
//! Watches know the first two, so a look costs no request. The API server is asked once before a build that handed nothing
//! in is judged, since of a Job and its pod the watches may know one earlier than the other; and for a Job that was
//! created and does not show.

use brickline_artifact::{layout, result::Outcome as Verdict};
use brickline_crds::{DatabricksRelease, DatabricksReleaseStatus, Phase};
use k8s_openapi::api::batch::v1::Job as KubeJob;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod as KubePod};
use kube::{Api, ResourceExt, api::ListParams};

use super::sight::{JOB_NAME, Known};
use super::{Ended, Job, Pod, View, job_name};
use crate::context::Context;
use crate::trouble::Trouble;

/// What the Build phase's `decide` needs to know.
pub(crate) async fn observe(
    release: &DatabricksRelease,
    status: &DatabricksReleaseStatus,
    context: &Context,
) -> Result<View, Trouble> {
    let namespace = release.namespace().unwrap_or_default();
    let attempt = status.phase(Phase::Build).map_or(1, |phase| phase.attempts);
    let name = job_name(release, attempt);
    let (job, pod) = match context.builds.known(&namespace, &name) {
        Known::Seen(job) => {
            let pods = context.builds.pods_of(&namespace, &name);
            (state(&job), newest(pods.iter().map(AsRef::as_ref)))
        }
        Known::New => (Job::Active, None),
        Known::Unseen => asked(context, &namespace, &name).await?,
        // Creating it tells whether it is there.
        Known::Unknown => (Job::Missing, None),
    };
    // Read after the Job: what there is to hand in was handed in when it is over.
    let result = context.artifacts.result(release, attempt).await?;
    let view = View { job, result, pod };
    if matches!(view.job, Job::Complete | Job::Failed { .. }) && view.sealed().is_none() {
        let (job, pod) = asked(context, &namespace, &name).await?;
        return Ok(View { job, pod, ..view });
    }
    Ok(view)
}

/// The Job and its pod as the API server has them.
async fn asked(context: &Context, namespace: &str, name: &str) -> Result<(Job, Option<Pod>), kube::Error> {
    let jobs: Api<KubeJob> = Api::namespaced(context.kube.clone(), namespace);
    let Some(job) = jobs.get_opt(name).await? else {
        context.builds.gone(namespace, name);
        return Ok((Job::Missing, None));
    };
    let pods: Api<KubePod> = Api::namespaced(context.kube.clone(), namespace);
    let found = pods.list(&ListParams::default().labels(&format!("{JOB_NAME}={name}"))).await?;
    Ok((state(&job), newest(&found.items)))
}

fn newest<'a>(pods: impl IntoIterator<Item = &'a KubePod>) -> Option<Pod> {
    pods.into_iter().max_by_key(|pod| pod.creation_timestamp()).map(read)
}

fn state(job: &KubeJob) -> Job {
    let conditions = job.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let holds = |kind: &str| conditions.iter().find(|c| c.type_ == kind && c.status == "True");
    if holds("Complete").is_some() {
        return Job::Complete;
    }
    match holds("Failed") {
        Some(failed) => Job::Failed {
            reason: failed.reason.clone().unwrap_or_default(),
            message: failed.message.clone().unwrap_or_default(),
        },
        None => Job::Active,
    }
}

fn read(pod: &KubePod) -> Pod {
    let status = pod.status.clone().unwrap_or_default();
    let init = status.init_container_statuses.unwrap_or_default();
    let main = status.container_statuses.unwrap_or_default();
    let conditions = status.conditions.unwrap_or_default();
    let unscheduled = conditions.iter().find(|c| c.type_ == "PodScheduled" && c.status == "False");
    let disrupted = conditions.iter().find(|c| c.type_ == "DisruptionTarget" && c.status == "True");
    let all = || init.iter().chain(&main);
    Pod {
        name: pod.name_any(),
        waiting: all().find_map(waiting).or_else(|| unscheduled.and_then(|c| c.message.clone())),
        verdict: all().find_map(verdict),
        ended: all().find_map(ended),
        disrupted: disrupted.and_then(|c| c.message.clone()).or(status.message),
    }
}

/// Why a container can't start, if that is a fault and not just its turn that has not come.
fn waiting(container: &ContainerStatus) -> Option<String> {
    let waiting = container.state.as_ref()?.waiting.as_ref()?;
    let reason = waiting.reason.as_deref().unwrap_or_default();
    if matches!(reason, "PodInitializing" | "ContainerCreating" | "") {
        return None;
    }
    let message = waiting.message.as_deref().unwrap_or_default();
    Some(format!("container {}: {reason}: {message}", container.name))
}

/// What `checkout` or `steps` ended with: its last words, or its exit code.
fn verdict(container: &ContainerStatus) -> Option<Verdict> {
    if container.name != layout::CONTAINER_CHECKOUT && container.name != layout::CONTAINER_STEPS {
        return None;
    }
    let ended = container.state.as_ref()?.terminated.as_ref().filter(|ended| ended.exit_code != 0)?;
    let words = ended.message.as_deref().and_then(|message| serde_json::from_str(message).ok());
    words.or_else(|| Verdict::from_exit_code(ended.exit_code))
}

/// A container that ended badly and left no verdict.
fn ended(container: &ContainerStatus) -> Option<Ended> {
    let ended = container.state.as_ref()?.terminated.as_ref().filter(|ended| ended.exit_code != 0)?;
    if Verdict::from_exit_code(ended.exit_code).is_some() {
        return None;
    }
    let words = [ended.reason.as_deref(), ended.message.as_deref()];
    let why = words.into_iter().flatten().collect::<Vec<_>>().join(": ");
    Some(Ended { container: container.name.clone(), exit_code: ended.exit_code, why })
}
