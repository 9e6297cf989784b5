//! Carries one effect out. What goes wrong outside comes back as an outcome; `Err` is Kubernetes itself.

use std::collections::BTreeMap;
use std::time::Duration;

use brickline_crds::{DatabricksRelease, DatabricksReleaseStatus, FIELD_MANAGER, Phase, Reason, labels};
use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};

use super::decide::current;
use crate::context::Context;
use crate::phase::{self, Effect, Outcome, Trouble, finish};
use crate::{forge, pipeline};

/// Does what `decide` asked for.
pub(super) async fn act(
    release: &DatabricksRelease,
    effect: &Effect,
    context: &Context,
) -> Result<Outcome, kube::Error> {
    let status = release.status.clone().unwrap_or_default();
    tracing::debug!(release = %release.name_any(), namespace = %release.namespace().unwrap_or_default(), ?effect, "acting");
    let outcome = match effect {
        Effect::NumberRun => Ok(Outcome::Numbered(pipeline::number(release, context).await?)),
        Effect::Report(report) => told(release, report, context).await,
        Effect::Build(effect) => phase::build::act(release, effect, context).await?,
        Effect::Deploy => in_time(release, &status, phase::deploy::act(release, &status, context)).await,
        Effect::Install(effect) => phase::install::act(release, effect, context).await,
        Effect::Test(effect) => phase::test::act(release, &status, effect, context).await,
        Effect::Stop(phase) => stop(release, *phase, context).await?,
        Effect::Label => {
            label(release, context).await?;
            Ok(Outcome::Done)
        }
    };
    Ok(outcome.unwrap_or_else(Outcome::Trouble))
}

/// Deploy is one effect: its timeout must end it, not only be looked at afterwards.
async fn in_time(
    release: &DatabricksRelease,
    status: &DatabricksReleaseStatus,
    work: impl Future<Output = Result<Outcome, Trouble>>,
) -> Result<Outcome, Trouble> {
    let started = status.phase(Phase::Deploy).and_then(|phase| phase.start_time.as_ref()).map(|time| time.0);
    let elapsed = started.and_then(|started| Duration::try_from(Timestamp::now().duration_since(started)).ok());
    let left = release.spec.timeouts.deploy.get().saturating_sub(elapsed.unwrap_or_default());
    let late = || Trouble::passing(Reason::TimedOut, "the deployment was cut off by timeouts.deploy");
    tokio::time::timeout(left, work).await.unwrap_or_else(|_| Err(late()))
}

async fn told(release: &DatabricksRelease, report: &finish::Report, context: &Context) -> Result<Outcome, Trouble> {
    let sent = forge::report(release, report, context).await;
    if let Err(trouble) = &sent {
        let (namespace, name) = (release.namespace().unwrap_or_default(), release.name_any());
        tracing::warn!(%namespace, release = %name, error = %trouble.message, "the forge was not told");
    }
    sent.map(|()| Outcome::Done)
}

/// Asks a phase's work to stop. Deploy and Install have nothing that goes on by itself.
async fn stop(
    release: &DatabricksRelease,
    phase: Phase,
    context: &Context,
) -> Result<Result<Outcome, Trouble>, kube::Error> {
    match phase {
        Phase::Build => return phase::build::stop(release, context).await,
        Phase::Test => return Ok(phase::test::stop(release, context).await.map(|()| Outcome::Done)),
        Phase::Deploy | Phase::Install | Phase::Operate => {}
    }
    Ok(Ok(Outcome::Done))
}

/// The result as a label, for `kubectl get dbrel -l brickline.dev/result=failed`.
async fn label(release: &DatabricksRelease, context: &Context) -> Result<(), kube::Error> {
    let status = release.status.clone().unwrap_or_default();
    let ended = super::status::result(&status).to_string().to_lowercase();
    debug_assert!(current(&status).is_none(), "labels are settled after the last phase");
    let releases: Api<DatabricksRelease> =
        Api::namespaced(context.kube.clone(), &release.namespace().unwrap_or_default());
    let patch = serde_json::json!({
        "apiVersion": "brickline.dev/v1alpha1",
        "kind": "DatabricksRelease",
        "metadata": {"labels": BTreeMap::from([(labels::RESULT, ended)])},
    });
    let settle = PatchParams::apply(&format!("{FIELD_MANAGER}-labels")).force();
    releases.patch_metadata(&release.name_any(), &settle, &Patch::Apply(patch)).await.map(drop)
}
