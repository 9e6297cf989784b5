//! What a new leader must know of finished releases: whether each pipeline's last one failed, for the alert.

use std::collections::BTreeMap;

use brickline_crds::{DatabricksRelease, ReleaseReason, labels};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Api;
use kube::api::{ListParams, ObjectMeta};

use crate::context::Context;

/// How many releases one request lists.
const PAGE: u32 = 500;

/// Namespace and pipeline.
type Pipeline = (String, String);

/// Sets the metric from the labels of finished releases; their status is not read.
pub(crate) async fn recall(context: &Context) -> Result<(), kube::Error> {
    let releases: Api<DatabricksRelease> = Api::all(context.kube.clone());
    // Those of pull requests say nothing of the pipeline.
    let wanted = format!("{},{},{}!={}", labels::RESULT, labels::PIPELINE, labels::REASON, ReleaseReason::PullRequest);
    let mut wanted = ListParams::default().labels(&wanted).limit(PAGE);
    let mut last = BTreeMap::new();
    loop {
        let page = releases.list_metadata(&wanted).await?;
        for release in &page.items {
            remember(&mut last, &release.metadata);
        }
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => wanted = wanted.continue_token(&token),
            None => break,
        }
    }
    for ((namespace, pipeline), (_, result)) in last {
        context.metrics.last_release(
            &namespace,
            &pipeline,
            !matches!(result.as_str(), "succeeded" | "succeededwithissues" | "skipped"),
        );
    }
    Ok(())
}

/// Keeps the newest release of each pipeline, by its creation.
fn remember(last: &mut BTreeMap<Pipeline, (Option<Time>, String)>, release: &ObjectMeta) {
    let label = |name: &str| release.labels.as_ref().and_then(|labels| labels.get(name)).cloned().unwrap_or_default();
    let key = (release.namespace.clone().unwrap_or_default(), label(labels::PIPELINE));
    let created = release.creation_timestamp.clone();
    if last.get(&key).is_none_or(|(newest, _)| *newest < created) {
        last.insert(key, (created, label(labels::RESULT)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(created: &str, result: &str) -> ObjectMeta {
        let labels = [(labels::PIPELINE, "dbxdemo"), (labels::RESULT, result)];
        ObjectMeta {
            namespace: Some("data".to_owned()),
            creation_timestamp: Some(Time(created.parse().unwrap())),
            labels: Some(labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into()),
            ..ObjectMeta::default()
        }
    }

    #[test]
    fn the_newest_release_speaks_for_its_pipeline_in_whatever_order_they_are_listed() {
        let (good, bad) = (release("2026-11-21T10:00:00Z", "succeeded"), release("2026-11-21T11:00:00Z", "failed"));
        for listed in [[&good, &bad], [&bad, &good]] {
            let mut last = BTreeMap::new();
            for release in listed {
                remember(&mut last, release);
            }
            let (_, result) = &last[&("data".to_owned(), "dbxdemo".to_owned())];
            assert_eq!(result, "failed");
        }
    }
}
