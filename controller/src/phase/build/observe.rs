//! Looks at a build: its Jobs, their pods, and what was handed in.

use brickline_artifact::{layout, result::Outcome as Verdict};
use brickline_crds::{DatabricksRelease, DatabricksReleaseStatus, Phase, PhaseStatus};
use futures::future::try_join_all;
use k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod as KubePod};
use kube::ResourceExt;

use super::name::Running;
use super::{Ended, Look, Pod, View, under_way};
use crate::context::Context;
use crate::phase::job::{State, asked, disrupted, known, terminated, waiting};
use crate::trouble::Trouble;

/// What the Build phase's `decide` needs to know.
pub(crate) async fn observe(
    release: &DatabricksRelease,
    status: &DatabricksReleaseStatus,
    context: &Context,
) -> Result<View, Trouble> {
    let build = status.phase(Phase::Build).cloned().unwrap_or_else(|| PhaseStatus::pending(Phase::Build));
    let looks = under_way(release, &build).into_iter().map(|running| async move {
        let look = look(release, &running, context).await?;
        Ok::<_, Trouble>((running.job, look))
    });
    Ok(View(try_join_all(looks).await?.into_iter().collect()))
}

async fn look(release: &DatabricksRelease, running: &Running, context: &Context) -> Result<Look, Trouble> {
    let namespace = release.namespace().unwrap_or_default();
    let (job, pod) = known(context, &namespace, &running.name, read).await?;
    // Read after the Job: what there is to hand in was handed in when it is over.
    let result = context.artifacts.result(release, &running.job, running.attempt).await?;
    let look = Look { job, result, pod };
    if matches!(look.job, State::Complete | State::Failed { .. }) && look.sealed().is_none() {
        let (job, pod) = asked(context, &namespace, &running.name, read).await?;
        return Ok(Look { job, pod, ..look });
    }
    Ok(look)
}

fn read(pod: &KubePod) -> Pod {
    let badly = || terminated(pod).filter(|(_, ended)| ended.exit_code != 0);
    Pod {
        name: pod.name_any(),
        waiting: waiting(pod),
        verdict: badly().find_map(|(container, ended)| verdict(container, ended)),
        ended: badly().find_map(|(container, ended)| without_verdict(container, ended)),
        disrupted: disrupted(pod),
    }
}

/// What `checkout` or `steps` ended with: its last words, or its exit code.
fn verdict(container: &str, ended: &ContainerStateTerminated) -> Option<Verdict> {
    if container != layout::CONTAINER_CHECKOUT && container != layout::CONTAINER_STEPS {
        return None;
    }
    let words = ended.message.as_deref().and_then(|message| serde_json::from_str(message).ok());
    words.or_else(|| Verdict::from_exit_code(ended.exit_code))
}

/// A container that ended badly and left no verdict.
fn without_verdict(container: &str, ended: &ContainerStateTerminated) -> Option<Ended> {
    if Verdict::from_exit_code(ended.exit_code).is_some() {
        return None;
    }
    let words = [ended.reason.as_deref(), ended.message.as_deref()];
    let why = words.into_iter().flatten().collect::<Vec<_>>().join(": ");
    Some(Ended { container: container.to_owned(), exit_code: ended.exit_code, why })
}
