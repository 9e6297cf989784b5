//! The core: what a release needs next. No I/O, no clock, exactly one answer.
//!
//! An effect is only asked for when its ticket stands in the *observed* status, so a crash at any point finds the work
//! again instead of starting it twice.

use std::time::Duration;

use brickline_crds::condition::{MAX_MESSAGE, truncate};
use brickline_crds::{
    DatabricksRelease, DatabricksReleaseStatus, Phase, PhaseState, PhaseStatus, Reason, ReleaseState, Stopping,
    annotations,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use strum::IntoEnumIterator;

use super::status::derive;
use super::{retry, size, timeout};
use crate::phase::test::Ebb;
use crate::phase::{self, Effect, Ending, Outcome, Step, Trouble, Turn, View, begin, finish, gate};
use crate::queue::Newer;

/// How often work that was asked to stop is looked at.
const STOPPING: Duration = Duration::from_secs(1);

/// The one answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Decision {
    /// Write this status.
    Record(Box<DatabricksReleaseStatus>),
    /// Do this.
    Act(Effect),
    /// Come again after this time, or when a watched object changes.
    Wait(Option<Duration>),
    /// Nothing more will happen.
    Done,
}

/// What the shell saw: the last effect's outcome, a look at the current phase's work, and who may take its place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Observed {
    pub(crate) outcome: Option<Outcome>,
    pub(crate) view: View,
    pub(crate) newer: Option<Newer>,
}

/// The phase that is under way or next; none if all are over.
pub(crate) fn current(status: &DatabricksReleaseStatus) -> Option<&PhaseStatus> {
    status.phases.iter().find(|phase| !phase.state.is_terminal())
}

/// What the release needs next.
pub(crate) fn decide(release: &DatabricksRelease, observed: &Observed, now: Timestamp) -> Decision {
    let status = release.status.clone().unwrap_or_default();
    if status.state != ReleaseState::Finished
        && let Some(asked) = asked_again(release, &status)
    {
        return record(release, asked, now);
    }
    match status.state {
        ReleaseState::Finished => Decision::Done,
        ReleaseState::Finishing => {
            let step = finish::decide(release, &status, observed.outcome.as_ref(), now);
            carry(release, step, now)
        }
        _ if status.phases.is_empty() => {
            let step = begin::decide(release, &status, observed.outcome.as_ref(), now);
            carry(release, closed(release, step, now), now)
        }
        _ => advance(release, &status, observed, now),
    }
}

/// A release that ends before its first phase ends in that phase.
fn closed(release: &DatabricksRelease, step: Step, now: Timestamp) -> Step {
    let Step::Ended(mut status, ending) = step else { return step };
    if status.phases.is_empty() {
        status.phases = Phase::iter().map(|phase| begin::planned(release, phase)).collect();
    }
    let first = current(&status).map_or(Phase::Build, |phase| phase.name);
    Step::Record(Box::new(ended(*status, first, &ending, now)))
}

/// One step of the phase that is under way, or towards the begin of the next one.
fn advance(
    release: &DatabricksRelease,
    status: &DatabricksReleaseStatus,
    observed: &Observed,
    now: Timestamp,
) -> Decision {
    let Some(phase) = current(status) else { return record(release, finishing(status), now) };
    let (outcome, newer) = (observed.outcome.as_ref(), observed.newer.as_ref());
    let turn = Turn { release, status, phase, outcome, newer, now };
    if phase.state == PhaseState::Pending {
        return settle(&turn, enter(&turn, &observed.view));
    }
    if let Some(stopping) = &phase.stopping {
        return settle(&turn, stop(&turn, stopping, &observed.view));
    }
    if let Some(ending) = timeout::overdue(&turn) {
        return settle(&turn, stopping(&turn, ending));
    }
    if let Some(pause) = retry::pause(phase, now) {
        return Decision::Wait(Some(pause));
    }
    if let (Some(Outcome::Trouble(trouble)), _) | (_, View::Trouble(trouble)) = (&observed.outcome, &observed.view) {
        return settle(&turn, fault(&turn, trouble));
    }
    settle(&turn, recovered(&turn, step(&turn, &observed.view)))
}

/// A new `requestedAt` ends the pause before another attempt; the status says that it was heard.
fn asked_again(release: &DatabricksRelease, status: &DatabricksReleaseStatus) -> Option<Box<DatabricksReleaseStatus>> {
    let token = annotations::requested_at(release.annotations())?;
    // Before it is ours a release has no status of ours either.
    if token == status.last_handled_requested_at || (status.phases.is_empty() && !phase::is_ours(release)) {
        return None;
    }
    let mut status = Box::new(status.clone());
    let current = current(&status).map(|phase| phase.name);
    if let Some(phase) = current.and_then(|name| status.phase_mut(name)) {
        phase.retry_at = None;
        phase.jobs.iter_mut().for_each(|job| job.retry_at = None);
    }
    status.last_handled_requested_at = token;
    Some(status)
}

/// A fault that ends the phase must not leave its work running.
fn fault(turn: &Turn, trouble: &Trouble) -> Step {
    match retry::after(turn, trouble) {
        Step::Ended(_, ending) => stopping(turn, ending),
        step => step,
    }
}

/// Whatever could be seen or written again counts as progress: faults are counted in a row.
fn recovered(turn: &Turn, step: Step) -> Step {
    if turn.phase.faults == 0 && turn.phase.retry_at.is_none() {
        return step;
    }
    let mend = |status: &mut DatabricksReleaseStatus| {
        if let Some(phase) = status.phase_mut(turn.phase.name) {
            phase.faults = 0;
            phase.retry_at = None;
            phase.reason = Some(Reason::Progressing);
        }
    };
    match step {
        Step::Record(mut status) => {
            mend(&mut status);
            Step::Record(status)
        }
        Step::Wait(_) => {
            let mut status = Box::new(turn.status.clone());
            mend(&mut status);
            Step::Record(status)
        }
        step => step,
    }
}

/// The phase's end is written down before its work is asked to stop.
fn stopping(turn: &Turn, ending: Ending) -> Step {
    let Ending { state, reason, message } = ending;
    let message = truncate(&message, MAX_MESSAGE);
    let stopping = Stopping { state, reason, message, since: Some(Time(turn.now)), teardown: None, asked: false };
    Step::Record(turn.with_phase(|phase| phase.stopping = Some(stopping)))
}

fn step(turn: &Turn, view: &View) -> Step {
    match (turn.phase.name, view) {
        (Phase::Build, View::Nothing) if phase::build::fetch::remote(turn.release).is_some() => {
            phase::build::fetch::decide(turn)
        }
        (Phase::Build, View::Build(view)) => phase::build::decide(turn, view),
        (Phase::Deploy, View::Deploy(view)) => phase::deploy::decide(turn, view.as_ref()),
        (Phase::Install, View::Install(view)) => phase::install::decide(turn, view),
        (Phase::Test, View::Test(view)) => phase::test::decide(turn, view),
        (Phase::Operate, View::Operate(view)) => phase::operate::decide(turn, view),
        // Another phase was looked at than the one under way: look again.
        _ => Step::Wait(Some(Duration::ZERO)),
    }
}

/// Begins a phase, unless the release is canceled or suspended, or its gate is closed.
fn enter(turn: &Turn, view: &View) -> Step {
    if let Some(why) = turn.release.is_canceled() {
        let message = format!("{why} before it began");
        let ending = Ending { state: PhaseState::Canceled, reason: Reason::Canceled, message };
        return Step::Ended(Box::new(turn.status.clone()), ending);
    }
    if turn.spec().suspend {
        return gate::wait(turn.release, turn.status, gate::Wait::suspended(), turn.now);
    }
    if let Some(ending) = timeout::release(turn) {
        return Step::Ended(Box::new(turn.status.clone()), ending);
    }
    match (gate::kind(turn.status, turn.phase.name), view) {
        (None, _) => gate::begin(turn),
        (Some(kind), View::Gate(view)) => match turn.outcome {
            Some(Outcome::Trouble(trouble)) => gate::hindered(turn.release, turn.status, trouble, turn.now),
            _ => gate::decide(turn, kind, view),
        },
        (Some(_), View::Trouble(trouble)) => gate::hindered(turn.release, turn.status, trouble, turn.now),
        (Some(_), _) => Step::Wait(Some(Duration::ZERO)),
    }
}

/// Asks the phase's work to stop, then waits until it is gone. Work that is still there when its grace is over is named.
fn stop(turn: &Turn, stopping: &Stopping, view: &View) -> Step {
    let Stopping { state, reason, message, .. } = stopping.clone();
    let ending = Ending { state, reason, message };
    let late = timeout::grace_is_over(turn, stopping);
    if !stopping.asked {
        return match turn.outcome {
            Some(Outcome::Done) => Step::Record(turn.with_phase(asked)),
            Some(Outcome::Trouble(trouble)) if late => abandoned(turn, &ending, &trouble.message),
            Some(Outcome::Trouble(_)) => Step::Wait(Some(STOPPING)),
            _ => Step::Act(Effect::Stop(turn.phase.name)),
        };
    }
    if let View::Ebb(ebb) = view
        && let Some(step) = phase::test::wind_down(turn, stopping, ebb, late)
    {
        return step;
    }
    match view {
        View::Alive(alive) | View::Ebb(Ebb { alive, .. }) => gone(turn, ending, alive, late),
        // A teardown has its own time.
        View::Trouble(trouble) if phase::test::deadline_is_over(turn, stopping).unwrap_or(late) => {
            abandoned(turn, &ending, &trouble.message)
        }
        View::Trouble(_) => Step::Wait(Some(STOPPING)),
        _ => Step::Wait(Some(Duration::ZERO)),
    }
}

fn gone(turn: &Turn, ending: Ending, alive: &[String], late: bool) -> Step {
    if alive.is_empty() {
        return Step::Ended(Box::new(turn.status.clone()), ending);
    }
    if late { abandoned(turn, &ending, &alive.join(", ")) } else { Step::Wait(Some(STOPPING)) }
}

fn asked(phase: &mut PhaseStatus) {
    if let Some(stopping) = &mut phase.stopping {
        stopping.asked = true;
    }
}

/// The work did not confirm its end: nobody may count on it.
fn abandoned(turn: &Turn, ending: &Ending, alive: &str) -> Step {
    let grace = turn.spec().timeouts.cancel_grace_period;
    let message = format!("{}; its work was asked to stop, and within {grace} it did not: {alive}", ending.message);
    let ending = Ending::failed(Reason::CancelTimedOut, message);
    Step::Ended(Box::new(turn.status.clone()), ending)
}

/// A phase's step as the release's decision.
fn settle(turn: &Turn, step: Step) -> Decision {
    let step = match step {
        Step::Ended(status, ending) => Step::Record(onward(turn, ended(*status, turn.phase.name, &ending, turn.now))),
        step => step,
    };
    carry(turn.release, step, turn.now)
}

/// The write that ends a phase also begins the next one if nothing stands before that, or begins to finish the release.
fn onward(turn: &Turn, status: DatabricksReleaseStatus) -> Box<DatabricksReleaseStatus> {
    let Some(phase) = current(&status) else { return finishing(&status) };
    if gate::kind(&status, phase.name).is_none() {
        let next = Turn { status: &status, phase, outcome: None, ..*turn };
        let begins = |begun: &DatabricksReleaseStatus| begun.phase(phase.name).is_some_and(|p| p.attempts > 0);
        match enter(&next, &View::Nothing) {
            Step::Record(begun) if begins(&begun) => return begun,
            _ => {}
        }
    }
    Box::new(status)
}

/// A step that closes no phase as the release's decision.
fn carry(release: &DatabricksRelease, step: Step, now: Timestamp) -> Decision {
    match step {
        Step::Record(status) | Step::Ended(status, _) => record(release, status, now),
        Step::Act(effect) => Decision::Act(effect),
        Step::Wait(wait) => Decision::Wait(wait),
    }
}

/// Closes a phase. If the road ends here, the phases after it are skipped.
fn ended(mut status: DatabricksReleaseStatus, name: Phase, ending: &Ending, now: Timestamp) -> DatabricksReleaseStatus {
    // A phase that was planned and then not due ends the release as well as one that failed.
    let road_ends = !ending.state.lets_pass() || ending.state == PhaseState::Skipped;
    status.waiting = None;
    status.waited.clear();
    for phase in &mut status.phases {
        if phase.name == name {
            phase.state = ending.state;
            phase.reason = Some(ending.reason);
            phase.message.clone_from(&ending.message);
            phase.completion_time = Some(Time(now));
            phase.retry_at = None;
            phase.stopping = None;
            phase.faults = 0;
        } else if phase.name > name && road_ends && !phase.state.is_terminal() {
            phase.state = PhaseState::Skipped;
            phase.message = format!("{name} did not succeed");
        }
    }
    status.active_seconds = Some(timeout::active(&status, now).as_secs());
    status
}

fn finishing(status: &DatabricksReleaseStatus) -> Box<DatabricksReleaseStatus> {
    Box::new(DatabricksReleaseStatus { state: ReleaseState::Finishing, waiting: None, ..status.clone() })
}

fn record(release: &DatabricksRelease, mut status: Box<DatabricksReleaseStatus>, now: Timestamp) -> Decision {
    size::fit(&mut status, |status| derive(release, status, now));
    Decision::Record(status)
}
