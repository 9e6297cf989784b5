//! How long the oldest unfinished release of each pipeline has been waiting, as a metric for the alert on stuck ones.

use std::collections::BTreeMap;
use std::time::Duration;

use brickline_crds::{DatabricksRelease, labels};
use kube::ResourceExt;
use kube::runtime::reflector::Store;

use crate::metrics::Metrics;

/// How often the metric is brought up to date: as often as Prometheus usually scrapes.
const EVERY: Duration = Duration::from_secs(15);

/// Keeps the metric true until it is aborted. The store holds unfinished releases only.
pub(crate) async fn watch_age(unfinished: Store<DatabricksRelease>, metrics: Metrics) {
    let mut known: BTreeMap<(String, String), i64> = BTreeMap::new();
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        ticks.tick().await;
        let oldest = oldest(&unfinished.state());
        for (namespace, pipeline) in known.keys() {
            metrics.oldest_unfinished(namespace, pipeline, None);
        }
        for ((namespace, pipeline), since) in &oldest {
            metrics.oldest_unfinished(namespace, pipeline, Some(*since));
        }
        known = oldest;
    }
}

/// The earliest creation by namespace and pipeline, in seconds since 1970.
fn oldest(releases: &[std::sync::Arc<DatabricksRelease>]) -> BTreeMap<(String, String), i64> {
    let mut oldest = BTreeMap::new();
    for release in releases {
        let Some(created) = release.creation_timestamp() else { continue };
        let pipeline = release.labels().get(labels::PIPELINE).cloned().unwrap_or_default();
        let since = oldest.entry((release.namespace().unwrap_or_default(), pipeline)).or_insert(i64::MAX);
        *since = (*since).min(created.0.as_second());
    }
    oldest
}
