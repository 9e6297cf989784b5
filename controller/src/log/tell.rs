//! What every phase says of itself in its log: its begin, what it does and waits for, its end.

use std::fmt::Write;

use brickline_crds::{DatabricksRelease, PhaseState, PhaseStatus};

use super::Logs;

/// Writes down what a write of the status changed.
pub(crate) fn tell(before: &DatabricksRelease, after: &DatabricksRelease, logs: &Logs) {
    let Some(status) = &after.status else { return };
    for phase in &status.phases {
        let known = before.status.as_ref().and_then(|status| status.phase(phase.name));
        if let Some(line) = line(known, phase) {
            logs.line(after, phase.name, format_args!("{line}"));
        }
    }
}

/// What is news of a phase; none if nothing is.
pub(super) fn line(before: Option<&PhaseStatus>, after: &PhaseStatus) -> Option<String> {
    let state = before.map_or(PhaseState::Pending, |phase| phase.state);
    let attempts = before.map_or(0, |phase| phase.attempts);
    let same = before.is_some_and(|phase| phase.message == after.message);
    let mut line = match (after.state, state == after.state) {
        (PhaseState::Pending | PhaseState::Skipped, _) if attempts == 0 && after.attempts == 0 => return None,
        (PhaseState::Running, _) if after.attempts > attempts => {
            format!("{} began, attempt {}", after.name, after.attempts)
        }
        (_, true) if same => return None,
        (_, true) => return Some(after.message.clone()).filter(|message| !message.is_empty()),
        (ended, false) => format!("{} ended {ended}", after.name),
    };
    if let Some(reason) = after.reason.filter(|_| after.state.is_terminal() && after.state != PhaseState::Succeeded) {
        let _ = write!(line, " ({reason})");
    }
    if !after.message.is_empty() && (after.state.is_terminal() || !same) {
        let _ = write!(line, ": {}", after.message);
    }
    Some(line)
}
