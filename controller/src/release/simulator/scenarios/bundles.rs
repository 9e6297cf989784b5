//! Asset bundles: deployed once, whatever becomes of the process or of the pod.

use brickline_crds::{Bundle as BundleSpec, DatabricksRelease, Reason, ReleaseResult};
use serde_json::json;

use super::super::bundles::Bundle;
use super::super::script::{Script, User};
use super::super::world::Outside;
use super::{Scenario, cancel, canceled, scenario, timed_out, unavailable};
use crate::phase::deploy::bundle;
use crate::phase::deploy::simulation::Simulated;
use crate::phase::{Effect, deploy};

pub(super) fn all() -> Vec<Scenario> {
    vec![
        deployed(),
        files_there(),
        refused(),
        without_artifact(),
        evicted(),
        evicted_for_good(),
        answers_lost(),
        taken_away(),
        canceled_while_it_runs(),
        canceled_between(),
        deaf(),
        timeout(),
    ]
}

fn with_bundle(mut scenario: Scenario) -> Scenario {
    let bundle: BundleSpec = serde_json::from_value(json!({"target": "staging"})).expect("a bundle");
    scenario.release.spec.deploy.bundle = Some(Box::new(bundle));
    scenario
}

fn behaving(bundle: Bundle) -> Script {
    Script { bundle, ..Script::default() }
}

fn ends(name: &'static str, result: ReleaseResult, reason: Reason, script: Script) -> Scenario {
    with_bundle(scenario(name, result, reason, script))
}

pub(in super::super) fn deployed() -> Scenario {
    ends("bundle deployed", ReleaseResult::Succeeded, Reason::Succeeded, Script::default())
}

/// The files were all there already: the bundle is deployed all the same.
fn files_there() -> Scenario {
    let prepare = |outside: &mut Outside| outside.databricks.workspace = Simulated::up_to_date();
    let script = Script { prepare: Some(prepare), ..Script::default() };
    ends("bundle deployed, files there already", ReleaseResult::Succeeded, Reason::Succeeded, script)
}

fn refused() -> Scenario {
    ends("bundle failed", ReleaseResult::Failed, Reason::DeployFailed, behaving(Bundle::Fails))
}

fn without_artifact() -> Scenario {
    ends("bundle without artifact", ReleaseResult::Failed, Reason::ArtifactFailed, behaving(Bundle::HasNoArtifact))
}

fn evicted() -> Scenario {
    ends("bundle evicted once", ReleaseResult::Succeeded, Reason::Succeeded, behaving(Bundle::IsEvicted(1)))
}

fn evicted_for_good() -> Scenario {
    ends("bundle evicted for good", ReleaseResult::Failed, Reason::RunnerLost, behaving(Bundle::IsEvicted(9)))
}

fn is_of_a_bundle(effect: &Effect) -> bool {
    matches!(effect, Effect::Deploy(deploy::Effect::Bundle(_)))
}

fn answers_lost() -> Scenario {
    let script = Script { faults: vec![unavailable(2, true, is_of_a_bundle)], ..Script::default() };
    ends("bundle, answers lost", ReleaseResult::Succeeded, Reason::Succeeded, script)
}

/// Its Job is there, and the status says so.
fn runs(release: &DatabricksRelease) -> bool {
    bundle::ticket_of(release).is_some_and(|ticket| ticket.created)
}

/// The next attempt begins when the pod is gone.
fn taken_away() -> Scenario {
    let then = |outside: &mut Outside| {
        let now = outside.now;
        outside.bundles.take_away(now);
    };
    let script = Script { users: vec![User { when: runs, then }], ..Script::default() };
    ends("bundle's Job deleted under us", ReleaseResult::Succeeded, Reason::Succeeded, script)
}

fn canceled_while_it_runs() -> Scenario {
    with_bundle(canceled("canceled in a bundle", runs, behaving(Bundle::Hangs)))
}

/// The files are there, and the Job is not.
fn canceled_between() -> Scenario {
    let between = |release: &DatabricksRelease| bundle::ticket_of(release).is_some();
    with_bundle(canceled("canceled before a bundle", between, Script::default()))
}

/// Its locks are kept.
fn deaf() -> Scenario {
    let users = vec![User { when: runs, then: cancel }];
    let script = Script { users, ..behaving(Bundle::IsDeaf) };
    ends("bundle does not stop", ReleaseResult::Failed, Reason::CancelTimedOut, script)
}

fn timeout() -> Scenario {
    with_bundle(timed_out("timeout in a bundle", behaving(Bundle::Hangs)))
}
