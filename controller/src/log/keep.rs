//! Stores lines in the artifact store: in parts, each an object of its own, named by where it begins.

use std::time::Duration;

use brickline_crds::Phase;
use jiff::Timestamp;
use tokio::time::MissedTickBehavior;

use super::{Logs, Name};
use crate::artifact::{Artifacts, NotAdded, place};

/// How often books are looked through.
const LOOK: Duration = Duration::from_millis(500);
/// How long the last lines may take when the process ends.
const LAST: Duration = Duration::from_secs(5);

/// Stores what was written a second ago, again and again, until it is aborted.
pub(crate) async fn keep(logs: Logs, artifacts: Artifacts) {
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        logs.store(&artifacts, false).await;
    }
}

impl Logs {
    /// Stores everything now: the process is about to end.
    pub(crate) async fn flush(&self, artifacts: &Artifacts) {
        if tokio::time::timeout(LAST, self.store(artifacts, true)).await.is_err() {
            tracing::warn!("the last lines of logs were not stored: the artifact store is too slow");
        }
    }

    /// Stores what is due, or all of it. What can't be stored waits for the next time, and has a bound.
    async fn store(&self, artifacts: &Artifacts, all: bool) {
        for name in self.due(all) {
            if let Err(error) = self.store_one(&name, artifacts).await {
                let (namespace, uid, phase) = &name;
                tracing::warn!(namespace, uid, %phase, %error, "lines of a log were not stored: they are tried again");
            }
        }
    }

    /// The logs with something to store. Books that nobody needs any more are closed.
    fn due(&self, all: bool) -> Vec<Name> {
        let now = Timestamp::now();
        let mut books = self.books();
        books.retain(|_, book| !book.is_quiet(now));
        let due = books.iter().filter(|(_, book)| all || book.is_due(now));
        due.map(|(name, _)| name.clone()).collect()
    }

    async fn store_one(&self, name: &Name, artifacts: &Artifacts) -> Result<(), NotAdded> {
        let (namespace, uid, phase) = name;
        let folder = place::of_log(namespace, uid, *phase);
        let known = self.books().get(name).and_then(super::Book::stored);
        if known.is_none() {
            let length = artifacts.length(&folder).await?;
            self.change(name, |book| book.found(length));
        }
        let waiting = self.books().get(name).map(|book| (book.stored(), book.waiting()));
        let Some((Some(offset), part)) = waiting.filter(|(_, part)| !part.is_empty()) else { return Ok(()) };
        let size = part.len();
        match artifacts.add(&folder, offset, part).await {
            Ok(()) => self.change(name, |book| book.keep(size, Timestamp::now())),
            // It may have been stored although the answer was lost, or another process writes: look again.
            Err(error) => {
                self.change(name, super::Book::lose_sight);
                return Err(error);
            }
        }
        Ok(())
    }

    fn change(&self, name: &Name, change: impl FnOnce(&mut super::Book)) {
        if let Some(book) = self.books().get_mut(name) {
            change(book);
        }
    }
}

/// The phase that a word in an address means.
pub(super) fn phase(word: &str) -> Option<Phase> {
    use strum::IntoEnumIterator;
    Phase::iter().find(|phase| phase.to_string().eq_ignore_ascii_case(word))
}
