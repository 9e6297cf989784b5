//! What to do next for a release whose phases are not written down yet.

use brickline_crds::{DatabricksRelease, DatabricksReleaseStatus, Phase, PhaseState, PhaseStatus, ReleaseState};
use jiff::Timestamp;
use strum::IntoEnumIterator;

use super::{Effect, Resolved};
use crate::phase::gate::{self, Wait};
use crate::phase::{Effect as AnyEffect, Ending, Outcome, Step, is_ours};
use crate::telemetry::trace_id;

/// Adopt, resolve, then write the phases down.
pub(crate) fn decide(
    release: &DatabricksRelease,
    status: &DatabricksReleaseStatus,
    outcome: Option<&Outcome>,
    now: Timestamp,
) -> Step {
    if release.metadata.deletion_timestamp.is_some() && !is_ours(release) {
        // Nothing was begun and nothing is owed; Kubernetes lets it go.
        return Step::Wait(None);
    }
    if release.is_canceled().is_some() {
        return Step::Record(begun(release, status, &Resolved::default()));
    }
    if let Some(Outcome::Trouble(trouble)) = outcome {
        return gate::hindered(release, status, trouble, now);
    }
    if !is_ours(release) {
        return Step::Act(AnyEffect::Begin(Effect::Adopt));
    }
    if release.spec.suspend {
        return gate::wait(release, status, Wait::suspended(), now);
    }
    match outcome {
        Some(Outcome::Resolved(resolved)) => refused(begun(release, status, resolved), resolved),
        _ => Step::Act(AnyEffect::Begin(Effect::Resolve)),
    }
}

fn refused(status: Box<DatabricksReleaseStatus>, resolved: &Resolved) -> Step {
    match &resolved.refusal {
        Some((reason, message)) => Step::Ended(status, Ending::failed(*reason, message.clone())),
        None => Step::Record(status),
    }
}

fn begun(
    release: &DatabricksRelease,
    status: &DatabricksReleaseStatus,
    resolved: &Resolved,
) -> Box<DatabricksReleaseStatus> {
    let mut status = Box::new(status.clone());
    status.state = ReleaseState::Running;
    status.waiting = None;
    status.waited.clear();
    status.run.clone_from(&resolved.run);
    status.variables.clone_from(&resolved.variables);
    status.origin.clone_from(&resolved.origin);
    status.artifact.clone_from(&resolved.artifact);
    status.trace_id = Some(trace_id(release));
    status.phases = Phase::iter().map(|phase| planned(release, phase)).collect();
    status
}

/// A phase that is not asked for is skipped from the start.
pub(crate) fn planned(release: &DatabricksRelease, phase: Phase) -> PhaseStatus {
    let spec = &release.spec;
    let why = match phase {
        Phase::Build if !spec.source.artifact_from.is_empty() => Some("the artifact comes from other releases"),
        Phase::Build => None,
        _ if spec.workspace_ref.is_none() => Some("the release names no workspace"),
        _ if spec.start_at.is_some_and(|first| phase < first) => Some("spec.startAt begins after it"),
        Phase::Install if spec.install.clusters.is_empty() => Some("install.clusters is empty"),
        Phase::Operate if !spec.operate.is_asked_for() => Some("operate.jobs is empty"),
        Phase::Test if spec.test.notebooks.is_empty() && spec.test.tasks.is_empty() => {
            Some("test.notebooks and test.tasks are empty")
        }
        _ => None,
    };
    let mut planned = PhaseStatus::pending(phase);
    if let Some(why) = why {
        planned.state = PhaseState::Skipped;
        why.clone_into(&mut planned.message);
    }
    planned
}
