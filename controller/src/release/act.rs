//! Carries one effect out, each in its own room.

use std::time::Duration;

use brickline_crds::{DatabricksRelease, DatabricksReleaseStatus, Phase, Reason};
use jiff::Timestamp;
use kube::ResourceExt;

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
        Effect::Build(effect) => phase::build::act(release, effect, context).await,
        Effect::Deploy => {
            let work = in_time(release, &status, phase::deploy::act(release, &status, context));
            // The next decision stops it properly; here it is only cut off.
            let cut_off = || Trouble::passing(Reason::Canceled, "the deployment was cut off");
            tokio::select! {
                done = work => done,
                () = context.queue.canceled(release) => Err(cut_off()),
            }
        }
        Effect::Install(effect) => phase::install::act(release, effect, context).await,
        Effect::Test(effect) => phase::test::act(release, &status, effect, context).await,
        Effect::Finish(effect) => phase::finish::act(release, effect, context).await,
        Effect::Stop(phase) => stop(release, *phase, context).await,
    };
    outcome.unwrap_or_else(Outcome::Trouble)
}

/// Deploy is one effect: its timeout must end it, not only be looked at afterwards.
async fn in_time(
    release: &DatabricksRelease,
    status: &DatabricksReleaseStatus,
    work: impl Future<Output = Result<Outcome, Trouble>>,
) -> Result<Outcome, Trouble> {
    let started = status.phase(Phase::Deploy).and_then(|phase| phase.start_time.as_ref()).map(|time| time.0);
    let elapsed = started.and_then(|started| Duration::try_from(Timestamp::now().duration_since(started)).ok());
    let timeouts = &release.spec.timeouts;
    let left = timeouts.deploy.get().saturating_sub(elapsed.unwrap_or_default());
    let left = timeouts.deploy_attempt.map_or(left, |attempt| left.min(attempt.get()));
    let late = || Trouble::passing(Reason::TimedOut, "the deployment was cut off by timeouts.deploy or deployAttempt");
    tokio::time::timeout(left, work).await.unwrap_or_else(|_| Err(late()))
}

/// Asks a phase's work to stop. Deploy and Install have nothing that goes on by itself.
async fn stop(release: &DatabricksRelease, phase: Phase, context: &Context) -> Result<Outcome, Trouble> {
    match phase {
        Phase::Build => phase::build::stop(release, context).await?,
        Phase::Test => phase::test::stop(release, context).await?,
        Phase::Deploy | Phase::Install | Phase::Operate => {}
    }
    Ok(Outcome::Done)
}
