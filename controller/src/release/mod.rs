//! The release reconciler: observe, decide, then record or act, and come again.

mod act;
mod age;
mod decide;
mod events;
mod observe;
mod recall;
mod retry;
mod status;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use brickline_crds::{DatabricksRelease, DatabricksReleaseStatus};
use data_encoding::HEXLOWER;
use jiff::Timestamp;
use kube::runtime::controller::Action;
use kube::{Api, ResourceExt};
use sha2::{Digest, Sha256};

pub(crate) use age::watch_age;
pub(crate) use recall::recall;
pub(crate) use status::result;

use crate::context::Context;
use crate::phase::{Effect, finish};
use crate::record;
use decide::{Decision, Observed, decide};

/// Steps in one reconcile before other releases get their turn.
const STEPS: usize = 50;

/// Walks the release as far as it goes without waiting.
pub(crate) async fn reconcile(release: Arc<DatabricksRelease>, context: Arc<Context>) -> Result<Action, kube::Error> {
    if release.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let mut release = (*release).clone();
    let mut outcome = None;
    for _ in 0..STEPS {
        let view = observe::observe(&release, outcome.as_ref(), &context).await;
        let observed = Observed { outcome: outcome.take(), view };
        match decide(&release, &observed, Timestamp::now()) {
            Decision::Record(status) => match write(&release, *status, &context).await? {
                Some(newer) => release = newer,
                // Somebody wrote in between: look again from what is stored.
                None => return Ok(Action::requeue(Duration::from_millis(100))),
            },
            Decision::Act(effect) => {
                outcome = Some(act::act(&release, &effect, &context).await);
                if effect == Effect::Finish(finish::Effect::Label) {
                    // The label made a newer version of the object, and the terminal write must be on that one.
                    release = stored(&release, &context).await?;
                }
            }
            Decision::Wait(Some(pause)) => return Ok(Action::requeue(pause)),
            Decision::Wait(None) | Decision::Done => return Ok(Action::await_change()),
        }
    }
    Ok(Action::requeue(Duration::ZERO))
}

/// The release as the API server holds it.
async fn stored(release: &DatabricksRelease, context: &Context) -> Result<DatabricksRelease, kube::Error> {
    let releases: Api<DatabricksRelease> =
        Api::namespaced(context.kube.clone(), &release.namespace().unwrap_or_default());
    releases.get(&release.name_any()).await
}

/// Writes the status, then tells what became of the phases. None on a conflict.
async fn write(
    release: &DatabricksRelease,
    status: DatabricksReleaseStatus,
    context: &Context,
) -> Result<Option<DatabricksRelease>, kube::Error> {
    if release.status.as_ref() == Some(&status) {
        // Deciding the same again would go round for ever: read what the API server holds.
        return stored(release, context).await.map(Some);
    }
    match record::status(release, &status, context).await {
        Ok(newer) => {
            events::tell(release, &newer, context).await;
            Ok(Some(newer))
        }
        Err(kube::Error::Api(status)) if status.is_conflict() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The trace of a release: derived from its uid, so that every phase lands in the same one whichever process ran it.
fn trace_id(release: &DatabricksRelease) -> String {
    HEXLOWER.encode(&Sha256::digest(release.uid().unwrap_or_default())[..16])
}
