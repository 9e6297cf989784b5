//! What people and dashboards are told when a phase begins or ends: an event, a log line, a metric, a span.

use std::time::Duration;

use brickline_crds::{
    DatabricksRelease, DatabricksReleaseStatus, Phase, PhaseState, PhaseStatus, Reason, ReleaseReason, ReleaseResult,
    ReleaseState, condition::truncate, labels,
};
use kube::runtime::events::{Event, EventType};
use kube::{Resource, ResourceExt};

use crate::context::Context;
use crate::telemetry;

/// The longest note an event takes, in characters.
const NOTE: usize = 1000;

/// What a write is worth telling of one phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    /// It is in another state.
    Changed,
    /// It began after another one, whose end was told.
    Follows,
    /// It is tried again.
    Retried,
}

/// What is new of which phase.
fn news<'a>(
    old: &DatabricksReleaseStatus,
    new: &'a DatabricksReleaseStatus,
) -> impl Iterator<Item = (&'a PhaseStatus, News)> {
    let was = |phase: &PhaseStatus| old.phase(phase.name).map_or(PhaseState::Pending, |phase| phase.state);
    let one_ended = new.phases.iter().any(|phase| phase.state.is_terminal() && phase.attempts > 0);
    new.phases.iter().filter_map(move |phase| {
        let retried =
            old.phase(phase.name).is_some_and(|old| phase.faults > old.faults || phase.attempts > old.attempts.max(1));
        let news = match phase.state {
            PhaseState::Running if phase.state != was(phase) && one_ended => News::Follows,
            state if state != was(phase) && state != PhaseState::Skipped => News::Changed,
            _ if retried => News::Retried,
            _ => return None,
        };
        Some((phase, news))
    })
}

/// How many events a write leads to.
#[cfg(test)]
pub(super) fn published(before: &DatabricksRelease, after: &DatabricksRelease) -> usize {
    let empty = DatabricksReleaseStatus::default();
    let (old, new) = (before.status.as_ref().unwrap_or(&empty), after.status.as_ref().unwrap_or(&empty));
    news(old, new).filter(|(_, news)| *news != News::Follows).count()
}

/// Compares two states of a release and tells the difference. Never holds the release up.
pub(super) async fn tell(before: &DatabricksRelease, after: &DatabricksRelease, context: &Context) {
    let empty = DatabricksReleaseStatus::default();
    let (old, new) = (before.status.as_ref().unwrap_or(&empty), after.status.as_ref().unwrap_or(&empty));
    for (phase, news) in news(old, new) {
        if news == News::Retried {
            publish(after, EventType::Warning, Reason::ProgressingWithRetry, phase, context).await;
        } else {
            changed(after, phase, news, context).await;
        }
    }
    if ends(old, new) {
        finished(after, new.result, context);
    }
    if concerns_pipeline(before, after) {
        context.follow.note(after);
    }
}

fn ends(old: &DatabricksReleaseStatus, new: &DatabricksReleaseStatus) -> bool {
    new.state == ReleaseState::Finished && old.state != ReleaseState::Finished
}

/// Whether a write changes something for the release's pipeline: it has ended, or begins to change its workspace.
pub(super) fn concerns_pipeline(before: &DatabricksRelease, after: &DatabricksRelease) -> bool {
    let empty = DatabricksReleaseStatus::default();
    let (old, new) = (before.status.as_ref().unwrap_or(&empty), after.status.as_ref().unwrap_or(&empty));
    let deploys =
        |status: &DatabricksReleaseStatus| status.phase(Phase::Deploy).is_some_and(|p| p.start_time.is_some());
    ends(old, new) || deploys(new) != deploys(old)
}

async fn changed(release: &DatabricksRelease, phase: &PhaseStatus, news: News, context: &Context) {
    let reason = phase.reason.unwrap_or(Reason::Progressing);
    let good = phase.state == PhaseState::Running || phase.state.is_good();
    let (namespace, name) = (release.namespace().unwrap_or_default(), release.name_any());
    tracing::info!(%namespace, release = %name, phase = %phase.name, state = %phase.state, %reason, message = %phase.message, "phase");
    let kind = if good { EventType::Normal } else { EventType::Warning };
    if news != News::Follows {
        publish(release, kind, reason, phase, context).await;
    }
    if phase.state.is_terminal() {
        context.metrics.phase_ended(&namespace, phase.name, phase.state, reason, seconds(phase));
        telemetry::phase_span(release, phase);
    }
}

fn seconds(phase: &PhaseStatus) -> f64 {
    let times = phase.start_time.as_ref().zip(phase.completion_time.as_ref());
    let took = times.and_then(|(start, end)| Duration::try_from(end.0.duration_since(start.0)).ok());
    took.unwrap_or_default().as_secs_f64()
}

async fn publish(release: &DatabricksRelease, kind: EventType, reason: Reason, phase: &PhaseStatus, context: &Context) {
    let note = match phase.state {
        PhaseState::Running if phase.faults == 0 => format!("{} began", phase.name),
        _ => format!("{}: {}", phase.name, phase.message),
    };
    let event = Event {
        type_: kind,
        reason: reason.to_string(),
        note: Some(truncate(&note, NOTE)),
        action: phase.name.to_string(),
        secondary: None,
    };
    if let Err(error) = context.recorder.publish(&event, &release.object_ref(&())).await {
        tracing::warn!(%error, "an event was not published");
    }
}

fn finished(release: &DatabricksRelease, result: ReleaseResult, context: &Context) {
    let namespace = release.namespace().unwrap_or_default();
    let pipeline = release.labels().get(labels::PIPELINE).cloned().unwrap_or_default();
    context.metrics.release_ended(&namespace, &pipeline, result);
    // A pull request that fails is its author's business: nobody is called for it.
    if release.spec.reason != ReleaseReason::PullRequest {
        context.metrics.last_release(&namespace, &pipeline, !result.is_good());
    }
    tracing::info!(%namespace, release = %release.name_any(), %result, "release finished");
}
