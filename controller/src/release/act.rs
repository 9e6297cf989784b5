//! Carries one effect out, each in its own room.

use std::time::Duration;

use brickline_crds::{DatabricksRelease, DatabricksReleaseStatus, GoDuration, Phase, Reason};
use jiff::Timestamp;
use kube::ResourceExt;

use super::timeout;
use crate::context::Context;
use crate::phase::{self, Effect, Outcome};
use crate::trouble::Trouble;

/// Does what `decide` asked for; what goes wrong outside is an outcome too.
pub(super) async fn act(release: &DatabricksRelease, effect: &Effect, context: &Context) -> Outcome {
    tracing::debug!(release = %release.name_any(), namespace = %release.namespace().unwrap_or_default(), ?effect, "acting");
    let status = release.status.clone().unwrap_or_default();
    let outcome = match effect {
        Effect::Begin(effect) => phase::begin::act(release, *effect, context).await,
        Effect::Gate(effect) => phase::gate::act(release, effect, context).await,
        Effect::Build(effect) => {
            let stop = cut_off(release, &status, Phase::Build, context);
            phase::build::act(release, effect, stop, context).await
        }
        Effect::Deploy(effect) => {
            let stop = cut_off(release, &status, Phase::Deploy, context);
            phase::deploy::act(release, *effect, stop, context).await
        }
        Effect::Install(effect) => phase::install::act(release, effect, context).await,
        Effect::Test(effect) => phase::test::act(release, &status, effect, context).await,
        Effect::Operate(effect) => {
            in_time(release, &status, phase::operate::act(release, &status, effect, context)).await
        }
        Effect::Finish(effect) => phase::finish::act(release, effect, context).await,
        Effect::Stop(phase) => stop(release, *phase, context).await,
    };
    outcome.unwrap_or_else(Outcome::Trouble)
}

/// Ends when a deployment or a download must: its timeout, or a user, ends it, and is not only looked at afterwards. The
/// next decision stops it properly; here it only learns that it has to write down how far it came.
async fn cut_off(
    release: &DatabricksRelease,
    status: &DatabricksReleaseStatus,
    phase: Phase,
    context: &Context,
) -> Trouble {
    let timeouts = &release.spec.timeouts;
    let (whole, attempt, late, canceled) = match phase {
        Phase::Build => (
            timeouts.build,
            timeouts.build_attempt,
            "the download was cut off by timeouts.build or buildAttempt",
            "the download was cut off",
        ),
        _ => (
            timeouts.deploy,
            timeouts.deploy_attempt,
            "the deployment was cut off by timeouts.deploy or deployAttempt",
            "the deployment was cut off",
        ),
    };
    let left = left(release, status, phase, whole);
    let left = attempt.map_or(left, |attempt| left.min(attempt.get()));
    tokio::select! {
        () = tokio::time::sleep(left) => Trouble::passing(Reason::TimedOut, late),
        () = context.queue.canceled(release) => Trouble::passing(Reason::Canceled, canceled),
    }
}

/// Operate is one effect too.
async fn in_time(
    release: &DatabricksRelease,
    status: &DatabricksReleaseStatus,
    work: impl Future<Output = Result<Outcome, Trouble>>,
) -> Result<Outcome, Trouble> {
    let left = left(release, status, Phase::Operate, release.spec.timeouts.operate);
    let late = || Trouble::passing(Reason::TimedOut, "the change of jobs was cut off by timeouts.operate");
    tokio::time::timeout(left, work).await.unwrap_or_else(|_| Err(late()))
}

/// How long the phase may still work: by its own timeout, and by the release's.
fn left(release: &DatabricksRelease, status: &DatabricksReleaseStatus, phase: Phase, limit: GoDuration) -> Duration {
    let now = Timestamp::now();
    let worked = status.phase(phase).map(|phase| timeout::worked(phase, now)).unwrap_or_default();
    let all = timeout::active(status, now);
    limit.get().saturating_sub(worked).min(release.spec.timeouts.release.get().saturating_sub(all))
}

/// Asks a phase's work to stop. Of Deploy only an asset bundle goes on by itself; Install and Operate have nothing that
/// does.
async fn stop(release: &DatabricksRelease, phase: Phase, context: &Context) -> Result<Outcome, Trouble> {
    match phase {
        Phase::Build => phase::build::stop(release, context).await?,
        Phase::Deploy => phase::deploy::bundle::stop(release, context).await?,
        Phase::Test => phase::test::stop(release, context).await?,
        Phase::Install | Phase::Operate => {}
    }
    Ok(Outcome::Done)
}
