//! One Job and its pod, read for a phase.
//!
//! Watches know both, so a look costs no request. The API server is asked once before a Job that is over is judged, since
//! the watches may know one of the two earlier than the other; and for a Job that was created and does not show.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStateTerminated, ContainerStatus, Pod};
use kube::{Api, ResourceExt, api::ListParams};

use super::State;
use super::sight::{JOB_NAME, Known};
use crate::context::Context;

/// The Job and its newest pod, as `read` reads it.
pub(crate) async fn known<T>(
    context: &Context,
    namespace: &str,
    name: &str,
    read: fn(&Pod) -> T,
) -> Result<(State, Option<T>), kube::Error> {
    Ok(match context.jobs.known(namespace, name) {
        Known::Seen(job) => {
            let pods = context.jobs.pods_of(namespace, name);
            (state(&job), newest(pods.iter().map(AsRef::as_ref)).map(read))
        }
        Known::New => (State::Active, None),
        Known::Unseen => asked(context, namespace, name, read).await?,
        // Creating it tells whether it is there.
        Known::Unknown => (State::Missing, None),
    })
}

/// The same as the API server has them.
pub(crate) async fn asked<T>(
    context: &Context,
    namespace: &str,
    name: &str,
    read: fn(&Pod) -> T,
) -> Result<(State, Option<T>), kube::Error> {
    let jobs: Api<Job> = Api::namespaced(context.kube.clone(), namespace);
    let Some(job) = jobs.get_opt(name).await? else {
        context.jobs.gone(namespace, name);
        return Ok((State::Missing, None));
    };
    let pods: Api<Pod> = Api::namespaced(context.kube.clone(), namespace);
    let found = pods.list(&ListParams::default().labels(&format!("{JOB_NAME}={name}"))).await?;
    Ok((state(&job), newest(&found.items).map(read)))
}

/// The pod that was created last.
pub(crate) fn newest<'a>(pods: impl IntoIterator<Item = &'a Pod>) -> Option<&'a Pod> {
    pods.into_iter().max_by_key(|pod| pod.creation_timestamp())
}

/// What a Job's conditions say.
fn state(job: &Job) -> State {
    let conditions = job.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let holds = |kind: &str| conditions.iter().find(|c| c.type_ == kind && c.status == "True");
    if holds("Complete").is_some() {
        return State::Complete;
    }
    match holds("Failed") {
        Some(failed) => State::Failed {
            reason: failed.reason.clone().unwrap_or_default(),
            message: failed.message.clone().unwrap_or_default(),
        },
        None => State::Active,
    }
}

/// Why a container can't start, if that is a fault and not just its turn that has not come; or why no node takes the pod.
pub(crate) fn waiting(pod: &Pod) -> Option<String> {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let unscheduled = conditions.iter().find(|c| c.type_ == "PodScheduled" && c.status == "False");
    containers(pod).find_map(held_up).or_else(|| unscheduled.and_then(|c| c.message.clone()))
}

fn held_up(container: &ContainerStatus) -> Option<String> {
    let waiting = container.state.as_ref()?.waiting.as_ref()?;
    let reason = waiting.reason.as_deref().unwrap_or_default();
    if matches!(reason, "PodInitializing" | "ContainerCreating" | "") {
        return None;
    }
    let message = waiting.message.as_deref().unwrap_or_default();
    Some(format!("container {}: {reason}: {message}", container.name))
}

/// Why the node or the kubelet took the pod away: evicted, preempted, lost. None if they did not.
pub(crate) fn disrupted(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let disrupted = status.conditions.iter().flatten().find(|c| c.type_ == "DisruptionTarget" && c.status == "True");
    disrupted.and_then(|c| c.message.clone()).or_else(|| status.message.clone())
}

/// The containers that ended, each with how, init containers first.
pub(crate) fn terminated(pod: &Pod) -> impl Iterator<Item = (&str, &ContainerStateTerminated)> {
    containers(pod).filter_map(|container| {
        let ended = container.state.as_ref().and_then(|state: &ContainerState| state.terminated.as_ref())?;
        Some((container.name.as_str(), ended))
    })
}

/// Whether a container of the pod has begun, whatever became of it.
pub(crate) fn has_begun(pod: &Pod, container: &str) -> bool {
    let has = |state: &ContainerState| state.running.is_some() || state.terminated.is_some();
    containers(pod).any(|one| one.name == container && one.state.as_ref().is_some_and(has))
}

fn containers(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let status = pod.status.as_ref();
    let init = status.and_then(|status| status.init_container_statuses.as_deref()).unwrap_or_default();
    let main = status.and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
    init.iter().chain(main)
}
