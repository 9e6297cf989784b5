//! Waiting: what a release waits for is written down once, and its limit counts from then.

use std::time::Duration;

use brickline_crds::{
    DatabricksRelease, DatabricksReleaseSpec, DatabricksReleaseStatus, PhaseState, Reason, ReleaseState, Waiting,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::phase::{Ending, Step};
use crate::trouble::Trouble;

/// How often what no watch tells is looked at again.
const AGAIN: Duration = Duration::from_secs(15);

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

/// Writes down what the release waits for, if that is news; ends it when it has waited for too long.
pub(crate) fn wait(release: &DatabricksRelease, status: &DatabricksReleaseStatus, wait: Wait, now: Timestamp) -> Step {
    let before = status.waiting.as_ref().filter(|before| before.reason == wait.reason);
    let since = before.map_or(now, |before| before.since.0);
    let left = limit(&release.spec, wait.reason).map(|limit| {
        let waited = Duration::try_from(now.duration_since(since)).unwrap_or_default();
        limit.saturating_sub(waited)
    });
    if left.is_some_and(|left| left.is_zero()) {
        let message = format!("waited longer than spec.waiting allows: {}", wait.message);
        let ending = Ending { state: PhaseState::TimedOut, reason: Reason::TimedOut, message };
        return Step::Ended(Box::new(status.clone()), ending);
    }
    let known = before.is_some_and(|before| before.message == wait.message || !wait.reword)
        && status.observed_generation == release.metadata.generation.unwrap_or(0);
    if known {
        let until = wait.until.and_then(|until| Duration::try_from(until.duration_since(now)).ok());
        return Step::Wait([left, until, wait.again].into_iter().flatten().min());
    }
    let mut status = Box::new(status.clone());
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
    let reason = if trouble.is_not_counted() { trouble.reason } else { Reason::DependencyNotReady };
    let hindrance = Wait { reason, message: trouble.message.clone(), until: None, again: Some(AGAIN), reword: false };
    wait(release, status, hindrance, now)
}

/// How long a release waits for that; none: for ever.
fn limit(spec: &DatabricksReleaseSpec, reason: Reason) -> Option<Duration> {
    let limits = &spec.waiting;
    match reason {
        Reason::WaitingForSlot => Some(limits.slot.get()),
        Reason::WaitingForCluster => Some(limits.cluster.get()),
        Reason::WaitingForWindow => Some(limits.window.get()),
        Reason::DependencyNotReady => Some(limits.dependency.get()),
        // People's wish, and the workspace's own limit for approvals.
        _ => None,
    }
}
