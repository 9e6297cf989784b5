//! What to do next while the phase is being stopped: the teardown is still owed, and has its own time.

use std::time::Duration;

use brickline_crds::condition::{MAX_MESSAGE, truncate};
use brickline_crds::{PhaseStatus, RunTicket, Stopping};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::super::{Effect as AnyEffect, Outcome, Step, Turn, is_let_go};
use super::decide::{ASK, FULL};
use super::{Collected, Ebb, Effect, Owed, Sight};
use crate::trouble::Trouble;

/// How often a teardown is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// The next step towards the teardown's end; none while the runs before it have not stopped, and once nothing more is owed.
/// `late`: they had their grace.
pub(crate) fn wind_down(turn: &Turn, stopping: &Stopping, ebb: &Ebb, late: bool) -> Option<Step> {
    let owed = ebb.teardown.as_ref()?;
    if let Some(Outcome::Collected { index, collected }) = turn.outcome
        && *index == owed.index
    {
        return Some(over(turn, owed, failed(collected)));
    }
    if let Some(Outcome::Submitted { index, run_id }) = turn.outcome
        && *index == owed.index
    {
        return Some(submitted(turn, *index, *run_id));
    }
    let flying = turn.ticket().in_flight.into_iter().find(|run| run.index == owed.index);
    let Some(flying) = flying else {
        let taken = || if ebb.place { taken(turn, owed) } else { turn.wait_saying(FULL, Some(ASK)) };
        return (ebb.alive.is_empty() || late).then(taken);
    };
    if stopping.teardown.is_none() {
        return Some(Step::Record(turn.with_phase(|phase| began(phase, turn))));
    }
    if is_over(turn, stopping) {
        return Some(over(turn, owed, Some("it did not end in its time".to_owned())));
    }
    Some(match (turn.outcome, &owed.run) {
        (Some(Outcome::Trouble(trouble)), _) => hindered(turn, owed, trouble),
        (_, None) => act(Effect::Submit { index: owed.index, try_: flying.try_ }),
        (_, Some((run_id, sight))) if Sight::is_over(sight) => {
            act(Effect::Collect { index: owed.index, run_id: *run_id })
        }
        (_, Some(_)) => Step::Wait(Some(LOOK)),
    })
}

fn act(effect: Effect) -> Step {
    Step::Act(AnyEffect::Test(effect))
}

/// Whether the teardown had its own timeout, and the grace for its end besides.
fn is_over(turn: &Turn, stopping: &Stopping) -> bool {
    deadline_is_over(turn, stopping).unwrap_or_default()
}

/// None while no teardown runs.
pub(crate) fn deadline_is_over(turn: &Turn, stopping: &Stopping) -> Option<bool> {
    let since = stopping.teardown.as_ref()?.0;
    let limit = turn.spec().test.teardown.as_ref()?.timeout.get() + turn.spec().timeouts.cancel_grace_period.get();
    let ran = Duration::try_from(turn.now.duration_since(since)).unwrap_or_default();
    Some(ran > limit || is_let_go(turn.release, since, turn.now))
}

fn began(phase: &mut PhaseStatus, turn: &Turn) {
    if let Some(stopping) = &mut phase.stopping {
        stopping.teardown = Some(Time(turn.now));
    }
}

/// The ticket comes first.
fn taken(turn: &Turn, owed: &Owed) -> Step {
    let mut ticket = turn.ticket();
    ticket.in_flight.push(RunTicket { index: owed.index, ..RunTicket::default() });
    Step::Record(turn.with_phase(|phase| {
        phase.ticket = Some(ticket);
        began(phase, turn);
    }))
}

fn submitted(turn: &Turn, index: u32, run_id: i64) -> Step {
    let mut ticket = turn.ticket();
    ticket.in_flight.iter_mut().filter(|run| run.index == index).for_each(|run| run.run_id = Some(run_id));
    Step::Record(turn.with_ticket(ticket))
}

/// A fault that can heal is waited out as long as the teardown has time.
fn hindered(turn: &Turn, owed: &Owed, trouble: &Trouble) -> Step {
    if trouble.transient { Step::Wait(Some(LOOK)) } else { over(turn, owed, Some(trouble.message.clone())) }
}

fn failed(collected: &Collected) -> Option<String> {
    collected.verdict.as_ref().map(|(_, message)| message.clone())
}

/// Nothing more is owed. A run that may still be alive stays in the ticket, for those who wait for its cluster.
fn over(turn: &Turn, owed: &Owed, failed: Option<String>) -> Step {
    let mut ticket = turn.ticket();
    ticket.done = ticket.notebooks;
    if owed.run.as_ref().is_none_or(|(_, sight)| sight.is_over()) {
        ticket.in_flight.retain(|run| run.index != owed.index);
    }
    Step::Record(turn.with_phase(|phase| {
        phase.ticket = Some(ticket);
        if let (Some(stopping), Some(failed)) = (&mut phase.stopping, failed) {
            stopping.message = truncate(&format!("{}; the teardown failed: {failed}", stopping.message), MAX_MESSAGE);
        }
    }))
}
