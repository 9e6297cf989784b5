//! Looks at the work of the phase under way.

use brickline_crds::{DatabricksRelease, Phase, PhaseState, ReleaseState};
use jiff::Timestamp;

use super::decide::current;
use super::retry;
use crate::context::Context;
use crate::phase::{self, Outcome, Trouble, View};

/// The phase whose work the next decision must see. None right after a fault, before a phase begins, while a fault is
/// waited out, and when the release is to stop.
pub(super) fn due(release: &DatabricksRelease, outcome: Option<&Outcome>, now: Timestamp) -> Option<Phase> {
    let status = release.status.as_ref()?;
    if matches!(status.state, ReleaseState::Finishing | ReleaseState::Finished) || release.spec.cancel {
        return None;
    }
    let current = current(status).filter(|phase| phase.state == PhaseState::Running)?;
    let waits = retry::pause(current, now).is_some() || matches!(outcome, Some(Outcome::Trouble(_)));
    (!waits).then_some(current.name)
}

/// What the work of `phase` looks like. Deploy and Operate have nothing that goes on by itself.
pub(super) async fn observe(release: &DatabricksRelease, phase: Phase, context: &Context) -> View {
    let status = release.status.clone().unwrap_or_default();
    match phase {
        Phase::Build => {
            seen(phase::build::observe(release, &status, context).await, |view| View::Build(Box::new(view)))
        }
        Phase::Install => seen(phase::install::observe(release, &status, context).await, View::Install),
        Phase::Test => seen(phase::test::observe(release, &status, context).await, View::Test),
        Phase::Deploy | Phase::Operate => View::Nothing,
    }
}

fn seen<T>(look: Result<T, Trouble>, view: impl FnOnce(T) -> View) -> View {
    look.map_or_else(View::Trouble, view)
}
