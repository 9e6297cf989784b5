//! Finish: what is owed to others before a release is over: the forge's commit status, the label with the result.

mod act;
mod decide;
mod report;

pub(crate) use act::act;
pub(crate) use decide::{begin, decide};
pub(crate) use report::{Report, ReportState};

/// What can be done. Both are harmless when repeated: the newest status of a context counts, a label is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Tell the forge.
    Report(Report),
    /// Put the result into the release's labels.
    Label,
}
