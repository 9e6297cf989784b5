//! How long the runs before took: a small object of the artifact store for each pipeline and stage. Only runs that passed
//! and are compared with others are in it.
//!
//! It is written once a release, after all verdicts. Two releases of one stage that end at the same moment may overwrite
//! one another's times: then one of them is not compared with later.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use brickline_crds::{DatabricksRelease, Regression, labels};
use kube::ResourceExt;
use object_store::path::Path;
use serde::{Deserialize, Serialize};

use super::Item;
use crate::artifact::place;
use crate::context::Context;
use crate::trouble::Trouble;
use crate::verdict::{Baseline, NotebookVerdict, Verdict};

/// From how many runs on a comparison means something.
const ENOUGH: usize = 3;

/// What is known of a pipeline and stage, by notebook or task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct History(BTreeMap<String, Vec<Passed>>);

/// A run that passed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Passed {
    /// The release's uid: its own runs are not what it is compared with, however often it writes them.
    release: String,
    millis: u64,
}

/// What a run of this item is compared with; none if it is not, or if too little is known.
pub(super) async fn baseline(
    release: &DatabricksRelease,
    item: &Item,
    context: &Context,
) -> Result<Option<Baseline>, Trouble> {
    let (Some(regression), Some(place)) = (item.regression, place_of(release)) else { return Ok(None) };
    let history = read(&place, context).await?;
    Ok(history.baseline(&item.path, regression, &release.uid().unwrap_or_default()))
}

/// Adds what passed. Harmless when repeated.
pub(super) async fn remember(
    release: &DatabricksRelease,
    items: &[Item],
    verdicts: &[NotebookVerdict],
    context: &Context,
) -> Result<(), Trouble> {
    let Some(place) = place_of(release).filter(|_| items.iter().any(|item| item.regression.is_some())) else {
        return Ok(());
    };
    let mut history = read(&place, context).await?;
    history.add(items, verdicts, &release.uid().unwrap_or_default());
    let text = serde_json::to_vec(&history.0).unwrap_or_default();
    context.artifacts.write(&place, text).await
}

/// A release without pipeline has nothing before it.
fn place_of(release: &DatabricksRelease) -> Option<Path> {
    let pipeline = release.labels().get(labels::PIPELINE)?;
    let stage = release.spec.stage.as_deref().unwrap_or_default();
    Some(place::history(&release.namespace().unwrap_or_default(), pipeline, stage))
}

/// What can't be read is as good as nothing: a comparison is no reason to fail a release.
async fn read(place: &Path, context: &Context) -> Result<History, Trouble> {
    let text = context.artifacts.read(place).await?;
    Ok(text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default())
}

impl History {
    pub(crate) fn baseline(&self, path: &str, regression: Regression, own: &str) -> Option<Baseline> {
        let over = regression.over as usize;
        let others = self.0.get(path)?.iter().filter(|passed| passed.release != own);
        let mut last: Vec<u64> = others.rev().take(over).map(|passed| passed.millis).collect();
        if last.len() < over.min(ENOUGH) {
            return None;
        }
        last.sort_unstable();
        let median = Duration::from_millis(*last.get(last.len() / 2)?);
        Some(Baseline { median, of: last.len(), percent: regression.percent })
    }

    /// What is no longer run or compared goes; of the rest, as many runs stay as are compared with.
    pub(crate) fn add(&mut self, items: &[Item], verdicts: &[NotebookVerdict], own: &str) {
        let compared: BTreeSet<&str> =
            items.iter().filter(|item| item.regression.is_some()).map(|item| item.path.as_str()).collect();
        self.0.retain(|path, _| compared.contains(path.as_str()));
        for (item, regression) in items.iter().filter_map(|item| Some((item, item.regression?))) {
            let passed = verdicts.iter().find(|verdict| verdict.notebook == item.path);
            let Some(passed) = passed.filter(|verdict| verdict.verdict == Verdict::Passed) else { continue };
            let runs = self.0.entry(item.path.clone()).or_default();
            runs.retain(|run| run.release != own);
            let millis = u64::try_from(passed.execution.as_millis()).unwrap_or(u64::MAX);
            runs.push(Passed { release: own.to_owned(), millis });
            let old = runs.len().saturating_sub(regression.over as usize);
            runs.drain(..old);
        }
    }
}

#[cfg(test)]
mod tests;
