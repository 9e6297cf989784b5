//! What differs between what a release wants and what the last one left: pure.

use std::collections::{BTreeMap, BTreeSet};

use brickline_crds::{Changes, ItemKind};
use serde::{Deserialize, Serialize};

use super::key::{is_below, key};
use super::state::{State, is_same, short};
use super::target::Target;

/// What a release wants to be there, and what it may take away.
pub(crate) struct Wanted<'a> {
    /// By place.
    pub(crate) places: &'a BTreeMap<String, &'a Target>,
    /// Locations.
    pub(crate) libraries: &'a [String],
    /// Folders in which what the repository no longer has is removed.
    pub(crate) prune: &'a [String],
    /// A rollback: what came after the deployment of this artifact is taken back.
    pub(crate) back_to: Option<&'a str>,
}

/// What somebody else changed: places, each with what happened to it, and libraries that are gone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub(crate) drifted: BTreeMap<String, Drifted>,
    pub(crate) gone: BTreeSet<String>,
}

/// What somebody else did with a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Drifted {
    /// In words, such as `is gone`.
    pub(crate) what: String,
    /// Another kind of object has its place, and must go first.
    pub(crate) in_the_way: bool,
}

/// Everything that has to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Places to write.
    pub(crate) write: BTreeMap<String, Write>,
    /// Places to remove.
    pub(crate) remove: BTreeSet<String>,
    /// Those of them that somebody else changed, with what happened to them in words.
    pub(crate) edited: BTreeMap<String, String>,
    /// Libraries to put.
    pub(crate) put: BTreeSet<String>,
    /// Places that are as they should be.
    pub(crate) unchanged: usize,
}

/// One place to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Write {
    pub(crate) digest: String,
    pub(crate) notebook: bool,
    pub(crate) why: Why,
    /// Another kind of object has its place, and must go first.
    pub(crate) replaces: bool,
}

/// Why a place is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// Brickline never wrote it.
    Added,
    /// Its content is another one, or not known.
    Changed,
    /// Somebody else changed it, or put it there, in words; its content may be another one too.
    Drifted(String),
}

impl Plan {
    /// Whether nothing has to be done.
    pub(crate) fn is_empty(&self) -> bool {
        self.write.is_empty() && self.remove.is_empty() && self.put.is_empty()
    }

    /// In numbers.
    pub(crate) fn changes(&self) -> Changes {
        let count = |wanted: fn(&Why) -> bool| number(self.write.values().filter(|write| wanted(&write.why)).count());
        Changes {
            added: count(|why| *why == Why::Added),
            changed: count(|why| *why == Why::Changed),
            removed: number(self.remove.len()),
            drifted: count(|why| matches!(why, Why::Drifted(_))),
            unchanged: number(self.unchanged),
            libraries: number(self.put.len()),
            report: String::new(),
        }
    }

    /// How many things have to be done.
    pub(crate) fn len(&self) -> usize {
        self.write.len() + self.remove.len() + self.put.len()
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Compares.
pub(crate) fn plan(state: &State, wanted: &Wanted, seen: &Seen) -> Plan {
    let remove = removed(state, wanted);
    let edited = |place: &String| Some((place.clone(), seen.drifted.get(place)?.what.clone()));
    let mut plan = Plan { edited: remove.iter().filter_map(edited).collect(), remove, ..Plan::default() };
    for (place, target) in wanted.places {
        let is_notebook = target.kind == ItemKind::Notebook;
        let left = state.files.get(place);
        let other_kind = left.is_some_and(|left| left.notebook != is_notebook);
        let (why, replaces) = match (left, seen.drifted.get(place)) {
            (_, Some(drifted)) => (Why::Drifted(drifted.what.clone()), drifted.in_the_way || other_kind),
            (None, None) => (Why::Added, false),
            (Some(left), None) if !is_same(left, &target.entry.digest, target.kind) => (Why::Changed, other_kind),
            (Some(_), None) => {
                plan.unchanged += 1;
                continue;
            }
        };
        let write = Write { digest: short(&target.entry.digest), notebook: is_notebook, why, replaces };
        plan.write.insert(place.clone(), write);
    }
    let there = |location: &String| {
        state.libraries.get(location).is_some_and(|put| !put.unknown) && !seen.gone.contains(location)
    };
    plan.put = wanted.libraries.iter().filter(|location| !there(location)).cloned().collect();
    plan
}

/// What Brickline put there, is not wanted, and may go: below a folder that is pruned, added by a deployment that never
/// came to its end, or added after the one that is gone back to.
pub(super) fn removed(state: &State, wanted: &Wanted) -> BTreeSet<String> {
    let back_to = wanted.back_to.and_then(|artifact| state.deployed(artifact));
    let kept = back_to.unwrap_or(u64::MAX).min(state.last());
    let pruned: Vec<String> = wanted.prune.iter().map(|folder| key(folder)).collect();
    let goes = |place: &str, since: u64| since > kept || pruned.iter().any(|folder| is_below(place, folder));
    let left =
        state.files.iter().filter(|(place, left)| !wanted.places.contains_key(*place) && goes(place, left.since));
    left.map(|(place, _)| place.clone()).collect()
}

#[cfg(test)]
mod tests;
