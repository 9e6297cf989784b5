//! The locks of other releases and of this one: taken once, given back, or kept.

use std::collections::BTreeSet;

use brickline_crds::{DatabricksRelease, Phase, PhaseState, Reason};

use crate::lock::{Lock, locks_of};
use crate::phase::Trouble;
use crate::phase::gate::{Effect, Passage, View};
use crate::queue::{Newer, Slots};

/// What this release holds, and how long others are in its way.
#[derive(Clone)]
pub(crate) struct Locks {
    pub(crate) held: BTreeSet<String>,
    /// How often the turn is another's.
    pub(crate) turns: u32,
    /// How many jobs of the build may go on at the same time; none: all.
    pub(crate) slots: Option<usize>,
    /// How often the cluster is another's.
    pub(crate) taken: u32,
    /// How often what the release refers to can't be found.
    pub(crate) missing: u32,
    /// What else stands before the phases.
    pub(crate) view: View,
    /// A release that may take this one's place.
    pub(crate) newer: Option<Newer>,
}

impl Default for Locks {
    fn default() -> Self {
        let view = View { locks: wanted(), ..View::default() };
        Self { held: BTreeSet::new(), turns: 0, slots: None, taken: 0, missing: 0, view, newer: None }
    }
}

impl Locks {
    pub(super) fn view(&mut self) -> Result<View, Trouble> {
        if self.missing > 0 {
            self.missing -= 1;
            return Err(Trouble::passing(Reason::DependencyNotReady, "there is no workspace staging"));
        }
        Ok(self.view.clone())
    }

    /// Slots for those of the jobs for which there are some.
    pub(super) fn slots(&self, release: &DatabricksRelease, jobs: &BTreeSet<String>) -> Slots {
        let build = release.status.as_ref().and_then(|status| status.phase(Phase::Build));
        let running = build.iter().flat_map(|build| &build.jobs).filter(|job| job.state == PhaseState::Running);
        let free = self.slots.map_or(usize::MAX, |slots| slots.saturating_sub(running.count()));
        let waiting = (jobs.len() > free).then(|| "every build slot of pool default is taken".to_owned());
        Slots { granted: jobs.iter().take(free).cloned().collect(), waiting }
    }

    pub(super) fn pass(&mut self, effect: &Effect) -> Passage {
        match effect {
            Effect::Turn { .. } if self.turns > 0 => {
                self.turns -= 1;
                Passage::NoTurn("pipeline dbxdemo releases one at a time to stage staging".to_owned())
            }
            Effect::Turn { .. } => Passage::Turn,
            Effect::StepAside => Passage::Aside,
            Effect::Lock if self.taken > 0 => {
                self.taken -= 1;
                Passage::Held { message: "cluster 0123 is held by data/other".to_owned(), leftover: true }
            }
            Effect::Lock => {
                self.held = self.view.locks.iter().map(|lock| lock.name().to_owned()).collect();
                Passage::Locked
            }
        }
    }
}

pub(super) fn wanted() -> BTreeSet<Lock> {
    wanted_on("0123")
}

/// The same for a release with a cluster and a folder of its own.
pub(super) fn wanted_on(cluster: &str) -> BTreeSet<Lock> {
    let host = url::Url::parse("https://adb-1.2.azuredatabricks.net").expect("an address");
    let file = format!("/Shared/dbxdemo-{cluster}/one.py");
    locks_of(&host, [cluster], [file.as_str()]).expect("few folders")
}
