//! Gives locks back, tells the forge, and settles the release's labels and finalizer.

use brickline_crds::{DatabricksRelease, PhaseStatus, Reason, RunTicket, labels};
use kube::ResourceExt;

use super::{Effect, Report, result};
use crate::context::Context;
use crate::forge;
use crate::lock::{Locks, UNKNOWN, Work};
use crate::phase::Outcome;
use crate::phase::begin::labels_of;
use crate::record;
use crate::trouble::Trouble;

/// Does what `decide` asked for.
pub(crate) async fn act(release: &DatabricksRelease, effect: &Effect, context: &Context) -> Result<Outcome, Trouble> {
    match effect {
        Effect::Report(report) => Ok(Outcome::Told { sent: told(release, report, context).await }),
        Effect::Unlock { keep } => unlock(release, *keep, context).await.map(|()| Outcome::Unlocked),
        Effect::Settle => settle(release, context).await.map(|()| Outcome::Done),
    }
}

async fn told(release: &DatabricksRelease, report: &Report, context: &Context) -> bool {
    let sent = forge::report(release, report, context).await;
    if let Err(trouble) = &sent {
        let (namespace, name) = (release.namespace().unwrap_or_default(), release.name_any());
        tracing::warn!(%namespace, release = %name, error = %trouble.message, "the forge was not told");
    }
    sent.is_ok()
}

/// Gives the locks back, or writes into them what may still be alive.
async fn unlock(release: &DatabricksRelease, keep: bool, context: &Context) -> Result<(), Trouble> {
    let (locks, uid) = (Locks::of(context), release.uid().unwrap_or_default());
    if keep { locks.keep(&uid, &work(release)).await } else { locks.release(&uid).await }
}

/// What a release that could not stop its work has left: the runs and the Job of its tickets.
fn work(release: &DatabricksRelease) -> Work {
    let abandoned = |phase: &&PhaseStatus| phase.reason == Some(Reason::CancelTimedOut);
    let phases = release.status.iter().flat_map(|status| status.phases.iter().filter(abandoned));
    let tickets: Vec<_> = phases.filter_map(|phase| phase.ticket.as_ref()).collect();
    let runs = tickets.iter().flat_map(|ticket| &ticket.in_flight);
    // One without an id may have been submitted: its answer was lost, and it could not be asked for again.
    let id = |run: &RunTicket| run.run_id.map_or_else(|| UNKNOWN.to_owned(), |id| id.to_string());
    // Whoever holds locks is past its build: the Job that goes on is the asset bundle's.
    let job = tickets.iter().find_map(|ticket| ticket.bundle.as_ref()).map(|bundle| bundle.job.clone());
    Work { runs: runs.map(id).collect(), job }
}

/// The result as a label, for `kubectl get dbrel -l brickline.dev/result=failed`; and nothing is owed any more.
async fn settle(release: &DatabricksRelease, context: &Context) -> Result<(), Trouble> {
    let ended = result(&release.status.clone().unwrap_or_default()).to_string().to_lowercase();
    let mut labels = labels_of(release);
    labels.insert(labels::RESULT.to_owned(), ended);
    record::ownership(release, labels, false, context).await
}

#[cfg(test)]
mod tests;
