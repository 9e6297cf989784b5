//! Looks at the Job of an asset bundle and at its pod.

use brickline_artifact::layout;
use brickline_crds::DatabricksRelease;
use k8s_openapi::api::core::v1::Pod as KubePod;
use kube::api::ListParams;
use kube::{Api, ResourceExt};

use super::{Ended, Pod, View, ticket_of};
use crate::context::Context;
use crate::phase::job::{JOB_NAME, State, asked, disrupted, known, newest, terminated, waiting};
use crate::trouble::Trouble;

/// What `decide` needs to know; none if the release has not come to its bundle.
pub(crate) async fn observe(release: &DatabricksRelease, context: &Context) -> Result<Option<View>, Trouble> {
    let Some(ticket) = ticket_of(release) else { return Ok(None) };
    let namespace = release.namespace().unwrap_or_default();
    let (job, pod) = known(context, &namespace, &ticket.job, read).await?;
    let (job, pod) = match job {
        State::Failed { .. } => asked(context, &namespace, &ticket.job, read).await?,
        // Somebody took the Job away. Its pod may still deploy, and another must not begin beside it.
        State::Missing if ticket.created => (State::Missing, left(context, &namespace, &ticket.job).await?),
        job => (job, pod),
    };
    Ok(Some(View { job, pod }))
}

async fn left(context: &Context, namespace: &str, job: &str) -> Result<Option<Pod>, kube::Error> {
    let pods: Api<KubePod> = Api::namespaced(context.kube.clone(), namespace);
    let found = pods.list(&ListParams::default().labels(&format!("{JOB_NAME}={job}"))).await?;
    Ok(newest(&found.items).map(read))
}

pub(super) fn read(pod: &KubePod) -> Pod {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    let ended = |name: &str| {
        let badly = |(container, ended): &(&str, &_)| *container == name && is_bad(ended);
        terminated(pod).find(badly).map(|(_, ended)| Ended {
            exit_code: ended.exit_code,
            why: ended.reason.clone().unwrap_or_default(),
            said: ended.message.clone().unwrap_or_default(),
        })
    };
    Pod {
        alive: !matches!(phase, Some("Succeeded" | "Failed")),
        waiting: waiting(pod),
        fetch: ended(layout::CONTAINER_FETCH),
        bundle: ended(layout::CONTAINER_BUNDLE),
        disrupted: disrupted(pod),
    }
}

fn is_bad(ended: &k8s_openapi::api::core::v1::ContainerStateTerminated) -> bool {
    ended.exit_code != 0
}
