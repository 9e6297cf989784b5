//! Deployments over what others left, and such that break off.

use brickline_crds::{Reason, ReleaseResult};

use super::super::script::Script;
use super::super::world::Outside;
use super::{Scenario, scenario};
use crate::phase::deploy::simulation::Simulated;

pub(super) fn all() -> Vec<Scenario> {
    vec![deploy_broken_off(), deploy_over_another(), nothing_to_deploy()]
}

/// Half of the files are written, and nobody says which: the next attempt does the rest.
fn deploy_broken_off() -> Scenario {
    let prepare = |outside: &mut Outside| {
        outside.databricks.workspace = Simulated::used();
        outside.databricks.workspace.breaks = 2;
    };
    let script = Script { prepare: Some(prepare), ..Script::default() };
    scenario("deployment breaks off half-way", ReleaseResult::Succeeded, Reason::Succeeded, script)
}

fn deploy_over_another() -> Scenario {
    let prepare = |outside: &mut Outside| outside.databricks.workspace = Simulated::used();
    let script = Script { prepare: Some(prepare), ..Script::default() };
    scenario("success, an older release there", ReleaseResult::Succeeded, Reason::Succeeded, script)
}

fn nothing_to_deploy() -> Scenario {
    let prepare = |outside: &mut Outside| outside.databricks.workspace = Simulated::up_to_date();
    let script = Script { prepare: Some(prepare), ..Script::default() };
    scenario("success, all there already", ReleaseResult::Succeeded, Reason::Succeeded, script)
}
