//! The log of each phase: one line per act, kept in the artifact store, readable while the phase goes on.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `book.rs` | the lines of one phase that are not stored yet, within bounds. Pure |
//! | `keep.rs` | stores them, a second after they were written |
//! | `tell.rs` | what every phase says of itself: its begin, what it waits for, its end. What they do they tell themselves |
//! | `read.rs` | reading as HTTP |
//!
//! A log never holds a release up and never fails it: a line that finds no room is counted, and the count is told. Lines
//! are lost with a process that is killed, at most those of its last second; the next process goes on behind what is
//! stored. Values of Secrets are not known here; what phases tell has none.

mod book;
mod keep;
mod read;
mod tell;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::Arguments;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use brickline_crds::{DatabricksRelease, Phase};
use jiff::Timestamp;
use kube::ResourceExt;

use book::Book;
pub(crate) use keep::keep;
pub(crate) use read::router;
pub(crate) use tell::tell;

/// Every log that has lines to store, or had some a while ago.
#[derive(Clone, Default)]
pub(crate) struct Logs(Arc<Mutex<BTreeMap<Name, Book>>>);

/// Whose log: a release's namespace and uid, and the phase.
type Name = (String, String, Phase);

impl Logs {
    /// Writes a line.
    pub(crate) fn line(&self, release: &DatabricksRelease, phase: Phase, line: Arguments) {
        let mut books = self.books();
        books.entry(name(release, phase)).or_default().add(Timestamp::now(), line);
    }

    /// Writes a line about `subject` if it is another than the last one about it: states that are looked at again and again.
    pub(crate) fn news(&self, release: &DatabricksRelease, phase: Phase, subject: &str, line: Arguments) {
        let mut books = self.books();
        books.entry(name(release, phase)).or_default().news(Timestamp::now(), subject, line);
    }

    fn books(&self) -> MutexGuard<'_, BTreeMap<Name, Book>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn name(release: &DatabricksRelease, phase: Phase) -> Name {
    (release.namespace().unwrap_or_default(), release.uid().unwrap_or_default(), phase)
}
