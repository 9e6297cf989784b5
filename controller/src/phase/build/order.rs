//! Which jobs of a build may begin, and which never will: pure.

use std::collections::BTreeMap;

use brickline_crds::{BuildJobStatus, PhaseState, PlannedJob, Reason};

use crate::condition::{self, JobView, ReleaseView};
use crate::phase::Ending;

/// What is to become of a job that has not begun.
#[derive(Debug, PartialEq)]
pub(super) enum Fate {
    /// Jobs that it depends on, or other copies of it, are under way.
    Waits,
    /// It may begin as soon as it has a slot.
    Due,
    /// It never will.
    Ends(Ending),
}

/// Decides on one job that has not begun, by how the others stand.
pub(super) fn fate(planned: &PlannedJob, jobs: &[BuildJobStatus], release: &ReleaseView) -> Fate {
    let before: Vec<(&str, Option<PhaseState>)> =
        planned.depends_on.iter().map(|name| (name.as_str(), result(jobs, name))).collect();
    if before.iter().any(|(_, state)| state.is_none_or(|state| !state.is_terminal())) {
        return Fate::Waits;
    }
    match lets(planned, &before, release) {
        Err(why) => return Fate::Ends(Ending::failed(Reason::InvalidSpec, format!("condition: {why}"))),
        Ok(false) => return Fate::Ends(skipped(planned, &before, jobs)),
        Ok(true) => {}
    }
    if is_full(planned, jobs) { Fate::Waits } else { Fate::Due }
}

/// How a job ended, of one with a matrix the worst of its copies; the state of one that goes on as long as one does.
fn result(jobs: &[BuildJobStatus], name: &str) -> Option<PhaseState> {
    copies(jobs, name).map(|job| job.state).max_by_key(|state| rank(*state))
}

/// The copies of a job.
fn copies<'a>(jobs: &'a [BuildJobStatus], name: &str) -> impl Iterator<Item = &'a BuildJobStatus> {
    jobs.iter().filter(move |job| job.name.split('.').next() == Some(name))
}

/// The worst wins, and what goes on before all.
fn rank(state: PhaseState) -> u8 {
    match state {
        PhaseState::Skipped => 0,
        PhaseState::Succeeded => 1,
        PhaseState::SucceededWithIssues => 2,
        PhaseState::Canceled => 3,
        PhaseState::TimedOut => 4,
        PhaseState::Failed => 5,
        PhaseState::Pending | PhaseState::Running => 6,
    }
}

/// Whether the job runs: what its condition says, or that all before it ended well.
fn lets(planned: &PlannedJob, before: &[(&str, Option<PhaseState>)], release: &ReleaseView) -> Result<bool, String> {
    let Some(condition) = planned.job.and_then(|job| job.condition.as_ref()) else {
        return Ok(before.iter().all(|(_, state)| state.is_some_and(PhaseState::is_good)));
    };
    let view = |state: Option<PhaseState>| JobView { result: state.map(|state| state.to_string()).unwrap_or_default() };
    let views: BTreeMap<String, JobView> =
        before.iter().map(|(name, state)| ((*name).to_owned(), view(*state))).collect();
    condition::holds(condition, &views, release)
}

/// What a job ends with that does not run. If the checkout of one before it said that nothing is due, then for that.
fn skipped(planned: &PlannedJob, before: &[(&str, Option<PhaseState>)], jobs: &[BuildJobStatus]) -> Ending {
    let all = planned.depends_on.iter().flat_map(|name| copies(jobs, name));
    if let Some(told) = all.into_iter().find(|job| is_not_due(job)) {
        let (state, reason) = (PhaseState::Skipped, told.reason.unwrap_or(Reason::OutOfDate));
        return Ending { state, reason, message: told.message.clone() };
    }
    let said = |(name, state): &(&str, Option<PhaseState>)| {
        format!("{name} {}", state.map(|state| state.to_string()).unwrap_or_default())
    };
    let message = if planned.job.is_some_and(|job| job.condition.is_some()) {
        format!("its condition doesn't hold: {}", before.iter().map(said).collect::<Vec<_>>().join(", "))
    } else {
        let bad = before.iter().filter(|(_, state)| !state.is_some_and(PhaseState::is_good));
        format!("it depends on {}", bad.map(said).collect::<Vec<_>>().join(", "))
    };
    Ending { state: PhaseState::Skipped, reason: Reason::DependencyNotReady, message }
}

/// Whether a checkout said that the commit is not to be built at all.
pub(super) fn is_not_due(job: &BuildJobStatus) -> bool {
    job.state == PhaseState::Skipped
        && matches!(job.reason, Some(Reason::OutOfDate | Reason::PathsNotMatched | Reason::NotAMerge))
}

/// Whether as many copies of the job are under way as its strategy allows.
fn is_full(planned: &PlannedJob, jobs: &[BuildJobStatus]) -> bool {
    let Some(job) = planned.job else { return false };
    let limit = job.strategy.as_ref().and_then(|strategy| strategy.max_parallel);
    let running = copies(jobs, &job.name).filter(|job| job.state == PhaseState::Running).count();
    limit.is_some_and(|limit| running >= limit as usize)
}
