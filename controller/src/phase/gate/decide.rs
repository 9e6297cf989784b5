//! What to do next for a release that stands before a phase.

use std::time::Duration;

use brickline_crds::condition::truncate;
use brickline_crds::{ApprovalRecord, DatabricksReleaseStatus, LockTicket, Phase, PhaseState, Reason};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{Effect, Kind, Passage, Verdict, View, Wait, wait};
use crate::forge::ReportState;
use crate::phase::{Effect as AnyEffect, Ending, Outcome, Step, Turn, build, finish};

/// The longest name of what is locked, in characters: its Lease has it whole.
const TARGET: usize = 200;

/// How often work that a holder left behind is looked for again.
const LEFTOVER: Duration = Duration::from_secs(30);

/// The gate before the first phase that is still to come; none if it may simply begin.
pub(crate) fn kind(status: &DatabricksReleaseStatus, phase: Phase) -> Option<Kind> {
    let began = |from: Phase| status.phases.iter().any(|phase| phase.name >= from && phase.attempts > 0);
    let kind = Kind { first: !began(Phase::Build), workspace: phase != Phase::Build && !began(Phase::Deploy) };
    (kind.first || kind.workspace).then_some(kind)
}

/// One step towards the begin of the phase.
pub(crate) fn decide(turn: &Turn, kind: Kind, view: &View) -> Step {
    if let Some((reason, message)) = &view.refusal {
        return ended(turn, PhaseState::Failed, *reason, message.clone());
    }
    if let Some(step) = overtaken(turn, kind, view) {
        return step;
    }
    if kind.workspace
        && let Some(step) = permitted(turn, view)
    {
        return step;
    }
    match turn.outcome {
        Some(Outcome::Gate(Passage::NoTurn(message))) => {
            waits(turn, Wait::watched(Reason::WaitingForSlot, message.clone()))
        }
        Some(Outcome::Gate(Passage::Held { message, leftover })) => {
            let again = leftover.then_some(LEFTOVER);
            // Whoever has it next has another name: the first one written stays, so that waiting costs no writes.
            waits(turn, Wait { again, reword: false, ..Wait::watched(Reason::WaitingForCluster, message.clone()) })
        }
        Some(Outcome::Gate(Passage::Turn)) if kind.workspace => lock(turn, view),
        Some(Outcome::Gate(Passage::Turn | Passage::Locked)) => set_off(turn),
        Some(Outcome::Told { sent }) => begin_told(turn, *sent),
        _ => act(Effect::Turn { builds: turn.phase.name == Phase::Build }),
    }
}

fn act(effect: Effect) -> Step {
    Step::Act(AnyEffect::Gate(effect))
}

/// Newer releases of the stage: one that deployed already ends this one; one that waits may take its place.
fn overtaken(turn: &Turn, kind: Kind, view: &View) -> Option<Step> {
    if let Some(deployed) = view.newer_deployed.as_ref().filter(|_| kind.workspace) {
        let message = format!("the stage has {deployed} already, which is newer");
        return Some(ended(turn, PhaseState::Skipped, Reason::OutOfDate, message));
    }
    let newer = turn.newer?;
    let decides = turn.status.waiting.as_ref().map(|waiting| waiting.reason);
    let undecided = matches!(decides, Some(Reason::WaitingForApproval | Reason::WaitingForWindow));
    let replaced = newer.supersedes || (kind.workspace && undecided && newer.has_artifact);
    replaced.then(|| {
        let message = format!("{} took its place", newer.name);
        ended(turn, PhaseState::Skipped, Reason::Superseded, message)
    })
}

/// What people and the clock say; none if both agree.
fn permitted(turn: &Turn, view: &View) -> Option<Step> {
    let recorded = &view.approvals.records;
    if *recorded != turn.status.approvals {
        return Some(Step::Record(with_records(turn, recorded)));
    }
    let step = match &view.approvals.verdict {
        Verdict::Rejected(message) => ended(turn, PhaseState::Canceled, Reason::Rejected, message.clone()),
        Verdict::TimedOut(message) => ended(turn, PhaseState::TimedOut, Reason::TimedOut, message.clone()),
        Verdict::Waiting { message, until } => aside(turn, Reason::WaitingForApproval, message.clone(), *until),
        Verdict::Approved => {
            let until = view.closed_until?;
            let message = format!("the workspace's next window opens at {}", seconds(until));
            aside(turn, Reason::WaitingForWindow, message, until)
        }
    };
    Some(step)
}

/// While people or the clock decide, the turn goes to others: first it is given back, then the wait is written down.
fn aside(turn: &Turn, reason: Reason, message: String, until: Timestamp) -> Step {
    let known = turn.status.waiting.as_ref().is_some_and(|waiting| waiting.reason == reason);
    if !known && turn.outcome != Some(&Outcome::Gate(Passage::Aside)) {
        return act(Effect::StepAside);
    }
    waits(turn, Wait { until: Some(until), ..Wait::watched(reason, message) })
}

fn waits(turn: &Turn, what: Wait) -> Step {
    wait(turn.release, turn.status, what, turn.now)
}

/// The ticket comes first: what is to be locked is written down before it is locked.
fn lock(turn: &Turn, view: &View) -> Step {
    if view.locks.is_empty() {
        return set_off(turn);
    }
    if is_written(turn, view) {
        return act(Effect::Lock);
    }
    let mut status = Box::new(turn.status.clone());
    status.locks = tickets(view);
    Step::Record(status)
}

fn is_written(turn: &Turn, view: &View) -> bool {
    turn.status.locks == tickets(view)
}

fn tickets(view: &View) -> Vec<LockTicket> {
    let ticket = |lock: &crate::lock::Lock| LockTicket {
        name: lock.name().to_owned(),
        target: truncate(&lock.to_string(), TARGET),
        kept: false,
    };
    view.locks.iter().map(ticket).collect()
}

fn with_records(turn: &Turn, records: &[ApprovalRecord]) -> Box<DatabricksReleaseStatus> {
    let mut status = Box::new(turn.status.clone());
    status.approvals = records.to_vec();
    status
}

/// The forge hears that the release begins before its first phase does.
fn set_off(turn: &Turn) -> Step {
    match finish::pending(turn.release, turn.status) {
        Some(effect) => Step::Act(AnyEffect::Finish(effect)),
        None => begin(turn),
    }
}

/// The phase begins, and the same write says that the forge was told.
fn begin_told(turn: &Turn, sent: bool) -> Step {
    let mut status = begun(turn);
    if turn.status.reported.is_none() {
        status.reported = Some(finish::reported(ReportState::Pending, sent));
    }
    Step::Record(status)
}

/// The phase begins.
pub(crate) fn begin(turn: &Turn) -> Step {
    Step::Record(begun(turn))
}

fn begun(turn: &Turn) -> Box<DatabricksReleaseStatus> {
    let mut status = turn.with_phase(|phase| {
        phase.state = PhaseState::Running;
        phase.attempts = 1;
        phase.start_time = Some(Time(turn.now));
        phase.reason = Some(Reason::Progressing);
        if let Some(remote) = build::fetch::remote(turn.release).filter(|_| phase.name == Phase::Build) {
            phase.message = build::fetch::begins(remote);
        } else if phase.name == Phase::Build {
            build::begin(turn.release, phase, turn.now);
        }
    });
    status.waiting = None;
    status.waited.clear();
    status
}

fn ended(turn: &Turn, state: PhaseState, reason: Reason, message: String) -> Step {
    Step::Ended(Box::new(turn.status.clone()), Ending { state, reason, message })
}

/// To the second: nobody plans in nanoseconds.
fn seconds(time: Timestamp) -> String {
    let whole = Timestamp::from_second(time.as_second()).unwrap_or(time);
    whole.to_string()
}
