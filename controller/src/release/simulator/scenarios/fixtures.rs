//! Notebooks before and after all others: the teardown runs whatever became of the tests, once.

use brickline_crds::{DatabricksRelease, Fixture, GoDuration, Phase, Reason, ReleaseResult};

use super::super::databricks::Behaviour;
use super::{Scenario, behaving, canceled, scenario, timed_out};

pub(super) fn all() -> Vec<Scenario> {
    vec![
        both(),
        setup_failed(),
        tests_failed(),
        teardown_failed(),
        canceled_in_setup(),
        canceled_in_tests(),
        canceled_in_teardown(),
        timeout_in_tests(),
        deaf(),
    ]
}

fn behaviour() -> Behaviour {
    Behaviour { setup: Some(false), teardown: Some(false), ..Behaviour::default() }
}

fn with_fixtures(mut scenario: Scenario) -> Scenario {
    let fixture = |path: &str| {
        Some(Fixture { path: path.to_owned(), parameters: [].into(), timeout: GoDuration::from_secs(600) })
    };
    scenario.release.spec.test.setup = fixture("notebooks/setup.py");
    scenario.release.spec.test.teardown = fixture("notebooks/down.py");
    scenario
}

fn ends(name: &'static str, result: ReleaseResult, reason: Reason, behaviour: Behaviour) -> Scenario {
    with_fixtures(scenario(name, result, reason, behaving(behaviour)))
}

fn both() -> Scenario {
    ends("setup and teardown", ReleaseResult::Succeeded, Reason::Succeeded, behaviour())
}

fn setup_failed() -> Scenario {
    let behaviour = Behaviour { setup: Some(true), ..behaviour() };
    ends("setup failed, teardown ran", ReleaseResult::Failed, Reason::InnerTestsFailed, behaviour)
}

pub(super) fn tests_failed() -> Scenario {
    let behaviour = Behaviour { failing: Some(1), ..behaviour() };
    ends("test failed, teardown ran", ReleaseResult::Failed, Reason::InnerTestsFailed, behaviour)
}

fn teardown_failed() -> Scenario {
    let behaviour = Behaviour { teardown: Some(true), ..behaviour() };
    ends("teardown failed", ReleaseResult::Failed, Reason::InnerTestsFailed, behaviour)
}

/// How many runs are in flight with an id.
fn flying(release: &DatabricksRelease, index: u32) -> bool {
    let test = release.status.as_ref().and_then(|status| status.phase(Phase::Test)).cloned();
    let flying = test.and_then(|phase| phase.ticket).unwrap_or_default().in_flight;
    flying.iter().any(|run| run.index == index && run.run_id.is_some())
}

fn canceled_in_setup() -> Scenario {
    with_fixtures(canceled("canceled in setup, teardown ran", |release| flying(release, 0), behaving(behaviour())))
}

fn canceled_in_tests() -> Scenario {
    let script = behaving(Behaviour { hangs: Some(Phase::Test), ..behaviour() });
    with_fixtures(canceled("canceled in tests, teardown ran", |release| flying(release, 2), script))
}

fn canceled_in_teardown() -> Scenario {
    with_fixtures(canceled("canceled in teardown, it ended", |release| flying(release, 3), behaving(behaviour())))
}

fn timeout_in_tests() -> Scenario {
    let behaviour = Behaviour { hangs: Some(Phase::Test), ..behaviour() };
    with_fixtures(timed_out("timeout in tests, teardown ran", behaving(behaviour)))
}

/// Runs that don't stop keep nobody from tearing down.
fn deaf() -> Scenario {
    let script = behaving(Behaviour { hangs: Some(Phase::Test), deaf: true, ..behaviour() });
    let mut deaf = canceled("runs go on, teardown ran", |release| flying(release, 2), script);
    deaf.ends = (ReleaseResult::Failed, Reason::CancelTimedOut);
    with_fixtures(deaf)
}
