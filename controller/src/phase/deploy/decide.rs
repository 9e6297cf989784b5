//! What to do next for a deployment: compare, write down what differs, and only then carry it out. The asset bundle comes
//! last.

use std::time::Duration;

use brickline_crds::{Changes, DatabricksReleaseStatus, DeployTicket, PhaseState, Reason, Ticket};

use super::super::{Effect as AnyEffect, Ending, Outcome, Step, Turn};
use super::bundle::{self, View};
use super::{Deployed, Effect, Planned};

/// The most issues that a status names.
const ISSUES: usize = 20;

/// One step of the Deploy phase. `view` is of the asset bundle, once it is its turn.
pub(crate) fn decide(turn: &Turn, view: Option<&View>) -> Step {
    let ticket = turn.ticket();
    match (turn.outcome, &ticket.bundle, view) {
        (Some(Outcome::Planned(planned)), ..) => Step::Record(with_plan(turn, planned)),
        (Some(Outcome::Deployed(deployed)), ..) => deployed_files(turn, deployed),
        (_, Some(known), Some(view)) => bundle::decide(turn, known, view),
        // It was looked at before the ticket was written.
        (_, Some(_), None) => Step::Wait(Some(Duration::ZERO)),
        (_, None, _) => Step::Act(AnyEffect::Deploy(ticket.deploy.map_or(Effect::Plan, Effect::Write))),
    }
}

/// What will be changed is told before it is.
fn with_plan(turn: &Turn, planned: &Planned) -> Box<DatabricksReleaseStatus> {
    let Planned { changes, ticket } = planned;
    let deploy: Option<DeployTicket> = Some(*ticket);
    let mut status = turn.with_phase(|phase| {
        phase.ticket = Some(Ticket { deploy, ..phase.ticket.clone().unwrap_or_default() });
        phase.message = format!("to do: {}", summary(changes));
    });
    status.changes = Some(changes.clone());
    status
}

/// Files and libraries are there. That ends the phase, unless there is an asset bundle: its ticket comes first.
fn deployed_files(turn: &Turn, deployed: &Deployed) -> Step {
    let (mut status, ending) = ended(turn, deployed);
    if turn.spec().deploy.bundle.is_none() {
        return Step::Ended(status, ending);
    }
    if let Some(phase) = status.phase_mut(turn.phase.name) {
        let bundle = Some(bundle::ticket(turn.release, phase.attempts));
        phase.ticket = Some(Ticket { bundle, ..phase.ticket.clone().unwrap_or_default() });
        phase.message = format!("files: {}; the bundle is next", ending.message);
    }
    Step::Record(status)
}

fn ended(turn: &Turn, deployed: &Deployed) -> (Box<DatabricksReleaseStatus>, Ending) {
    let mut status = Box::new(turn.status.clone());
    // A later attempt only does the rest: what was planned first is what became of the release as a whole.
    let planned = status.changes.take().unwrap_or_else(|| deployed.changes.clone());
    let changes = Changes { report: deployed.changes.report.clone(), ..planned };
    let message = summary(&changes);
    status.changes = Some(changes);
    if deployed.issues.is_empty() {
        return (status, Ending::succeeded(message));
    }
    status.issue_count += u32::try_from(deployed.issues.len()).unwrap_or(u32::MAX);
    let room = ISSUES.saturating_sub(status.issues.len());
    status.issues.extend(deployed.issues.iter().take(room).cloned());
    let message = format!("{message}; somebody else had changed {}", named(deployed));
    let (state, reason) = (PhaseState::SucceededWithIssues, Reason::Drifted);
    (status, Ending { state, reason, message })
}

fn named(deployed: &Deployed) -> String {
    let first = deployed.issues.first().map(|issue| issue.name.as_str()).unwrap_or_default();
    match deployed.issues.len() {
        0 | 1 => first.to_owned(),
        more => format!("{first} and {} more", more - 1),
    }
}

/// Changes in numbers, for people.
pub(super) fn summary(changes: &Changes) -> String {
    let Changes { added, changed, removed, drifted, unchanged, libraries, .. } = changes;
    let counts = [
        (added, "added"),
        (changed, "changed"),
        (removed, "removed"),
        (drifted, "restored"),
        (unchanged, "unchanged"),
        (libraries, "libraries put"),
    ];
    let told: Vec<String> =
        counts.iter().filter(|(count, _)| **count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    if told.is_empty() { "nothing to change".to_owned() } else { told.join(", ") }
}
