//! Waiting: what a release waits for is written down once, and its limit counts from then.

use std::time::Duration;

use brickline_crds::{
    DatabricksRelease, DatabricksReleaseSpec, DatabricksReleaseStatus, PhaseState, Reason, ReleaseState, Waited,
    Waiting,
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::phase::{Ending, Step};
use crate::trouble::Trouble;

/// How often what no watch tells is looked at again, at first and after hours.
const AGAIN: Duration = Duration::from_secs(15);
const RAREST: Duration = Duration::from_mins(5);

/// Something to wait for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wait {
    pub(crate) reason: Reason,
    pub(crate) message: String,
    /// When it ends by itself.
    pub(crate) until: Option<Timestamp>,
    /// When to look again, if nothing tells.
    pub(crate) again: Option<Duration>,
    /// Whether other words for the same reason are news. Databricks words the same fault in many ways.
    pub(crate) reword: bool,
}

impl Wait {
    /// Something that a watch tells of.
    pub(crate) fn watched(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), until: None, again: None, reword: true }
    }

    /// The release's own wish.
    pub(crate) fn suspended() -> Self {
        Self::watched(Reason::Suspended, "suspended: set spec.suspend to false to go on")
    }
}

/// Since when the release waits for that, at the same gate: a wait that another one interrupted counts from as long ago as
/// it has lasted, so that no limit begins anew.
pub(super) fn since(status: &DatabricksReleaseStatus, reason: Reason, now: Timestamp) -> Timestamp {
    if let Some(waiting) = status.waiting.as_ref().filter(|waiting| waiting.reason == reason) {
        return waiting.since.0;
    }
    let before = status.waited.iter().find(|before| before.reason == reason);
    let seconds = before.map_or(0, |before| i64::try_from(before.seconds).unwrap_or(i64::MAX));
    now.checked_sub(SignedDuration::from_secs(seconds)).unwrap_or(now)
}

/// Another wait begins: how long the one before it has lasted is kept. What was suspended is people's wish each time anew.
fn remember(status: &mut DatabricksReleaseStatus, next: Reason, now: Timestamp) {
    let Some(before) = status.waiting.clone().filter(|before| before.reason != next) else { return };
    status.waited.retain(|waited| waited.reason != before.reason && waited.reason != next);
    if before.reason != Reason::Suspended {
        let seconds = u64::try_from(now.duration_since(before.since.0).as_secs()).unwrap_or(0);
        status.waited.push(Waited { reason: before.reason, seconds });
    }
}

/// Writes down what the release waits for, if that is news; ends it when it has waited for too long.
pub(crate) fn wait(release: &DatabricksRelease, status: &DatabricksReleaseStatus, wait: Wait, now: Timestamp) -> Step {
    let before = status.waiting.as_ref().filter(|before| before.reason == wait.reason);
    let since = since(status, wait.reason, now);
    let waited = Duration::try_from(now.duration_since(since)).unwrap_or_default();
    let left = limit(&release.spec, wait.reason).map(|limit| limit.saturating_sub(waited));
    if left.is_some_and(|left| left.is_zero()) {
        let message = format!("waited longer than spec.waiting allows: {}", wait.message);
        let ending = Ending { state: PhaseState::TimedOut, reason: Reason::TimedOut, message };
        return Step::Ended(Box::new(status.clone()), ending);
    }
    let known = before.is_some_and(|before| before.message == wait.message || !wait.reword)
        && status.observed_generation == release.metadata.generation.unwrap_or(0);
    if known {
        let until = wait.until.and_then(|until| Duration::try_from(until.duration_since(now)).ok());
        // What lasts is asked about ever more rarely.
        let again = wait.again.map(|again| (waited / 10).clamp(again, again.max(RAREST)));
        return Step::Wait([left, until, again].into_iter().flatten().min());
    }
    let mut status = Box::new(status.clone());
    remember(&mut status, wait.reason, now);
    status.state = ReleaseState::Waiting;
    status.waiting =
        Some(Waiting { reason: wait.reason, message: wait.message, since: Time(since), until: wait.until.map(Time) });
    Step::Record(status)
}

/// Something that is missing or does not answer is waited for; what another attempt won't mend ends the release.
pub(crate) fn hindered(
    release: &DatabricksRelease,
    status: &DatabricksReleaseStatus,
    trouble: &Trouble,
    now: Timestamp,
) -> Step {
    if !trouble.transient {
        let ending = Ending::failed(trouble.reason, trouble.message.clone());
        return Step::Ended(Box::new(status.clone()), ending);
    }
    let keeps = trouble.is_not_counted() || trouble.reason == Reason::NotAuthorized;
    let reason = if keeps { trouble.reason } else { Reason::DependencyNotReady };
    let hindrance = Wait { reason, message: trouble.message.clone(), until: None, again: Some(AGAIN), reword: false };
    wait(release, status, hindrance, now)
}

/// How long a release waits for that; none: for ever.
fn limit(spec: &DatabricksReleaseSpec, reason: Reason) -> Option<Duration> {
    let limits = &spec.waiting;
    match reason {
        Reason::WaitingForSlot => Some(limits.slot.get()),
        Reason::WaitingForCluster => Some(limits.cluster.get()),
        // Those who keep the workspace open it, resume it, or mend its credentials.
        Reason::WaitingForWindow | Reason::AuthenticationFailed => Some(limits.window.get()),
        Reason::Suspended => (!spec.suspend).then(|| limits.window.get()),
        Reason::DependencyNotReady | Reason::NotAuthorized | Reason::InternalError => Some(limits.dependency.get()),
        // The release's own wish ends when its people say so; approvals have the workspace's limit.
        _ => None,
    }
}

#[cfg(test)]
mod tests;
