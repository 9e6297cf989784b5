//! What to do next for the clusters' libraries. Whatever is due on any cluster is begun before anything is waited for:
//! while one restarts, the others go on.

use std::time::Duration;

use brickline_crds::{Issue, PhaseState, Reason, Ticket};

use super::super::{Effect as AnyEffect, Ending, Outcome, Step, Turn, idle};
use super::cluster::{Next, next, write_down};
use super::{Call, Cluster, Effect, View};

/// After a call that Databricks answers at once but carries out later.
const SETTLE: Duration = Duration::from_millis(500);
/// How often other people's runs are looked at.
const IDLE: Duration = Duration::from_secs(10);
/// How many issues a status names.
const ISSUES: usize = 20;

/// One step of the Install phase.
pub(crate) fn decide(turn: &Turn, view: &View) -> Step {
    // What was just asked for shows in the cluster's state only a moment later.
    if turn.outcome == Some(&Outcome::Done) {
        return Step::Wait(Some(SETTLE));
    }
    let ticket = turn.ticket();
    let all = view.clusters.iter().map(|cluster| (cluster, impatient(turn, &ticket, next(turn, view, cluster))));
    let mut all: Vec<(&Cluster, Next)> = all.collect();
    let failed = failure(&ticket, &mut all);
    let planned = planned(turn, &ticket, &all, failed.is_some());
    if planned != ticket {
        return record(turn, planned, &all);
    }
    let calls: Vec<Call> = all.iter().filter_map(|(_, next)| call(next)).collect();
    if !calls.is_empty() {
        return Step::Act(AnyEffect::Install(Effect { calls }));
    }
    if let Some((message, pause)) = waits(turn, &all) {
        return turn.wait_saying(&message, Some(pause));
    }
    match failed {
        Some(ending) => Step::Ended(Box::new(turn.status.clone()), ending),
        None => succeeded(turn, view, &ticket, &all),
    }
}

/// A cluster that is used for too long.
fn impatient(turn: &Turn, ticket: &Ticket, next: Next) -> Next {
    let (Next::Busy(runs), Some(when_idle)) = (&next, turn.spec().install.when_idle) else { return next };
    if idle::waited(ticket, turn.now) <= when_idle.timeout.get() {
        return next;
    }
    let limit = when_idle.timeout;
    let message = format!("{runs}, for longer than install.whenIdle.timeout ({limit}): release again when it is over");
    Next::Failed(Ending { state: PhaseState::TimedOut, reason: Reason::ClusterNotReady, message })
}

/// The first failure. Nothing new is begun then, but a cluster that was told to restart gets its libraries back.
fn failure(ticket: &Ticket, all: &mut Vec<(&Cluster, Next)>) -> Option<Ending> {
    let failed = all.iter().find_map(|(_, next)| match next {
        Next::Failed(ending) => Some(ending.clone()),
        _ => None,
    })?;
    all.retain(|(cluster, next)| {
        let begun = ticket.restarts.iter().any(|restart| restart.cluster == cluster.id);
        begun && !matches!(next, Next::Failed(_))
    });
    Some(failed)
}

/// The ticket with every plan that is due now, and with the wait for others. A wait that failed stays as it is.
fn planned(turn: &Turn, ticket: &Ticket, all: &[(&Cluster, Next)], failed: bool) -> Ticket {
    let mut planned = ticket.clone();
    for (cluster, next) in all {
        if let Next::Plan(plan) = next {
            write_down(&mut planned, *plan, cluster, turn);
        }
    }
    let is_busy = all.iter().any(|(_, next)| matches!(next, Next::Busy(_)));
    if !failed {
        idle::keep(&mut planned, is_busy, turn.now);
    }
    planned
}

fn record(turn: &Turn, planned: Ticket, all: &[(&Cluster, Next)]) -> Step {
    let said = waits(turn, all);
    Step::Record(turn.with_phase(|phase| {
        let reason = if planned.idle_since.is_some() { Reason::WaitingForCluster } else { Reason::Progressing };
        phase.reason = Some(reason);
        if let Some((message, _)) = said {
            phase.message = message;
        }
        phase.ticket = Some(planned);
    }))
}

fn call(next: &Next) -> Option<Call> {
    match next {
        Next::Do(call) => Some(call.clone()),
        _ => None,
    }
}

/// What is waited for, and until the next look; none if nothing is.
fn waits(turn: &Turn, all: &[(&Cluster, Next)]) -> Option<(String, Duration)> {
    let mut pause = IDLE;
    let mut messages: Vec<&str> = Vec::new();
    for (_, next) in all {
        match next {
            Next::Busy(message) => messages.push(message),
            Next::Wait(message) => {
                pause = turn.poll();
                messages.push(message);
            }
            _ => {}
        }
    }
    (!messages.is_empty()).then(|| (messages.join("; "), pause))
}

fn succeeded(turn: &Turn, view: &View, ticket: &Ticket, all: &[(&Cluster, Next)]) -> Step {
    let mut status = Box::new(turn.status.clone());
    let mut first = None;
    for (cluster, next) in all {
        let Next::Done(Some(message)) = next else { continue };
        first.get_or_insert_with(|| message.clone());
        status.issue_count += 1;
        if status.issues.len() < ISSUES {
            let name = format!("cluster {}", cluster.id);
            status.issues.push(Issue { reason: Reason::ClusterNotReady, name, message: message.clone() });
        }
    }
    let summary = summary(ticket, view);
    let ending = match first {
        None => Ending::succeeded(summary),
        Some(first) => Ending {
            state: PhaseState::SucceededWithIssues,
            reason: Reason::SucceededWithIssues,
            message: format!("{summary}; {first}"),
        },
    };
    Step::Ended(status, ending)
}

fn summary(ticket: &Ticket, view: &View) -> String {
    let (libraries, clusters) = (view.desired.len(), view.clusters.len());
    match ticket.restarts.len() {
        0 => format!("{libraries} libraries on {clusters} clusters, none restarted"),
        restarts => format!("{libraries} libraries on {clusters} clusters, {restarts} restarted"),
    }
}
