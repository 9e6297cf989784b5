//! Jobs that a release leaves: created, reset, deleted, each in one piece whenever the process dies.

use brickline_crds::{DatabricksJob, Phase, Reason, ReleaseResult};
use serde_json::json;

use super::super::databricks::Behaviour;
use super::super::saved::{self, US, digest};
use super::super::script::{Fault, Script, User, runs};
use super::super::world::Outside;
use super::{Scenario, behaving, cancel, from, scenario, timed_out, unavailable};
use crate::phase::{Effect, Trouble};

pub(super) fn all() -> Vec<Scenario> {
    vec![
        created(),
        set_right(),
        unchanged(),
        there_twice(),
        only_pruned(),
        left_halfway(),
        answer_lost(),
        faults_healed(),
        refused(),
        credentials_rejected(),
        tests_fail(),
        canceled(),
        timeout(),
        on_its_own(),
    ]
}

/// The jobs that a release asks for.
pub(in super::super) fn jobs() -> Vec<DatabricksJob> {
    let job = |name: &str| {
        let tasks = json!([{"key": "load", "notebook": {"path": "notebooks/00.py"}}]);
        let schedule = json!({"cron": "0 3 * * MON-FRI", "timeZone": "Europe/Lisbon"});
        serde_json::from_value(json!({"name": name, "tasks": tasks, "schedule": schedule})).expect("a job")
    };
    vec![job("hourly"), job("nightly")]
}

fn operating(name: &'static str, ends: ReleaseResult, reason: Reason, script: Script) -> Scenario {
    let mut operating = scenario(name, ends, reason, script);
    operating.release.spec.operate.jobs = jobs();
    operating.release.spec.operate.prune = true;
    operating
}

fn well(name: &'static str, script: Script) -> Scenario {
    operating(name, ReleaseResult::Succeeded, Reason::Succeeded, script)
}

fn there(prepare: fn(&mut Outside)) -> Script {
    Script { prepare: Some(prepare), ..Script::default() }
}

fn created() -> Scenario {
    well("jobs created", Script::default())
}

/// One is of an earlier release, one is wanted no more, and one of the same name is somebody else's.
fn old(outside: &mut Outside) {
    let saved = &mut outside.databricks.saved;
    saved.put("nightly", "old settings", US, true);
    saved.put("weekly", "old settings", US, true);
    saved.put("nightly", "ana's settings", "ana", false);
}

fn set_right() -> Scenario {
    well("jobs created, reset and pruned", there(old))
}

fn unchanged() -> Scenario {
    let right = |outside: &mut Outside| {
        for job in jobs() {
            outside.databricks.saved.put(&job.name, &digest(&job.name), US, true);
        }
    };
    well("jobs as they should be", there(right))
}

/// An answer was lost in an earlier release; and somebody copied a job with its tags.
fn there_twice() -> Scenario {
    let twice = |outside: &mut Outside| {
        for creator in [US, US, "ana"] {
            outside.databricks.saved.put("nightly", "old settings", creator, true);
        }
    };
    well("a job there twice", there(twice))
}

fn only_pruned() -> Scenario {
    let mut pruned = well("jobs only pruned", there(old));
    pruned.release.spec.operate.jobs.clear();
    pruned
}

fn left_halfway() -> Scenario {
    let saved = saved::Behaviour { halfway: 2, ..saved::Behaviour::default() };
    let script = Script { prepare: Some(old), ..behaving(Behaviour { saved, ..Behaviour::default() }) };
    well("jobs left half done", script)
}

fn operates(effect: &Effect) -> bool {
    matches!(effect, Effect::Operate(_))
}

fn answer_lost() -> Scenario {
    let faults = vec![unavailable(1, true, operates)];
    well("answer lost in Operate", Script { faults, ..there(old) })
}

fn faults_healed() -> Scenario {
    let faults = vec![unavailable(2, false, operates)];
    well("transient faults in Operate", Script { faults, ..there(old) })
}

fn refused() -> Scenario {
    let saved = saved::Behaviour { refuses: true, ..saved::Behaviour::default() };
    let script = Script { prepare: Some(old), ..behaving(Behaviour { saved, ..Behaviour::default() }) };
    operating("jobs refused", ReleaseResult::Failed, Reason::OperateFailed, script)
}

fn credentials_rejected() -> Scenario {
    let trouble = Trouble::lasting(Reason::AuthenticationFailed, "Databricks rejected the credentials");
    let faults = vec![Fault { of: operates, times: 9, trouble, is_done: false }];
    let script = Script { faults, ..there(old) };
    operating("credentials rejected in Operate", ReleaseResult::Failed, Reason::AuthenticationFailed, script)
}

/// The old jobs stay as they are.
fn tests_fail() -> Scenario {
    let script = Script { prepare: Some(old), ..behaving(Behaviour { failing: Some(0), ..Behaviour::default() }) };
    operating("tests failed, jobs untouched", ReleaseResult::Failed, Reason::InnerTestsFailed, script)
}

fn canceled() -> Scenario {
    let users = vec![User { when: |release| runs(release, Phase::Operate), then: cancel }];
    let script = Script { users, ..there(old) };
    operating("canceled in Operate", ReleaseResult::Canceled, Reason::Canceled, script)
}

fn timeout() -> Scenario {
    let behaviour = Behaviour { hangs: Some(Phase::Operate), ..Behaviour::default() };
    let mut timeout = timed_out("timeout in Operate", Script { prepare: Some(old), ..behaving(behaviour) });
    timeout.release.spec.operate.jobs = jobs();
    timeout
}

/// What was built before, from Operate on.
fn on_its_own() -> Scenario {
    from(Phase::Operate, well("started at Operate", there(old)))
}
