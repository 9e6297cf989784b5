//! Which of two releases is newer. Pure.
//!
//! Kubernetes tells when a release was created, to the second. Two merges may come within one, and a forge may deliver
//! the later one first. But each push says where its branch stood before: one whose `before` is the other's commit came
//! after it, whenever they were delivered. Of pushes that nothing connects, the one that arrived first is the older one.

use std::collections::HashMap;

use brickline_crds::{DatabricksRelease, StoredArtifact, annotations, labels};
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

/// The longest chain of pushes that is followed.
const CHAIN: usize = 16;
/// How late a webhook may come and still be that of an older push, where the branch is not known.
const LATE: SignedDuration = SignedDuration::from_mins(1);

/// When a release began to exist, among those it was compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Its creation, or that of a push after it which was delivered before it.
    since: Timestamp,
    /// How many pushes that began to exist at the same time it comes after.
    step: usize,
    /// When its webhook arrived.
    arrived: Option<Timestamp>,
}

impl Place {
    /// The place of something of which only the creation is known.
    pub(crate) fn at(created: Timestamp) -> Self {
        Self { since: created, step: 0, arrived: None }
    }
}

/// What is known of a release's beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Birth {
    created: Timestamp,
    told: Option<Told>,
}

/// What a webhook told of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    arrived: Timestamp,
    /// Namespace, pipeline and ref.
    branch: (String, String, String),
    commit: String,
    /// Where the branch stood before; none for a new branch.
    before: Option<String>,
}

impl Birth {
    /// As its metadata and its source tell it.
    pub(crate) fn of(release: &DatabricksRelease) -> Self {
        Self { created: release.creation_timestamp().map_or(Timestamp::MIN, |time| time.0), told: told(release) }
    }

    /// Its place among no others.
    pub(crate) fn alone(&self) -> Place {
        Place { arrived: self.told.as_ref().map(|told| told.arrived), ..Place::at(self.created) }
    }
}

fn told(release: &DatabricksRelease) -> Option<Told> {
    let git = release.spec.source.git.as_ref()?;
    let annotations = release.annotations();
    Some(Told {
        arrived: annotations.get(annotations::ARRIVED)?.parse().ok()?,
        branch: (
            release.namespace().unwrap_or_default(),
            release.labels().get(labels::PIPELINE).cloned().unwrap_or_default(),
            git.reference.clone(),
        ),
        commit: git.commit.clone(),
        before: annotations.get(annotations::BEFORE).cloned(),
    })
}

/// Whether the push that an artifact was built from came right after the release's own, and was only delivered before it.
pub(crate) fn is_followed_by(release: &DatabricksRelease, stored: &StoredArtifact) -> bool {
    let (Some(told), Some(created)) = (told(release), release.creation_timestamp()) else { return false };
    let late = stored.created.as_ref().map(|stored| created.0.duration_since(stored.0));
    told.commit == stored.before
        && told.before.as_ref() != Some(&stored.commit)
        && late.is_some_and(|late| (SignedDuration::ZERO..=LATE).contains(&late))
}

/// The place of each one among all of them.
pub(crate) fn places(births: &[Birth]) -> Vec<Place> {
    let before = predecessors(births);
    let mut places: Vec<Place> = births.iter().map(Birth::alone).collect();
    // Nobody is younger than what came after it.
    for _ in 0..CHAIN {
        let mut settled = true;
        for (index, older) in before.iter().enumerate().filter_map(|(index, older)| Some((index, (*older)?))) {
            let Some(since) = places.get(index).map(|place| place.since) else { continue };
            if let Some(place) = places.get_mut(older).filter(|place| place.since > since) {
                (place.since, settled) = (since, false);
            }
        }
        if settled {
            break;
        }
    }
    let steps: Vec<usize> = (0..births.len()).map(|index| step(index, &before, &places)).collect();
    places.iter_mut().zip(steps).for_each(|(place, step)| place.step = step);
    places
}

/// Whose push each one comes right after, if that is among them. A branch that went back to an older commit connects two
/// releases both ways, which tells nothing.
fn predecessors(births: &[Birth]) -> Vec<Option<usize>> {
    let told = || births.iter().enumerate().filter_map(|(index, birth)| Some((index, birth.told.as_ref()?)));
    if !told().any(|(_, told)| told.before.is_some()) {
        return vec![None; births.len()];
    }
    let at: HashMap<_, usize> = told().map(|(index, told)| ((&told.branch, told.commit.as_str()), index)).collect();
    let predecessor = |birth: &Birth| {
        let told = birth.told.as_ref()?;
        let older = *at.get(&(&told.branch, told.before.as_deref()?))?;
        let both_ways = births.get(older)?.told.as_ref()?.before.as_ref() == Some(&told.commit);
        (!both_ways).then_some(older)
    };
    births.iter().map(predecessor).collect()
}

fn step(index: usize, before: &[Option<usize>], places: &[Place]) -> usize {
    let since = |index: usize| places.get(index).map(|place| place.since);
    let next = |index: &usize| before.get(*index).copied().flatten().filter(|older| since(*older) == since(*index));
    std::iter::successors(Some(index), next).take(CHAIN).count() - 1
}

#[cfg(test)]
mod tests;
