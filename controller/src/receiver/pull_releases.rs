//! The releases of one pull request.

use brickline_crds::{DatabricksRelease, ReleasePipeline, ReleaseReason, ReleaseState, labels};
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use crate::forge::event::PullRequest;
use crate::order::Birth;

/// The newest release, if it is of the request's commit and goes on. Gitea tells of a new commit also where that is the
/// one with which the pull request was opened a moment before.
pub(super) async fn under_way(
    client: &kube::Client,
    pipeline: &ReleasePipeline,
    request: &PullRequest,
) -> Result<Option<String>, kube::Error> {
    let found = list(&api(client, pipeline), pipeline, request).await?;
    let newest = found.iter().max_by_key(|release| Birth::of(release).alone());
    let same =
        newest.filter(|release| release.spec.source.git.as_ref().is_some_and(|git| git.commit == request.commit));
    Ok(same.filter(|release| goes_on(release)).map(ResourceExt::name_any))
}

/// Cancels what is still to come, and answers its names. Harmless when repeated: `cancel` can't be taken back.
pub(super) async fn cancel(
    client: &kube::Client,
    pipeline: &ReleasePipeline,
    request: &PullRequest,
) -> Result<Vec<String>, kube::Error> {
    let releases = api(client, pipeline);
    let mut canceled = Vec::new();
    for release in list(&releases, pipeline, request).await?.iter().filter(|release| goes_on(release)) {
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

fn api(client: &kube::Client, pipeline: &ReleasePipeline) -> Api<DatabricksRelease> {
    Api::namespaced(client.clone(), &pipeline.namespace().unwrap_or_default())
}

async fn list(
    releases: &Api<DatabricksRelease>,
    pipeline: &ReleasePipeline,
    request: &PullRequest,
) -> Result<Vec<DatabricksRelease>, kube::Error> {
    let of_pipeline = format!("{}={}", labels::PIPELINE, labels::value(&pipeline.name_any()));
    let of_request = format!("spec.source.git.ref={}", request.reference());
    let found = releases.list(&ListParams::default().labels(&of_pipeline).fields(&of_request)).await?;
    let is_its = |release: &DatabricksRelease| {
        let git = release.spec.source.git.as_ref();
        release.spec.reason == ReleaseReason::PullRequest && git.is_some_and(|git| git.reference == request.reference())
    };
    Ok(found.items.into_iter().filter(is_its).collect())
}

fn goes_on(release: &DatabricksRelease) -> bool {
    let finished = release.status.as_ref().is_some_and(|status| status.state == ReleaseState::Finished);
    !finished && !release.spec.cancel
}
