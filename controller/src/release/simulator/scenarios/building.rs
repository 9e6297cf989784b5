//! Builds with further jobs: each Job once for each attempt, whatever becomes of the process.

use brickline_crds::{Build as BuildSpec, DatabricksRelease, GoDuration, Phase, PhaseState, Reason, ReleaseResult};
use serde_json::json;

use super::super::jobs::Build;
use super::super::script::{Fault, Script, User};
use super::super::world::Outside;
use super::{Scenario, canceled, scenario, timed_out, unavailable};
use crate::phase::Effect;

pub(super) fn all() -> Vec<Scenario> {
    vec![
        all_succeed(),
        one_fails(),
        one_may_fail(),
        tests_fail(),
        lost_once(),
        lost_for_good(),
        slots_awaited(),
        slots_awaited_for_good(),
        canceled_while_they_run(),
        timeout(),
        deleted(),
        answers_lost(),
        told_that_one_failed(),
    ]
}

/// A linter, the tests on two versions of Python one after the other, and the artifact after the linter.
pub(in super::super) fn build() -> BuildSpec {
    let step = json!([{"name": "run", "run": "make"}]);
    let matrix = json!({"maxParallel": 1, "matrix": [{"name": "py310"}, {"name": "py311"}]});
    serde_json::from_value(json!({"dependsOn": ["lint"], "jobs": [
        {"name": "lint", "steps": step},
        {"name": "unit", "steps": step, "strategy": matrix},
    ]}))
    .expect("a build")
}

fn with_jobs(mut scenario: Scenario) -> Scenario {
    scenario.release.spec.build = build();
    scenario
}

fn ends(name: &'static str, result: ReleaseResult, reason: Reason, script: Script) -> Scenario {
    with_jobs(scenario(name, result, reason, script))
}

fn ending(jobs: &'static [(&'static str, Build)]) -> Script {
    Script { jobs, ..Script::default() }
}

pub(in super::super) fn all_succeed() -> Scenario {
    ends("jobs succeeded", ReleaseResult::Succeeded, Reason::Succeeded, Script::default())
}

/// The artifact depends on it, the other jobs go on.
fn one_fails() -> Scenario {
    ends("job failed", ReleaseResult::Failed, Reason::BuildFailed, ending(&[("lint", Build::Fails)]))
}

fn one_may_fail() -> Scenario {
    let script = ending(&[("lint", Build::Fails)]);
    let mut may = ends("job failed, and may", ReleaseResult::SucceededWithIssues, Reason::SucceededWithIssues, script);
    may.release.spec.build.jobs[0].continue_on_error = true;
    may
}

fn tests_fail() -> Scenario {
    let script = ending(&[("unit.py311", Build::TestsFail)]);
    ends("tests of a copy failed", ReleaseResult::Failed, Reason::TestsFailed, script)
}

fn lost_once() -> Scenario {
    let script = Script { build: Build::IsLost(1), ..ending(&[("unit.py310", Build::IsLost(1))]) };
    ends("machines of jobs lost once", ReleaseResult::Succeeded, Reason::Succeeded, script)
}

fn lost_for_good() -> Scenario {
    let script = ending(&[("lint", Build::IsLost(9))]);
    ends("machines of a job lost for good", ReleaseResult::Failed, Reason::RunnerLost, script)
}

fn slots_awaited() -> Scenario {
    let prepare = |outside: &mut Outside| outside.locks.slots = Some(1);
    let script = Script { prepare: Some(prepare), ..Script::default() };
    ends("one slot for all jobs", ReleaseResult::Succeeded, Reason::Succeeded, script)
}

/// The first job has its slot from the gate.
fn slots_awaited_for_good() -> Scenario {
    let prepare = |outside: &mut Outside| outside.locks.slots = Some(0);
    let script = Script { prepare: Some(prepare), ..Script::default() };
    let mut waits = ends("no slot for further jobs", ReleaseResult::TimedOut, Reason::TimedOut, script);
    waits.release.spec.waiting.slot = GoDuration::from_secs(60);
    waits
}

/// Two jobs go on.
fn several_run(release: &DatabricksRelease) -> bool {
    let build = release.status.as_ref().and_then(|status| status.phase(Phase::Build));
    let running = build.iter().flat_map(|build| &build.jobs).filter(|job| job.state == PhaseState::Running);
    running.count() > 1
}

fn canceled_while_they_run() -> Scenario {
    // None of them ends before: what it counted would depend on when the cancel comes.
    let script = ending(&[("lint", Build::Hangs), ("unit.py310", Build::Hangs)]);
    with_jobs(canceled("canceled while jobs run", several_run, script))
}

fn timeout() -> Scenario {
    with_jobs(timed_out("timeout in a job", ending(&[("unit.py311", Build::Hangs)])))
}

fn deleted() -> Scenario {
    let users = vec![User { when: several_run, then: |outside| outside.jobs.take_away() }];
    let script = Script { users, ..Script::default() };
    ends("Jobs deleted under us", ReleaseResult::Succeeded, Reason::Succeeded, script)
}

fn answers_lost() -> Scenario {
    let faults: Vec<Fault> = vec![unavailable(3, true, |effect| matches!(effect, Effect::Build(_)))];
    let script = Script { faults, ..Script::default() };
    ends("jobs, answers lost", ReleaseResult::Succeeded, Reason::Succeeded, script)
}

/// A condition lets the second job run because the first one failed.
fn told_that_one_failed() -> Scenario {
    let script = ending(&[("lint", Build::Fails)]);
    let mut told = ends("job runs because another failed", ReleaseResult::Failed, Reason::BuildFailed, script);
    let unit = &mut told.release.spec.build.jobs[1];
    unit.depends_on = vec!["lint".to_owned()];
    unit.condition = Some("jobs.lint.result == 'Failed'".to_owned());
    told
}
