//! The release reconciler: observe, decide, then record or act, and come again.

mod act;
mod age;
mod decide;
mod events;
mod observe;
mod recall;
mod retry;
#[cfg(test)]
mod simulator;
mod size;
mod status;
mod timeout;
pub(crate) mod variables;
mod world;

use std::sync::Arc;
use std::time::Duration;

use brickline_crds::DatabricksRelease;
use jiff::Timestamp;
use kube::runtime::controller::Action;

pub(crate) use age::watch_age;
pub(crate) use recall::recall;

use crate::context::Context;
use crate::phase::{Effect, Outcome, View, begin, finish, gate};
use decide::{Decision, Observed, decide};
use variables::effective;
use world::{World, is_gone};

/// Steps in one reconcile before other releases get their turn.
const STEPS: usize = 50;

/// When to come again if what was decided is what is stored.
const SAME: Duration = Duration::from_secs(1);

/// Walks the release as far as it goes without waiting.
///
/// A release that is gone needs nothing more.
pub(crate) async fn reconcile(release: Arc<DatabricksRelease>, context: Arc<Context>) -> Result<Action, kube::Error> {
    // On the heap: a walk holds several versions of the release.
    let walked = Box::pin(walk((*release).clone(), &*context)).await;
    if is_gone(&walked) {
        return Ok(Action::await_change());
    }
    Ok(walked?.map_or_else(Action::await_change, Action::requeue))
}

/// The shell around [`decide`](decide()): looks, asks, and carries one answer out, until there is something to wait for.
/// Answers when to come again; `None` if only a watched object's change can bring news.
async fn walk(mut release: DatabricksRelease, world: &impl World) -> Result<Option<Duration>, kube::Error> {
    let mut outcome = None;
    // Whether this is the newest version that this process knows of: the first one comes from a cache, which may lag.
    let mut fresh = world.is_newest(&release);
    for _ in 0..STEPS {
        let now = world.now();
        match next(&release, outcome.take(), world, now).await {
            // Deciding the same again would go round for ever: read what the API server holds, once.
            Decision::Record(status) if fresh && release.status.as_ref() == Some(&*status) => return Ok(Some(SAME)),
            Decision::Record(status) if release.status.as_ref() == Some(&*status) => {
                (release, fresh) = (world.stored(&release).await?, true);
            }
            Decision::Record(status) => match world.write(&release, &status).await? {
                Some(newer) => {
                    world.tell(&release, &newer).await;
                    (release, fresh) = (newer, true);
                }
                // Somebody wrote in between: look again from what is stored.
                None => return Ok(Some(Duration::from_millis(100))),
            },
            Decision::Act(effect) if !fresh && needs_fresh(&effect) => {
                // The effect is only done if it is still asked for by what is stored.
                (release, fresh) = (world.stored(&release).await?, true);
            }
            Decision::Act(effect) => {
                outcome = Some(world.act(&effective(&release), &effect).await);
                if changes_metadata(&effect) {
                    // That made a newer version of the object, and the next write must be on that one.
                    (release, fresh) = (world.renewed(release).await?, true);
                }
            }
            Decision::Wait(pause) => return Ok(pause),
            Decision::Done => return Ok(None),
        }
    }
    Ok(Some(Duration::ZERO))
}

/// Looks, and decides. What stands in the spec's `$(...)` is filled in first; the stored object keeps it as written.
async fn next(release: &DatabricksRelease, outcome: Option<Outcome>, world: &impl World, now: Timestamp) -> Decision {
    let release = effective(release);
    let view = match observe::due(&release, outcome.as_ref(), now) {
        Some(look) => world.observe(&release, look, outcome.as_ref()).await,
        None => View::Nothing,
    };
    decide(&release, &Observed { outcome, view, newer: world.newer(&release) }, now)
}

/// Whether an effect that an old version of the release asks for would do harm: tell the forge that a release began
/// after it ended, or deploy over what came later. A turn is the leader's own account, and an old version is not adopted.
fn needs_fresh(effect: &Effect) -> bool {
    let is_harmless = matches!(
        effect,
        Effect::Gate(gate::Effect::Turn { .. } | gate::Effect::StepAside) | Effect::Begin(begin::Effect::Adopt)
    );
    !is_harmless
}

fn changes_metadata(effect: &Effect) -> bool {
    matches!(effect, Effect::Finish(finish::Effect::Settle) | Effect::Begin(begin::Effect::Adopt))
}
