//! What to do next for the notebooks: read a finished run, submit the next one, or wait.

use std::time::Duration;

use brickline_crds::condition::{MAX_MESSAGE, truncate};
use brickline_crds::{
    DatabricksReleaseStatus, Issue, PhaseState, Reason, RunTicket, Select, TestCounts, TestVerdict, Ticket,
};

use super::super::{Effect as AnyEffect, Ending, Outcome, Step, Turn, idle};
use super::{Collected, Effect, Role, Sight, View};

/// How many failures a status names.
const FAILURES: usize = 10;
/// How many issues it names.
const ISSUES: usize = 20;
/// The shortest pause between two looks at several runs.
const SEVERAL: Duration = Duration::from_secs(1);
/// What a release waits for that has no run of its own.
pub(super) const FULL: &str =
    "waits for one of the runs that the workspace's limits.runs allows: other releases have all of them";
/// How often it asks for one. It is woken when one is free, and asking shows that it still waits.
pub(super) const ASK: Duration = Duration::from_secs(10);
/// How much of a failure is kept until the notebook ran again, in characters.
const FAILED: usize = 256;

/// One step of the Test phase.
pub(crate) fn decide(turn: &Turn, view: &View) -> Step {
    match turn.outcome {
        Some(Outcome::Submitted { .. }) => return Step::Record(submitted(turn, view)),
        Some(Outcome::Collected { index, collected }) => return Step::Record(record(turn, view, *index, collected)),
        Some(Outcome::Published { uri }) => return ended(turn, view, uri),
        _ => {}
    }
    let ticket = turn.ticket();
    let all = all(view);
    if let Some(run) = ticket.in_flight.iter().find(|run| run.run_id.is_none()) {
        return act(Effect::Submit { index: run.index, try_: run.try_ });
    }
    if let Some((index, run_id)) = finished(&ticket, view) {
        return act(Effect::Collect { index, run_id });
    }
    let mut next = ticket.clone();
    take(turn, view, &mut next);
    if next != ticket {
        return Step::Record(written(turn, next));
    }
    if !ticket.in_flight.is_empty() {
        // Several runs are seldom over at once: a look a second is enough for all.
        let pause = if ticket.in_flight.len() > 1 { turn.poll().max(SEVERAL) } else { turn.poll() };
        return turn.wait_saying(&progress(&ticket), Some(pause));
    }
    if ticket.done < all {
        return turn.wait_saying(FULL, Some(ASK));
    }
    if all == 0 { nothing_to_run(turn) } else { act(Effect::Publish { notebooks: all }) }
}

/// A run of the ticket that is over, or gone.
fn finished(ticket: &Ticket, view: &View) -> Option<(u32, i64)> {
    let over = |run: &&RunTicket| view.runs.get(&run.index).is_some_and(Sight::is_over);
    ticket.in_flight.iter().find(over).and_then(|run| Some((run.index, run.run_id?)))
}

fn act(effect: Effect) -> Step {
    Step::Act(AnyEffect::Test(effect))
}

fn all(view: &View) -> u32 {
    u32::try_from(view.items.len()).unwrap_or(u32::MAX)
}

/// The ticket comes first: the index of the next notebook is written down before its run is submitted. Never more than
/// one is written down and not submitted: a cancel would have to submit it to find it. It is taken with whatever else is
/// written, so that a notebook costs two writes: its run's id and its verdict.
fn take(turn: &Turn, view: &View, ticket: &mut Ticket) {
    ticket.notebooks = all(view);
    let wants = wants(turn, view, ticket);
    if wants && view.place {
        let index = taken(ticket);
        ticket.in_flight.push(RunTicket { index, ..RunTicket::default() });
    }
    // With runs of its own the release works.
    idle::keep(ticket, wants && ticket.in_flight.is_empty(), turn.now);
}

/// Whether the next run is due now, if the workspace has a place for it.
pub(super) fn wants(turn: &Turn, view: &View, ticket: &Ticket) -> bool {
    let flying = &ticket.in_flight;
    let is_due = match role(view, taken(ticket)) {
        Some(Role::Test) => {
            let preparing = flying.iter().any(|run| role(view, run.index) == Some(Role::Setup));
            !preparing && flying.len() < turn.spec().test.max_parallel as usize
        }
        // By themselves: before and after everything else.
        Some(Role::Setup | Role::Teardown) => flying.is_empty(),
        None => false,
    };
    is_due && flying.iter().all(|run| run.run_id.is_some())
}

/// How many have a verdict or a run.
fn taken(ticket: &Ticket) -> u32 {
    ticket.done + u32::try_from(ticket.in_flight.len()).unwrap_or(u32::MAX)
}

fn role(view: &View, index: u32) -> Option<Role> {
    view.items.get(index as usize).map(|item| item.role)
}

fn progress(ticket: &Ticket) -> String {
    format!("{} of {} notebooks done", ticket.done, ticket.notebooks)
}

fn written(turn: &Turn, ticket: Ticket) -> Box<DatabricksReleaseStatus> {
    let waits = ticket.idle_since.is_some();
    turn.with_phase(|phase| {
        phase.reason = Some(if waits { Reason::WaitingForSlot } else { Reason::Progressing });
        phase.message = if waits { FULL.to_owned() } else { progress(&ticket) };
        phase.ticket = Some(ticket);
    })
}

/// The ticket with what the last outcome tells. The next run is not in it yet.
pub(super) fn told(turn: &Turn, view: &View) -> Ticket {
    let mut ticket = turn.ticket();
    match turn.outcome {
        Some(Outcome::Submitted { index, run_id }) => {
            ticket.in_flight.iter_mut().filter(|run| run.index == *index).for_each(|run| run.run_id = Some(*run_id));
        }
        Some(Outcome::Collected { index, collected }) => landed(turn, view, *index, collected, &mut ticket),
        _ => {}
    }
    ticket
}

/// A run that has a verdict makes room, unless its test runs again.
fn landed(turn: &Turn, view: &View, index: u32, collected: &Collected, ticket: &mut Ticket) {
    if let Some(again) = again(turn, view, &flying(ticket, index), collected) {
        ticket.in_flight.iter_mut().filter(|run| run.index == index).for_each(|run| run.clone_from(&again));
        return;
    }
    ticket.in_flight.retain(|run| run.index != index);
    ticket.done += 1;
    if collected.verdict.is_some() && role(view, index) == Some(Role::Setup) {
        ticket.done = after_tests(view);
    }
}

fn flying(ticket: &Ticket, index: u32) -> RunTicket {
    ticket.in_flight.iter().find(|run| run.index == index).cloned().unwrap_or_default()
}

fn submitted(turn: &Turn, view: &View) -> Box<DatabricksReleaseStatus> {
    let mut ticket = told(turn, view);
    take(turn, view, &mut ticket);
    written(turn, ticket)
}

fn record(turn: &Turn, view: &View, index: u32, collected: &Collected) -> Box<DatabricksReleaseStatus> {
    let run = flying(&turn.ticket(), index);
    let mut ticket = told(turn, view);
    if again(turn, view, &run, collected).is_some() {
        return turn.with_ticket(ticket);
    }
    let issue = issue(view, &run, collected);
    // The first verdict stays: it is what the phase ends with.
    if let (None, Some((reason, message)), None) = (&ticket.verdict, &collected.verdict, &issue) {
        ticket.verdict = Some(TestVerdict { reason: *reason, message: truncate(message, MAX_MESSAGE) });
    }
    take(turn, view, &mut ticket);
    let mut status = written(turn, ticket);
    if collected.verdict.is_some() || role(view, index) == Some(Role::Test) {
        count(&mut status, collected);
    }
    if let Some(issue) = issue {
        status.issue_count += 1;
        let room = ISSUES.saturating_sub(status.issues.len());
        status.issues.extend(Some(issue).into_iter().take(room));
    }
    status
}

/// Without a setup no test runs; the teardown does.
fn after_tests(view: &View) -> u32 {
    let teardown = view.items.iter().filter(|item| item.role == Role::Teardown).count();
    u32::try_from(view.items.len() - teardown).unwrap_or(u32::MAX)
}

/// The next try of a test that failed, if it has one left.
fn again(turn: &Turn, view: &View, run: &RunTicket, collected: &Collected) -> Option<RunTicket> {
    let (_, message) = collected.verdict.as_ref()?;
    let left = role(view, run.index) == Some(Role::Test) && run.try_ < turn.spec().test.retry_failed;
    left.then(|| RunTicket { index: run.index, try_: run.try_ + 1, failed: truncate(message, FAILED), run_id: None })
}

/// What went wrong with a notebook without failing the release: a test that only passed when it ran again, or a failure
/// that `continueOnError` lets pass.
fn issue(view: &View, run: &RunTicket, collected: &Collected) -> Option<Issue> {
    let item = view.items.get(run.index as usize)?;
    let name = item.path.clone();
    match &collected.verdict {
        Some((reason, message)) if item.continue_on_error => {
            Some(Issue { reason: *reason, name, message: message.clone() })
        }
        None if run.try_ > 0 => {
            let message = format!("flaky: passed on try {}; the try before failed: {}", run.try_ + 1, run.failed);
            Some(Issue { reason: Reason::InnerTestsFailed, name, message })
        }
        _ => None,
    }
}

fn count(status: &mut DatabricksReleaseStatus, collected: &Collected) {
    let counts = status.tests.notebooks.get_or_insert_with(TestCounts::default);
    counts.total += collected.counts.total;
    counts.passed += collected.counts.passed;
    counts.failed += collected.counts.failed;
    counts.skipped += collected.counts.skipped;
    let room = FAILURES.saturating_sub(status.tests.first_failures.len());
    status.tests.first_failures.extend(collected.failures.iter().take(room).cloned());
}

fn ended(turn: &Turn, view: &View, uri: &str) -> Step {
    let mut status = Box::new(turn.status.clone());
    status.tests.report = Some(uri.to_owned());
    let ending = match turn.ticket().verdict {
        None if own_issues(&status).next().is_some() => Ending {
            state: PhaseState::SucceededWithIssues,
            reason: Reason::SucceededWithIssues,
            message: with_issues(view, &status),
        },
        None => Ending::succeeded(format!("{} notebooks passed", tests(view))),
        Some(verdict) => Ending::failed(verdict.reason, verdict.message),
    };
    Step::Ended(status, ending)
}

fn tests(view: &View) -> usize {
    view.items.iter().filter(|item| item.role == Role::Test).count()
}

/// The issues that tests brought; Deploy and Install have theirs, of other kinds.
fn own_issues(status: &DatabricksReleaseStatus) -> impl Iterator<Item = &Issue> {
    status.issues.iter().filter(|issue| {
        matches!(
            issue.reason,
            Reason::NotebookFailed
                | Reason::InnerTestsFailed
                | Reason::NoTestReport
                | Reason::DurationExceeded
                | Reason::TimedOut
                | Reason::Canceled
        )
    })
}

fn with_issues(view: &View, status: &DatabricksReleaseStatus) -> String {
    let first = own_issues(status).next().map(|issue| format!(", the first: {}: {}", issue.name, issue.message));
    let own = own_issues(status).count();
    // The list is bounded, the count is not.
    let issues = if own == status.issues.len() { status.issue_count as usize } else { own };
    let all = tests(view);
    format!("{all} notebooks ran, with {issues} issues{}", first.unwrap_or_default())
}

fn nothing_to_run(turn: &Turn) -> Step {
    if turn.spec().test.select == Select::Changed {
        let ending = Ending::succeeded("no selected notebook changed: nothing was run");
        return Step::Ended(Box::new(turn.status.clone()), ending);
    }
    let patterns: Vec<&str> = turn.spec().test.notebooks.iter().map(|test| test.pattern.as_str()).collect();
    let message =
        format!("no deployed notebook matches {}: set test.notebooks to [] if there is none", patterns.join(", "));
    Step::Ended(Box::new(turn.status.clone()), Ending::failed(Reason::NoTestReport, message))
}
