//! What to do next for the notebooks: read a finished run, submit the next one, or wait.

use brickline_crds::condition::{MAX_MESSAGE, truncate};
use brickline_crds::{DatabricksReleaseStatus, Reason, RunTicket, TestCounts, TestVerdict, Ticket};

use super::super::{Effect as AnyEffect, Ending, Outcome, Step, Turn};
use super::{Collected, Effect, View};

/// How many failures a status names.
const FAILURES: usize = 10;

/// One step of the Test phase.
pub(crate) fn decide(turn: &Turn, view: &View) -> Step {
    match turn.outcome {
        Some(Outcome::Submitted { index, run_id }) => return Step::Record(submitted(turn, *index, *run_id)),
        Some(Outcome::Collected { index, collected }) => return Step::Record(record(turn, *index, collected)),
        Some(Outcome::Published { uri }) => return ended(turn, view, uri),
        _ => {}
    }
    let ticket = turn.ticket();
    let all = u32::try_from(view.notebooks.len()).unwrap_or(u32::MAX);
    if let Some(run) = ticket.in_flight.iter().find(|run| run.run_id.is_none()) {
        return act(Effect::Submit { index: run.index });
    }
    if let Some((index, run)) = view.runs.iter().find(|(_, run)| run.state.is_over()) {
        return act(Effect::Collect { index: *index, run_id: run.run_id });
    }
    let taken = ticket.done + u32::try_from(ticket.in_flight.len()).unwrap_or(u32::MAX);
    if taken < all && ticket.in_flight.len() < turn.spec().test.max_parallel as usize {
        return Step::Record(take(turn, ticket, taken, all));
    }
    if !ticket.in_flight.is_empty() {
        return turn.wait_saying(&format!("{} of {all} notebooks done", ticket.done), Some(turn.poll()));
    }
    if all == 0 { nothing_to_run(turn) } else { act(Effect::Publish { notebooks: all }) }
}

fn act(effect: Effect) -> Step {
    Step::Act(AnyEffect::Test(effect))
}

/// The ticket comes first: the index is written down before its run is submitted.
fn take(turn: &Turn, mut ticket: Ticket, index: u32, all: u32) -> Box<DatabricksReleaseStatus> {
    ticket.notebooks = all;
    ticket.in_flight.push(RunTicket { index, try_: 0, run_id: None });
    turn.with_ticket(ticket)
}

fn submitted(turn: &Turn, index: u32, run_id: i64) -> Box<DatabricksReleaseStatus> {
    let mut ticket = turn.ticket();
    if let Some(run) = ticket.in_flight.iter_mut().find(|run| run.index == index) {
        run.run_id = Some(run_id);
    }
    turn.with_ticket(ticket)
}

fn record(turn: &Turn, index: u32, collected: &Collected) -> Box<DatabricksReleaseStatus> {
    let mut ticket = turn.ticket();
    ticket.in_flight.retain(|run| run.index != index);
    ticket.done += 1;
    // The first verdict stays: it is what the phase ends with.
    if let (None, Some((reason, message))) = (&ticket.verdict, &collected.verdict) {
        ticket.verdict = Some(TestVerdict { reason: *reason, message: truncate(message, MAX_MESSAGE) });
    }
    let mut status = turn.with_ticket(ticket);
    let counts = status.tests.notebooks.get_or_insert_with(TestCounts::default);
    counts.total += collected.counts.total;
    counts.passed += collected.counts.passed;
    counts.failed += collected.counts.failed;
    counts.skipped += collected.counts.skipped;
    let room = FAILURES.saturating_sub(status.tests.first_failures.len());
    status.tests.first_failures.extend(collected.failures.iter().take(room).cloned());
    status
}

fn ended(turn: &Turn, view: &View, uri: &str) -> Step {
    let mut status = Box::new(turn.status.clone());
    status.tests.report = Some(uri.to_owned());
    let ending = match turn.ticket().verdict {
        None => Ending::succeeded(format!("{} notebooks passed", view.notebooks.len())),
        Some(verdict) => Ending::failed(verdict.reason, verdict.message),
    };
    Step::Ended(status, ending)
}

fn nothing_to_run(turn: &Turn) -> Step {
    let patterns: Vec<&str> = turn.spec().test.notebooks.iter().map(|test| test.pattern.as_str()).collect();
    let message =
        format!("no deployed notebook matches {}: set test.notebooks to [] if there is none", patterns.join(", "));
    Step::Ended(Box::new(turn.status.clone()), Ending::failed(Reason::NoTestReport, message))
}
