//! One run: the real reconciler from the release's creation to its end, as often as the outside lets it come again.

use std::rc::Rc;

use brickline_crds::{DatabricksRelease, ReleaseState};
use futures::FutureExt;
use jiff::SignedDuration;

use super::super::walk;
use super::kill::Kill;
use super::script::Script;
use super::world::{Call, FakeWorld, Outside};

/// Reconciles until a release must have ended: every one takes below a thousand, but a clock that was set back.
const RECONCILES: usize = 20_000;
/// When the controller comes again after an error.
const RETRY: SignedDuration = SignedDuration::from_secs(5);
/// A moment: watched objects change, users come back.
const MOMENT: SignedDuration = SignedDuration::from_secs(5);

/// Something that is watched changes at least that often.
const LONGEST: SignedDuration = SignedDuration::from_mins(1);

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

/// Runs the release until nothing more happens. A killed process forgets everything; a new one starts from what is
/// stored.
pub(crate) fn run(release: &DatabricksRelease, script: Script, kills: &[Kill], cache: Cache) -> Run {
    go_on(FakeWorld::new(release, script, kills), cache, cache == Cache::Lags)
}

/// The same without a kill, and with what one at each of its points would leave outside.
pub(super) fn record(release: &DatabricksRelease, script: Script) -> (Run, Vec<(Kill, Outside)>) {
    let world = FakeWorld::new(release, script, &[]);
    world.outside().left = Some(Vec::new());
    let mut run = go_on(world, Cache::Fresh, false);
    let left = run.outside.left.take().unwrap_or_default();
    (run, left)
}

/// A new process starts from what a killed one has left, and may be killed itself.
pub(super) fn resume(left: Outside, cache: Cache, kills: &[Kill]) -> Run {
    let world = FakeWorld::again(left, kills);
    world.outside().wait(MOMENT);
    go_on(world, cache, cache != Cache::Fresh)
}

fn go_on(world: FakeWorld, cache: Cache, mut lags: bool) -> Run {
    for _ in 0..RECONCILES {
        let Ok(seen) = world.outside().behind(usize::from(lags)) else { break };
        lags = cache == Cache::Lags && !lags;
        let pause = match walk((*seen).clone(), &world).now_or_never() {
            None => {
                world.outside().newest = None;
                lags = cache == Cache::LagsAtStart;
                MOMENT
            }
            Some(Err(_)) => RETRY,
            Some(Ok(None)) if is_over(&world) => break,
            Some(Ok(None)) => MOMENT,
            Some(Ok(Some(pause))) => SignedDuration::try_from(pause).map_or(LONGEST, |pause| pause.min(LONGEST)),
        };
        world.outside().wait(pause);
    }
    if !is_over(&world) {
        world.outside().problems.push("the release did not end".to_owned());
    }
    quiet(&world);
    let release = world.outside().last();
    Run { release, outside: world.into_outside() }
}

/// One that was deleted is over when it is gone.
fn is_over(world: &FakeWorld) -> bool {
    let stored = world.outside().stored();
    stored.map_or(true, |release| release.status.as_ref().is_some_and(|status| status.state == ReleaseState::Finished))
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
