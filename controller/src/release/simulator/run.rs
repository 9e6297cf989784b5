//! One run: the real reconciler from the release's creation to its end, as often as the outside lets it come again.

use std::rc::Rc;

use brickline_crds::{DatabricksRelease, ReleaseState};
use futures::FutureExt;
use jiff::SignedDuration;

use super::super::walk;
use super::kill::Kill;
use super::script::Script;
use super::world::{Call, FakeWorld, Outside};

/// Reconciles until a release must have ended: every one takes below a thousand.
const RECONCILES: usize = 5000;
/// When the controller comes again after an error.
const RETRY: SignedDuration = SignedDuration::from_secs(5);
/// A moment: watched objects change, users come back.
const MOMENT: SignedDuration = SignedDuration::from_secs(5);

/// What the reconciler's cache holds of the release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cache {
    /// The newest version.
    Fresh,
    /// The version before at the first look of a new process.
    LagsAtStart,
    /// The version before at every second look.
    Lags,
}

/// How a run ended.
pub(crate) struct Run {
    pub(crate) release: Rc<DatabricksRelease>,
    pub(crate) outside: Outside,
    /// Whether the process was killed on the way.
    pub(crate) was_killed: bool,
}

impl Run {
    /// The effects that were asked for.
    pub(crate) fn effects(&self) -> impl Iterator<Item = &crate::phase::Effect> {
        self.outside.calls.iter().filter_map(|call| match call {
            Call::Effect(effect) => Some(effect),
            Call::Write => None,
        })
    }

    pub(crate) fn writes(&self) -> usize {
        self.outside.calls.iter().filter(|call| **call == Call::Write).count()
    }
}

/// Runs the release until nothing more happens. A killed process forgets everything; a new one starts from what is stored.
pub(crate) fn run(release: &DatabricksRelease, script: Script, kill: Option<Kill>, cache: Cache) -> Run {
    let world = FakeWorld::new(release, script, kill);
    let mut was_killed = false;
    let mut lags = cache == Cache::Lags;
    for _ in 0..RECONCILES {
        let Ok(seen) = world.outside().behind(usize::from(lags)) else { break };
        lags = cache == Cache::Lags && !lags;
        let pause = match walk((*seen).clone(), &world).now_or_never() {
            None => {
                was_killed = true;
                lags = cache == Cache::LagsAtStart;
                MOMENT
            }
            Some(Err(_)) => RETRY,
            Some(Ok(None)) if is_over(&world) => break,
            Some(Ok(None)) => MOMENT,
            Some(Ok(Some(pause))) => SignedDuration::try_from(pause).expect("a short pause"),
        };
        world.outside().wait(pause);
    }
    if !is_over(&world) {
        world.outside().problems.push("the release did not end".to_owned());
    }
    quiet(&world);
    let release = world.outside().stored().expect("the release is stored");
    Run { release, outside: world.into_outside(), was_killed }
}

fn is_over(world: &FakeWorld) -> bool {
    let stored = world.outside().stored();
    stored.is_ok_and(|release| release.status.as_ref().is_some_and(|status| status.state == ReleaseState::Finished))
}

/// What is over stays quiet: another look makes no call.
fn quiet(world: &FakeWorld) {
    let before = world.outside().calls.len();
    let Ok(seen) = world.outside().stored() else { return };
    let looked = walk((*seen).clone(), world).now_or_never();
    if is_over(world) && (!matches!(looked, Some(Ok(None))) || world.outside().calls.len() != before) {
        world.outside().problems.push("a finished release is not left alone".to_owned());
    }
}
