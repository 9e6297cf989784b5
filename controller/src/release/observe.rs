//! Looks at the work of the phase under way.

use brickline_crds::{DatabricksRelease, Phase, PhaseState, ReleaseState};
use jiff::Timestamp;

use super::decide::current;
use super::retry;
use crate::context::Context;
use crate::phase::{self, Outcome, Trouble, View};

/// What the current phase's work looks like. Nothing is looked at when the decision doesn't need it: right after an
/// effect, before a phase begins, and while a fault is waited out.
pub(super) async fn observe(release: &DatabricksRelease, outcome: Option<&Outcome>, context: &Context) -> View {
    let status = release.status.clone().unwrap_or_default();
    if matches!(status.state, ReleaseState::Finishing | ReleaseState::Finished) || release.spec.cancel {
        return View::Nothing;
    }
    let Some(current) = current(&status).filter(|phase| phase.state == PhaseState::Running) else {
        return View::Nothing;
    };
    let waits = retry::pause(current, Timestamp::now()).is_some();
    if waits || matches!(outcome, Some(Outcome::Trouble(_))) {
        return View::Nothing;
    }
    match current.name {
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
