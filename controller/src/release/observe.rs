//! Looks at the work of the phase under way.

use brickline_crds::{DatabricksRelease, Phase, PhaseState, ReleaseState};
use jiff::Timestamp;

use super::decide::current;
use super::retry;
use crate::context::Context;
use crate::phase::{self, Outcome, Trouble, View, gate};

/// What the next decision must see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// What decides whether a phase may begin.
    Gate(gate::Kind),
    /// The work of the phase under way.
    Work(Phase),
    /// What the phase under way has to do, right after something was done: the work itself was just seen.
    Plan(Phase),
    /// Whether work that was asked to stop is gone.
    Alive(Phase),
}

/// What the next decision must see. None right after a fault, while a fault is waited out, and when the release is to
/// stop.
pub(super) fn due(release: &DatabricksRelease, outcome: Option<&Outcome>, now: Timestamp) -> Option<Look> {
    let status = release.status.as_ref()?;
    if matches!(status.state, ReleaseState::Finishing | ReleaseState::Finished) {
        return None;
    }
    let current = current(status)?;
    if let Some(stopping) = &current.stopping {
        return stopping.asked.then_some(Look::Alive(current.name));
    }
    if release.is_canceled().is_some() {
        return None;
    }
    match current.state {
        PhaseState::Pending if release.spec.suspend => None,
        PhaseState::Pending => gate::kind(status, current.name).map(Look::Gate),
        // A download shows nothing but its outcome.
        _ if current.name == Phase::Build && phase::build::fetch::remote(release).is_some() => None,
        _ => {
            let waits = retry::pause(current, now).is_some() || matches!(outcome, Some(Outcome::Trouble(_)));
            let look = if outcome.is_some() && current.name == Phase::Test { Look::Plan } else { Look::Work };
            (!waits).then_some(look(current.name))
        }
    }
}

/// Looks. Of Deploy only an asset bundle goes on by itself.
pub(super) async fn observe(
    release: &DatabricksRelease,
    look: Look,
    outcome: Option<&Outcome>,
    context: &Context,
) -> View {
    let status = release.status.clone().unwrap_or_default();
    match look {
        Look::Gate(kind) => seen(gate::observe(release, kind, context).await, |view| View::Gate(Box::new(view))),
        Look::Work(Phase::Build) => {
            seen(phase::build::observe(release, &status, context).await, |view| View::Build(Box::new(view)))
        }
        Look::Work(Phase::Deploy) => seen(phase::deploy::bundle::observe(release, context).await, View::Deploy),
        Look::Work(Phase::Install) => seen(phase::install::observe(release, &status, context).await, View::Install),
        Look::Work(Phase::Test) => seen(phase::test::observe(release, &status, context).await, View::Test),
        Look::Plan(_) => seen(phase::test::plan_of(release, &status, outcome, context).await, View::Test),
        Look::Work(Phase::Operate) => seen(phase::operate::observe(release, &status, context).await, View::Operate),
        Look::Alive(Phase::Build) => seen(phase::build::alive(release, context).await, View::Alive),
        Look::Alive(Phase::Deploy) => seen(phase::deploy::bundle::alive(release, context).await, View::Alive),
        Look::Alive(Phase::Test) => seen(phase::test::alive(release, context).await, View::Ebb),
        Look::Alive(_) => View::Alive(Vec::new()),
    }
}

fn seen<T>(look: Result<T, Trouble>, view: impl FnOnce(T) -> View) -> View {
    look.map_or_else(View::Trouble, view)
}
