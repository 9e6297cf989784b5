//! What a deployment leaves in the artifact store for people: what it was about to change, and what it changed. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::plan::{Plan, Seen, Why};
use super::state::Progress;

/// The lists behind `status.changes`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Report {
    pub(super) release: String,
    pub(super) artifact: String,
    /// The state file's sequence that this was planned on.
    pub(super) sequence: u64,
    pub(super) added: Vec<String>,
    pub(super) changed: Vec<String>,
    pub(super) removed: Vec<String>,
    /// What somebody else changed, with what happened to it.
    pub(super) drifted: BTreeMap<String, String>,
    pub(super) libraries: Vec<String>,
    pub(super) unchanged: usize,
    /// What a look showed, for the deployment itself.
    pub(super) seen: Seen,
    /// What was done of it; absent before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) result: Option<Done>,
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Done {
    pub(super) written: Vec<String>,
    pub(super) removed: Vec<String>,
    /// Old libraries that nobody uses any more, and that were deleted.
    pub(super) collected: Vec<String>,
    /// Begun, and not known whether it was done.
    pub(super) unknown: Vec<String>,
    /// Not begun: as it was before.
    pub(super) untouched: Vec<String>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
}

impl Report {
    /// Before anything is written.
    pub(super) fn of_plan(plan: &Plan, seen: &Seen) -> Self {
        let of = |wanted: fn(&Why) -> bool| {
            let places = plan.write.iter().filter(|(_, write)| wanted(&write.why));
            places.map(|(place, _)| place.clone()).collect()
        };
        let drifted = plan.write.iter().filter_map(|(place, write)| match &write.why {
            Why::Drifted(what) => Some((place.clone(), what.clone())),
            _ => None,
        });
        let drifted = drifted.chain(plan.edited.clone());
        Self {
            added: of(|why| *why == Why::Added),
            changed: of(|why| *why == Why::Changed),
            removed: plan.remove.iter().cloned().collect(),
            drifted: drifted.collect(),
            libraries: plan.put.iter().cloned().collect(),
            unchanged: plan.unchanged,
            seen: seen.clone(),
            ..Self::default()
        }
    }
}

impl Done {
    /// All of what was planned; what was collected after it is not known any more.
    pub(super) fn all_of(planned: &Report) -> Self {
        let Report { added, changed, drifted, libraries, removed, .. } = planned;
        let places = added.iter().chain(changed).chain(drifted.keys()).chain(libraries);
        let written = places.filter(|place| !removed.contains(place)).cloned().collect();
        Self { written, removed: removed.clone(), ..Self::default() }
    }

    /// What became of a plan.
    pub(super) fn of(plan: &Plan, progress: &Progress, error: Option<String>) -> Self {
        let mut untouched: BTreeSet<&String> = plan.write.keys().chain(&plan.remove).chain(&plan.put).collect();
        for name in progress.written.iter().chain(&progress.removed).chain(&progress.unknown) {
            untouched.remove(name);
        }
        Self {
            written: progress.written.clone(),
            removed: progress.removed.clone(),
            collected: Vec::new(),
            unknown: progress.unknown.clone(),
            untouched: untouched.into_iter().cloned().collect(),
            error,
        }
    }
}
