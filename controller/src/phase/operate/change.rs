//! From the jobs that there are to those that are asked for. Pure.

use std::collections::BTreeSet;

use super::{Found, Operated, View};

/// What is to be done, and what is right already. Jobs that are asked for are named by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// There is none.
    pub(crate) create: Vec<String>,
    /// There is one with other settings.
    pub(crate) reset: Vec<Operated>,
    /// There is one with these settings.
    pub(crate) keep: Vec<Operated>,
    /// Not asked for any more, or there twice.
    pub(crate) delete: Vec<i64>,
}

impl Changes {
    /// From what there is to what is wanted. Of several jobs that are the same one the oldest stays: whatever refers to
    /// it by its id goes on. The others go if the same user created them, as after an answer that was lost; a copy that
    /// somebody else made is theirs, also once its original is gone. What is not wanted only goes with `prune`.
    pub(super) fn between(view: &View, prune: bool) -> Self {
        let mut changes = Self::default();
        let mut makers: BTreeSet<&str> = Some(view.us.as_str()).filter(|us| !us.is_empty()).into_iter().collect();
        for job in &view.wanted {
            let same = same(&view.found, &job.key);
            let Some((oldest, others)) = same.split_first() else {
                changes.create.push(job.name.clone());
                continue;
            };
            makers.insert(&oldest.creator);
            let known = Operated { name: job.name.clone(), id: oldest.id };
            let right = oldest.digest == job.digest;
            if right { &mut changes.keep } else { &mut changes.reset }.push(known);
            changes.delete.extend(others.iter().filter(|one| one.creator == oldest.creator).map(|one| one.id));
        }
        if prune {
            let wanted: BTreeSet<&str> = view.wanted.iter().map(|job| job.key.as_str()).collect();
            let keys: BTreeSet<&str> = view.found.iter().map(|one| one.key.as_str()).collect();
            for key in keys.difference(&wanted) {
                let same = same(&view.found, key);
                let maker = same.first().map(|oldest| oldest.creator.as_str()).unwrap_or_default();
                let is_ours = maker.is_empty() || makers.is_empty() || makers.contains(maker);
                let ours = same.iter().filter(|one| is_ours && one.creator == maker);
                changes.delete.extend(ours.map(|one| one.id));
            }
        }
        changes
    }

    /// Whether nothing is left to do.
    pub(super) fn is_empty(&self) -> bool {
        self.create.is_empty() && self.reset.is_empty() && self.delete.is_empty()
    }
}

/// The jobs that are the same one, the oldest first.
fn same<'a>(found: &'a [Found], key: &str) -> Vec<&'a Found> {
    let mut same: Vec<&Found> = found.iter().filter(|found| found.key == key).collect();
    same.sort_by_key(|found| (found.created, found.id));
    same
}
