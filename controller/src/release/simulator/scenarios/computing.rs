//! Tests on clusters of their own and without any, tasks that are no notebooks, runs that are compared with those before,
//! and runs that wait for a place.

use brickline_crds::{Compute, Install, NewCluster, Phase, Reason, ReleaseResult, Serverless};

use super::super::databricks::Behaviour;
use super::super::script::Script;
use super::super::tasks::Kinds;
use super::super::world::Outside;
use super::{Scenario, all_submitted, behaving, canceled, scenario};

pub(super) fn all() -> Vec<Scenario> {
    vec![
        job_cluster(),
        serverless(),
        canceled_on_job_clusters(),
        tasks(),
        flaky_task(),
        as_quick_as_before(),
        slower_than_before(),
        slow_once(),
        full(),
        full_for_the_teardown(),
    ]
}

const WELL: (ReleaseResult, Reason) = (ReleaseResult::Succeeded, Reason::Succeeded);

fn mixed() -> Behaviour {
    Behaviour { notebooks: 3, kinds: Kinds::All, ..Behaviour::default() }
}

fn new_cluster() -> Compute {
    let new = NewCluster {
        spark_version: Some("15.4.x-scala2.12".to_owned()),
        node_type_id: Some("n1".to_owned()),
        num_workers: Some(1),
        ..NewCluster::default()
    };
    Compute { new_cluster: Some(Box::new(new)), ..Compute::default() }
}

/// Nothing is installed beforehand: libraries travel with each run.
fn on(mut scenario: Scenario, compute: Compute) -> Scenario {
    scenario.release.spec.test.compute = compute;
    scenario.release.spec.install = Install { clusters: Vec::new(), ..Install::default() };
    scenario
}

fn job_cluster() -> Scenario {
    on(scenario("tests on clusters of their own", WELL.0, WELL.1, behaving(mixed())), new_cluster())
}

fn serverless() -> Scenario {
    let compute = Compute { serverless: Some(Serverless::default()), ..Compute::default() };
    on(scenario("tests without a cluster", WELL.0, WELL.1, behaving(mixed())), compute)
}

fn canceled_on_job_clusters() -> Scenario {
    let script = behaving(Behaviour { hangs: Some(Phase::Test), ..Behaviour::default() });
    on(canceled("canceled on clusters of their own", all_submitted, script), new_cluster())
}

fn tasks() -> Scenario {
    scenario("wheel and Python tasks", WELL.0, WELL.1, behaving(mixed()))
}

/// The entry point fails the first time.
fn flaky_task() -> Scenario {
    let script = behaving(Behaviour { flaky: Some(1), ..mixed() });
    let ends = (ReleaseResult::SucceededWithIssues, Reason::SucceededWithIssues);
    let mut flaky = scenario("flaky wheel task", ends.0, ends.1, script);
    flaky.release.spec.test.retry_failed = 1;
    flaky
}

fn compared(name: &'static str, ends: (ReleaseResult, Reason), behaviour: Behaviour) -> Scenario {
    let prepare = |outside: &mut Outside| outside.databricks.remember();
    scenario(name, ends.0, ends.1, Script { prepare: Some(prepare), ..behaving(behaviour) })
}

fn as_quick_as_before() -> Scenario {
    compared("as quick as before", WELL, Behaviour { takes: Some(1_100), ..Behaviour::default() })
}

fn slower_than_before() -> Scenario {
    let ends = (ReleaseResult::Failed, Reason::DurationExceeded);
    compared("slower than before", ends, Behaviour { takes: Some(5_000), ..Behaviour::default() })
}

/// What is let pass is no measure for the runs after it.
fn slow_once() -> Scenario {
    let ends = (ReleaseResult::SucceededWithIssues, Reason::SucceededWithIssues);
    compared("slower than before, let pass", ends, Behaviour { takes: Some(5_000), lenient: true, ..mixed() })
}

/// Other releases have all runs of the workspace for a while.
fn full() -> Scenario {
    let prepare = |outside: &mut Outside| outside.databricks.full = 4;
    scenario("a run's place awaited", WELL.0, WELL.1, Script { prepare: Some(prepare), ..Script::default() })
}

/// Canceled before it had a run; what it owes waits too.
fn full_for_the_teardown() -> Scenario {
    let mut waits = super::fixtures::tests_failed();
    let prepare = |outside: &mut Outside| outside.databricks.full = 4;
    waits.name = "a place awaited, teardown ran";
    waits.script.prepare = Some(prepare);
    waits
}
