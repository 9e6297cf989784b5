//! Which schedules of a pipeline came due. Pure.
//!
//! The status says when a schedule comes next, and only that time is acted on: a schedule that was added or changed, or a
//! pipeline that was suspended, makes up for nothing. A time that could not be acted on, because the controller or the
//! forge was away, is acted on for an hour.

use std::time::Duration;

use brickline_crds::{ReleasePipeline, Schedule};
use jiff::{Timestamp, ToSpan};

use super::schedule;

/// How long after its time a release is still made.
const DEADLINE: Duration = Duration::from_hours(1);
/// What makes a branch a pattern of branches.
const PATTERN: [char; 7] = ['*', '?', '[', ']', '{', '}', '\\'];

/// A branch to release because its time has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) branch: String,
    pub(super) at: Timestamp,
}

impl Due {
    /// The branch's full ref.
    pub(super) fn reference(&self) -> String {
        format!("refs/heads/{}", self.branch)
    }
}

/// What is due now.
pub(super) fn due(pipeline: &ReleasePipeline, now: Timestamp) -> Vec<Due> {
    let planned = pipeline.status.as_ref().and_then(|status| status.next_schedule_time.as_ref());
    // Times are found strictly after this one.
    let since =
        planned.map(|time| time.0).filter(|planned| *planned <= now).and_then(|t| t.checked_sub(1.second()).ok());
    let Some(since) = since else { return Vec::new() };
    let of = |planned: &Schedule| {
        let at = schedule::due(planned, since, now, DEADLINE).ok().flatten()?;
        Some(Due { branch: branch(pipeline, planned)?.to_owned(), at })
    };
    pipeline.spec.trigger.schedules.iter().filter_map(of).collect()
}

/// When the next one comes.
pub(super) fn next(pipeline: &ReleasePipeline, now: Timestamp) -> Option<Timestamp> {
    let planned = pipeline.spec.trigger.schedules.iter().filter(|planned| !planned.suspend);
    planned.filter_map(|planned| schedule::next(planned, now).ok().flatten()).min()
}

/// The branch of a schedule; none if it names none and the trigger has only patterns.
pub(super) fn branch<'a>(pipeline: &'a ReleasePipeline, planned: &'a Schedule) -> Option<&'a str> {
    let named = pipeline.spec.trigger.branches.iter().find(|branch| !branch.contains(PATTERN));
    planned.branch.as_ref().or(named).map(String::as_str)
}
