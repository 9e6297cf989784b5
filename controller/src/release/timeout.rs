//! Timeouts: how long work may take. Only active time counts, so waiting costs nothing, and a restart of the controller
//! resets nothing.

use std::time::Duration;

use brickline_crds::{DatabricksReleaseStatus, Phase, PhaseState, PhaseStatus, Reason, Stopping};
use jiff::Timestamp;

use crate::phase::{Ending, Turn, build, idle, is_let_go};

/// What a Job may take beyond its own deadline, which tells more than ours.
const BEYOND: Duration = Duration::from_mins(5);

/// How long the release's phases have worked, all together.
pub(super) fn active(status: &DatabricksReleaseStatus, now: Timestamp) -> Duration {
    status.phases.iter().map(|phase| worked(phase, now)).sum()
}

/// How long a phase has worked.
pub(super) fn worked(phase: &PhaseStatus, now: Timestamp) -> Duration {
    let Some(start) = &phase.start_time else { return Duration::ZERO };
    let end = phase.completion_time.as_ref().map_or(now, |end| end.0);
    let elapsed = Duration::try_from(end.duration_since(start.0)).unwrap_or_default();
    elapsed.saturating_sub(phase.ticket.as_ref().map_or(Duration::ZERO, |ticket| idle::all(ticket, end)))
}

/// Why the phase under way must stop: canceled, superseded, or over a timeout.
pub(super) fn overdue(turn: &Turn) -> Option<Ending> {
    if let Some(why) = turn.release.is_canceled() {
        return Some(Ending { state: PhaseState::Canceled, reason: Reason::Canceled, message: why.to_owned() });
    }
    let deploying = turn.phase.name != Phase::Build;
    if let Some(newer) = turn.newer.filter(|newer| newer.supersedes && (!deploying || newer.after_deploy)) {
        let message = format!("{} took its place", newer.name);
        return Some(Ending { state: PhaseState::Canceled, reason: Reason::Superseded, message });
    }
    phase(turn).or_else(|| release(turn)).or_else(|| in_line(turn))
}

/// Whether the build has waited for too long to begin a job, or the tests to begin a run. Install has a limit of its own.
fn in_line(turn: &Turn) -> Option<Ending> {
    let is_in_line = matches!(turn.phase.name, Phase::Build | Phase::Test);
    let ticket = turn.phase.ticket.as_ref().filter(|_| is_in_line)?;
    let limit = turn.spec().waiting.slot;
    let is_over = idle::waited(ticket, turn.now) > limit.get();
    is_over.then(|| timed_out(turn, &format!("{} waited longer than waiting.slot ({limit})", turn.phase.name)))
}

fn phase(turn: &Turn) -> Option<Ending> {
    let timeouts = &turn.spec().timeouts;
    let limit = match turn.phase.name {
        Phase::Build if build::fetch::remote(turn.release).is_some() => timeouts.build.get(),
        Phase::Build => timeouts.build.get() + BEYOND,
        Phase::Deploy => timeouts.deploy.get(),
        Phase::Install => timeouts.install.get(),
        Phase::Test => timeouts.test.get(),
        Phase::Operate => timeouts.operate.get(),
    };
    (worked(turn.phase, turn.now) > limit).then(|| {
        let name: &str = turn.phase.name.into();
        timed_out(turn, &format!("{name} took longer than timeouts.{}", name.to_ascii_lowercase()))
    })
}

/// Whether all phases together took too long.
pub(super) fn release(turn: &Turn) -> Option<Ending> {
    let limit = turn.spec().timeouts.release.get();
    (active(turn.status, turn.now) > limit).then(|| timed_out(turn, "the release took longer than timeouts.release"))
}

fn timed_out(turn: &Turn, what: &str) -> Ending {
    let last = if turn.phase.message.is_empty() { String::new() } else { format!("; last: {}", turn.phase.message) };
    Ending { state: PhaseState::TimedOut, reason: Reason::TimedOut, message: format!("{what}{last}") }
}

/// Whether work that was asked to stop has had its grace.
pub(super) fn grace_is_over(turn: &Turn, stopping: &Stopping) -> bool {
    let since = stopping.since.as_ref().map_or(turn.now, |since| since.0);
    let waited = Duration::try_from(turn.now.duration_since(since)).unwrap_or_default();
    waited > turn.spec().timeouts.cancel_grace_period.get() || is_let_go(turn.release, since, turn.now)
}
