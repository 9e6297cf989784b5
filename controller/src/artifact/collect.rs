//! The collection of what no release needs any more: the marks from Kubernetes, then a sweep, again and again.

use std::fmt::Debug;
use std::sync::Arc;

use brickline_crds::{DatabricksRelease, ReleasePipeline, ReleaseResult};
use jiff::Timestamp;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::time::MissedTickBehavior;

use super::Artifacts;
use super::sweep::{Marks, Swept};
use crate::context::Context;
use crate::trouble::Trouble;

/// How many objects one request lists.
const PAGE: u32 = 200;

/// Sweeps the artifact store at once and then at every interval, until it is aborted.
pub(crate) async fn collect_garbage(context: Arc<Context>) {
    let mut ticks = tokio::time::interval(context.settings.args.artifact_sweep_interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match collect(&context).await {
            Ok(swept) => {
                let Swept { artifacts, releases, bytes, kept, failed } = swept;
                tracing::info!(artifacts, releases, bytes, kept, failed, "the artifact store was swept");
                context.metrics.swept(artifacts, kept);
            }
            Err(trouble) => {
                tracing::warn!(error = %trouble.message, "the artifact store was not swept: the next time tries again");
            }
        }
    }
}

async fn collect(context: &Context) -> Result<Swept, Trouble> {
    let marks = marks(&context.kube, &context.artifacts).await?;
    context.artifacts.sweep(&marks, context.settings.args.artifact_sweep_grace, Timestamp::now()).await
}

/// What must stay. All of it, or an error: a sweep by half of the marks would take the other half's artifacts.
async fn marks(kube: &Client, artifacts: &Artifacts) -> Result<Marks, Trouble> {
    let mut marking = Marking::default();
    // Pipelines first: what a rollback then takes from a stage is named by its release, which is listed later.
    each(&Api::all(kube.clone()), |pipeline| marking.pipeline(pipeline)).await?;
    each(&Api::all(kube.clone()), |release| marking.release(release)).await?;
    marking.finish(artifacts).await
}

/// Reads every object of a kind, as of one moment: pages that expired are an error.
async fn each<K>(objects: &Api<K>, mut read: impl FnMut(&K)) -> Result<(), kube::Error>
where
    K: Clone + Debug + DeserializeOwned,
{
    let mut wanted = ListParams::default().limit(PAGE);
    loop {
        let page = objects.list(&wanted).await?;
        page.items.iter().for_each(&mut read);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => wanted = wanted.continue_token(&token),
            None => return Ok(()),
        }
    }
}

/// Marks while they are collected.
#[derive(Default)]
struct Marking {
    marks: Marks,
    /// Releases whose status may not name yet what their build handed in.
    unrecorded: Vec<(String, String)>,
}

impl Marking {
    /// A pipeline, and what its stages have, to which they may go back.
    fn pipeline(&mut self, pipeline: &ReleasePipeline) {
        self.marks.pipelines.insert((pipeline.namespace().unwrap_or_default(), pipeline.name_any()));
        let stages = pipeline.status.iter().flat_map(|status| &status.stages);
        let stored = stages.flat_map(|stage| [&stage.deployed, &stage.last_good]).flatten();
        stored.for_each(|stored| self.artifact(&stored.artifact));
    }

    /// A release, what it has and what it will take.
    fn release(&mut self, release: &DatabricksRelease) {
        let key = (release.namespace().unwrap_or_default(), release.uid().unwrap_or_default());
        release.spec.source.artifact_from.iter().for_each(|from| self.artifact(&from.digest));
        release.spec.source.artifact.iter().for_each(|remote| self.artifact(&remote.digest));
        let status = release.status.as_ref();
        match status.and_then(|status| status.artifact.as_ref()) {
            Some(artifact) => self.artifact(&artifact.digest),
            None if status.is_none_or(|status| status.result == ReleaseResult::None) => {
                self.unrecorded.push(key.clone());
            }
            None => {}
        }
        self.marks.releases.insert(key);
    }

    /// A text that is no digest names nothing of the store.
    fn artifact(&mut self, digest: &str) {
        self.marks.artifacts.extend(digest.parse::<brickline_artifact::Digest>().ok());
    }

    /// A build may have handed in long before its release could look: suspended, or while the controller was away.
    async fn finish(mut self, artifacts: &Artifacts) -> Result<Marks, Trouble> {
        for (namespace, uid) in &self.unrecorded {
            self.marks.artifacts.extend(artifacts.handed_in(namespace, uid).await?);
        }
        Ok(self.marks)
    }
}

#[cfg(test)]
mod tests;
