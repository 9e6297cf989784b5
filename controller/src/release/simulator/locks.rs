//! The locks of other releases and of this one: taken once, given back, or kept.

use std::collections::BTreeSet;

use crate::lock::{Lock, locks_of};
use crate::phase::gate::{Effect, Passage, View};

/// What this release holds, and how long others are in its way.
#[derive(Default)]
pub(crate) struct Locks {
    pub(crate) held: BTreeSet<String>,
    /// How often the turn is another's.
    pub(crate) turns: u32,
    /// How often the cluster is another's.
    pub(crate) taken: u32,
}

impl Locks {
    /// Nothing stands in the way but the lock of one cluster and one folder.
    pub(super) fn view() -> View {
        View { locks: wanted(), ..View::default() }
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
                self.held = wanted().iter().map(|lock| lock.name().to_owned()).collect();
                Passage::Locked
            }
        }
    }
}

fn wanted() -> BTreeSet<Lock> {
    let host = url::Url::parse("https://adb-1.2.azuredatabricks.net").expect("an address");
    locks_of(&host, ["0123"], ["/Shared/dbxdemo/one.py"]).expect("few folders")
}
