//! A pull request was closed: what is still to come of its releases is canceled.

use brickline_crds::{DatabricksRelease, ReleasePipeline, ReleaseReason, ReleaseState, labels};
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use super::pull_request::PullRequest;

/// Cancels the unfinished releases of the pull request, and answers their names. Harmless when repeated: `cancel` can't be
/// taken back.
pub(super) async fn cancel(
    client: &kube::Client,
    pipeline: &ReleasePipeline,
    request: &PullRequest,
) -> Result<Vec<String>, kube::Error> {
    let releases: Api<DatabricksRelease> = Api::namespaced(client.clone(), &pipeline.namespace().unwrap_or_default());
    let of_pipeline = format!("{}={}", labels::PIPELINE, labels::value(&pipeline.name_any()));
    let of_request = format!("spec.source.git.ref={}", request.reference());
    let found = releases.list(&ListParams::default().labels(&of_pipeline).fields(&of_request)).await?;
    let mut canceled = Vec::new();
    for release in found.items.iter().filter(|release| is_to_cancel(release, request)) {
        let name = release.name_any();
        let patch = Patch::Merge(json!({"spec": {"cancel": true}}));
        match releases.patch(&name, &PatchParams::default(), &patch).await {
            Ok(_) => canceled.push(name),
            Err(kube::Error::Api(status)) if status.is_not_found() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(canceled)
}

fn is_to_cancel(release: &DatabricksRelease, request: &PullRequest) -> bool {
    let finished = release.status.as_ref().is_some_and(|status| status.state == ReleaseState::Finished);
    let git = release.spec.source.git.as_ref();
    release.spec.reason == ReleaseReason::PullRequest
        && git.is_some_and(|git| git.reference == request.reference())
        && !finished
        && !release.spec.cancel
}
