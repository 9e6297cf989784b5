//! Finish: what is owed to others before a release is over: its locks, the forge's commit status, the label with the
//! result, and the finalizer.

mod act;
mod decide;
mod report;
mod result;

pub(crate) use act::act;
pub(crate) use decide::{decide, is_rolled_back, pending, reported};

pub(crate) use result::{result, was_not_due};

use crate::forge::Report;

/// What can be done. All are harmless when repeated: the newest status of a context counts, a label is set, a lock that
/// is gone counts as given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Give the locks back; or keep them, with what may still be alive written into them.
    Unlock { keep: bool },
    /// Tell the forge.
    Report(Report),
    /// Put the result into the release's labels, and take the finalizer off.
    Settle,
}
