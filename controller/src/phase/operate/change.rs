//! From the jobs that there are to those that are asked for. Pure.

use std::collections::BTreeSet;

use super::{Found, Operated, Wanted};

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
    /// From `found` to `wanted`. Of several jobs that are the same one the oldest stays: whatever refers to it by its id
    /// goes on. The others go if the same user created them, as after an answer that was lost; a copy that somebody else
    /// made is theirs. What is not wanted only goes with `prune`.
    pub(super) fn between(found: &[Found], wanted: &[Wanted], prune: bool) -> Self {
        let mut changes = Self::default();
        for job in wanted {
            let mut same: Vec<&Found> = found.iter().filter(|found| found.key == job.key).collect();
            same.sort_by_key(|found| (found.created, found.id));
            let Some((oldest, others)) = same.split_first() else {
                changes.create.push(job.name.clone());
                continue;
            };
            let known = Operated { name: job.name.clone(), id: oldest.id };
            let right = oldest.digest == job.digest;
            if right { &mut changes.keep } else { &mut changes.reset }.push(known);
            changes.delete.extend(others.iter().filter(|one| one.creator == oldest.creator).map(|one| one.id));
        }
        if prune {
            let keys: BTreeSet<&str> = wanted.iter().map(|job| job.key.as_str()).collect();
            changes.delete.extend(found.iter().filter(|one| !keys.contains(one.key.as_str())).map(|one| one.id));
        }
        changes
    }

    /// Whether nothing is left to do.
    pub(super) fn is_empty(&self) -> bool {
        self.create.is_empty() && self.reset.is_empty() && self.delete.is_empty()
    }
}
