//! The core: what a release needs next. No I/O, no clock, exactly one answer.
//!
//! An effect is only asked for when its ticket stands in the *observed* status, so a crash at any point finds the work
//! again instead of starting it twice.

use std::time::Duration;

use brickline_crds::condition::{MAX_MESSAGE, truncate};
use brickline_crds::{
    DatabricksRelease, DatabricksReleaseStatus, Phase, PhaseState, PhaseStatus, Reason, ReleaseState, Stopping,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use strum::IntoEnumIterator;

use super::retry;
use super::status::derive;
use crate::phase::{self, Effect, Ending, Outcome, Step, Trouble, Turn, View, finish};

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

/// What the shell saw: the last effect's outcome and a look at the current phase's work.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Observed {
    pub(crate) outcome: Option<Outcome>,
    pub(crate) view: View,
}

/// The phase that is under way or next; none if all are over.
pub(crate) fn current(status: &DatabricksReleaseStatus) -> Option<&PhaseStatus> {
    status.phases.iter().find(|phase| !phase.state.is_terminal())
}

/// What the release needs next.
pub(crate) fn decide(release: &DatabricksRelease, observed: &Observed, now: Timestamp) -> Decision {
    let status = release.status.clone().unwrap_or_default();
    match status.state {
        ReleaseState::Finished => Decision::Done,
        ReleaseState::Finishing => {
            let step = finish::decide(release, &status, observed.outcome.as_ref(), now);
            carry(release, step, now)
        }
        _ if status.phases.is_empty() => begin(release, status, observed, now),
        _ => advance(release, &status, observed, now),
    }
}

/// Number the run, tell the forge, then write the phases down.
fn begin(
    release: &DatabricksRelease,
    mut status: DatabricksReleaseStatus,
    observed: &Observed,
    now: Timestamp,
) -> Decision {
    match &observed.outcome {
        Some(Outcome::Numbered(run)) => status.run.clone_from(run),
        // A pipeline that is gone gives no number; the release goes on without.
        Some(Outcome::Trouble(_)) => {}
        _ if release.spec.suspend && !release.spec.cancel => return suspended(release, status, now),
        _ => return Decision::Act(Effect::NumberRun),
    }
    status.state = ReleaseState::Running;
    status.start_time = Some(Time(now));
    status.trace_id = Some(super::trace_id(release));
    status.phases = Phase::iter().map(|phase| planned(release, phase)).collect();
    record(release, Box::new(status), now)
}

/// A phase that is not asked for is skipped from the start.
fn planned(release: &DatabricksRelease, phase: Phase) -> PhaseStatus {
    let spec = &release.spec;
    let why = match phase {
        Phase::Build => None,
        Phase::Operate => Some("no jobs to operate"),
        _ if spec.workspace_ref.is_none() => Some("the release names no workspace"),
        Phase::Install if spec.install.clusters.is_empty() => Some("install.clusters is empty"),
        Phase::Test if spec.test.notebooks.is_empty() => Some("test.notebooks is empty"),
        _ => None,
    };
    let mut planned = PhaseStatus::pending(phase);
    if let Some(why) = why {
        planned.state = PhaseState::Skipped;
        why.clone_into(&mut planned.message);
    }
    planned
}

/// One step of the phase that is under way, or the begin of the next one.
fn advance(
    release: &DatabricksRelease,
    status: &DatabricksReleaseStatus,
    observed: &Observed,
    now: Timestamp,
) -> Decision {
    if let Some(step) = finish::begin(release, status, observed.outcome.as_ref()) {
        return carry(release, step, now);
    }
    let Some(phase) = current(status) else { return record(release, finishing(status), now) };
    if phase.state == PhaseState::Pending {
        return start(release, status, phase.name, now);
    }
    let turn = Turn { release, status, phase, outcome: observed.outcome.as_ref(), now };
    if let Some(stopping) = &phase.stopping {
        return stop(&turn, stopping);
    }
    if let Some(ending) = overdue(&turn) {
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

/// A fault that ends the phase must not leave its work running.
fn fault(turn: &Turn, trouble: &Trouble) -> Step {
    match retry::after(turn, trouble) {
        Step::Ended(_, ending) => stopping(turn, ending),
        step => step,
    }
}

/// Whatever could be seen or written again counts as progress: faults are counted in a row.
fn recovered(turn: &Turn, step: Step) -> Step {
    if turn.phase.faults == 0 {
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
    Step::Record(turn.with_phase(|phase| {
        phase.stopping = Some(Stopping { state, reason, message, since: Some(Time(turn.now)) });
    }))
}

fn step(turn: &Turn, view: &View) -> Step {
    match (turn.phase.name, view) {
        (Phase::Build, View::Build(view)) => phase::build::decide(turn, view),
        (Phase::Deploy, _) => phase::deploy::decide(turn),
        (Phase::Install, View::Install(view)) => phase::install::decide(turn, view),
        (Phase::Test, View::Test(view)) => phase::test::decide(turn, view),
        // Another phase was looked at than the one under way: look again.
        _ => Step::Wait(Some(Duration::ZERO)),
    }
}

/// Begins a phase, unless the release is suspended or canceled.
fn start(release: &DatabricksRelease, status: &DatabricksReleaseStatus, name: Phase, now: Timestamp) -> Decision {
    let mut next = status.clone();
    if release.spec.cancel {
        let ending = Ending {
            state: PhaseState::Canceled,
            reason: Reason::Canceled,
            message: "canceled before it began".into(),
        };
        return record(release, Box::new(ended(next, name, &ending, now)), now);
    }
    if release.spec.suspend {
        return suspended(release, next, now);
    }
    next.state = ReleaseState::Running;
    if let Some(phase) = next.phase_mut(name) {
        phase.state = PhaseState::Running;
        phase.attempts = 1;
        phase.start_time = Some(Time(now));
        phase.reason = Some(Reason::Progressing);
    }
    record(release, Box::new(next), now)
}

fn suspended(release: &DatabricksRelease, mut status: DatabricksReleaseStatus, now: Timestamp) -> Decision {
    if status.state == ReleaseState::Waiting && status.observed_generation == release.metadata.generation.unwrap_or(0) {
        return Decision::Wait(None);
    }
    status.state = ReleaseState::Waiting;
    record(release, Box::new(status), now)
}

/// Why the phase under way must stop: canceled, or over its timeout.
fn overdue(turn: &Turn) -> Option<Ending> {
    if turn.spec().cancel {
        let message = "canceled by spec.cancel".to_owned();
        return Some(Ending { state: PhaseState::Canceled, reason: Reason::Canceled, message });
    }
    let timeouts = &turn.spec().timeouts;
    let limit = match turn.phase.name {
        // The Job has a deadline of its own and tells more; this is for a Job that never ends.
        Phase::Build => timeouts.build.get() + Duration::from_mins(5),
        Phase::Deploy => timeouts.deploy.get(),
        Phase::Install => timeouts.install.get(),
        Phase::Test | Phase::Operate => timeouts.test.get(),
    };
    let started = turn.phase.start_time.as_ref()?.0;
    let elapsed = Duration::try_from(turn.now.duration_since(started)).unwrap_or_default();
    let last = if turn.phase.message.is_empty() { String::new() } else { format!("; last: {}", turn.phase.message) };
    let message = format!("{} took longer than its timeout{last}", turn.phase.name);
    (elapsed > limit).then_some(Ending { state: PhaseState::TimedOut, reason: Reason::TimedOut, message })
}

/// Asks the phase's work to stop, once, then ends the phase.
fn stop(turn: &Turn, stopping: &Stopping) -> Decision {
    let Stopping { state, reason, message, .. } = stopping.clone();
    let message = match turn.outcome {
        Some(Outcome::Done) => message,
        Some(Outcome::Trouble(trouble)) => {
            format!("{message}; its work could not be stopped and may still run: {}", trouble.message)
        }
        _ => return Decision::Act(Effect::Stop(turn.phase.name)),
    };
    settle(turn, Step::Ended(Box::new(turn.status.clone()), Ending { state, reason, message }))
}

/// A phase's step as the release's decision.
fn settle(turn: &Turn, step: Step) -> Decision {
    let step = match step {
        Step::Ended(status, ending) => Step::Record(Box::new(ended(*status, turn.phase.name, &ending, turn.now))),
        step => step,
    };
    carry(turn.release, step, turn.now)
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
    // A build that was not due ends the release as well as one that failed.
    let road_ends = !ending.state.lets_pass() || (name == Phase::Build && ending.state == PhaseState::Skipped);
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
    status
}

fn finishing(status: &DatabricksReleaseStatus) -> Box<DatabricksReleaseStatus> {
    Box::new(DatabricksReleaseStatus { state: ReleaseState::Finishing, ..status.clone() })
}

fn record(release: &DatabricksRelease, mut status: Box<DatabricksReleaseStatus>, now: Timestamp) -> Decision {
    bound(&mut status);
    derive(release, &mut status, now);
    Decision::Record(status)
}

/// What comes from outside is cut to what the schema takes: a refused write would lose all of it.
fn bound(status: &mut DatabricksReleaseStatus) {
    for phase in &mut status.phases {
        phase.message = truncate(&phase.message, MAX_MESSAGE);
    }
    for failure in &mut status.tests.first_failures {
        failure.name = truncate(&failure.name, 512);
        failure.message = truncate(&failure.message, 1024);
    }
}
