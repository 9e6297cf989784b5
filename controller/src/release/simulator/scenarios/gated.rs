//! What stands before a phase: turns, people, windows, rules, locks, and releases that are newer.

use brickline_crds::{DatabricksRelease, Phase, Reason, ReleaseResult};
use jiff::ToSpan;

use super::super::jobs::Build;
use super::super::script::{Script, User, runs};
use super::super::world::Outside;
use super::{Scenario, building, scenario};
use crate::phase::gate::Verdict;
use crate::queue::Newer;

pub(super) fn all() -> Vec<Scenario> {
    vec![
        turn_awaited(),
        lock_awaited(),
        workspace_awaited(),
        approved(),
        rejected(),
        approval_timed_out(),
        window_awaited(),
        not_authorized(),
        out_of_date(),
        superseded_in_line(),
        superseded_in_build(),
        superseded_in_test(),
    ]
}

fn prepared(prepare: fn(&mut Outside)) -> Script {
    Script { prepare: Some(prepare), ..Script::default() }
}

fn turn_awaited() -> Scenario {
    let script = prepared(|outside| outside.locks.turns = 3);
    scenario("turn awaited", ReleaseResult::Succeeded, Reason::Succeeded, script)
}

fn lock_awaited() -> Scenario {
    let script = prepared(|outside| outside.locks.taken = 2);
    scenario("lock awaited", ReleaseResult::Succeeded, Reason::Succeeded, script)
}

fn workspace_awaited() -> Scenario {
    let script = prepared(|outside| outside.locks.missing = 3);
    scenario("workspace awaited", ReleaseResult::Succeeded, Reason::Succeeded, script)
}

fn asks_for_approval(outside: &mut Outside) {
    let until = outside.now + 1.hour();
    outside.locks.view.approvals.verdict = Verdict::Waiting { message: "0 of 1 approvals".to_owned(), until };
}

/// What people say once the release waits for them.
fn answered(then: fn(&mut Outside)) -> Script {
    let asks = |release: &DatabricksRelease| waits_for(release, Reason::WaitingForApproval);
    Script { users: vec![User { when: asks, then }], ..prepared(asks_for_approval) }
}

fn waits_for(release: &DatabricksRelease, reason: Reason) -> bool {
    let waiting = release.status.as_ref().and_then(|status| status.waiting.as_ref());
    waiting.is_some_and(|waiting| waiting.reason == reason)
}

fn approved() -> Scenario {
    let script = answered(|outside| outside.locks.view.approvals.verdict = Verdict::Approved);
    scenario("approved", ReleaseResult::Succeeded, Reason::Succeeded, script)
}

fn rejected() -> Scenario {
    let no = |outside: &mut Outside| outside.locks.view.approvals.verdict = Verdict::Rejected("not on a Friday".into());
    scenario("rejected", ReleaseResult::Canceled, Reason::Rejected, answered(no))
}

fn approval_timed_out() -> Scenario {
    let late = |outside: &mut Outside| outside.locks.view.approvals.verdict = Verdict::TimedOut("nobody came".into());
    scenario("approval timed out", ReleaseResult::TimedOut, Reason::TimedOut, answered(late))
}

fn window_awaited() -> Scenario {
    let users = vec![User {
        when: |release| waits_for(release, Reason::WaitingForWindow),
        then: |outside| outside.locks.view.closed_until = None,
    }];
    let closed = |outside: &mut Outside| outside.locks.view.closed_until = Some(outside.now + 1.hour());
    let script = Script { users, ..prepared(closed) };
    scenario("window awaited", ReleaseResult::Succeeded, Reason::Succeeded, script)
}

fn not_authorized() -> Scenario {
    let refuse = |outside: &mut Outside| {
        outside.locks.view.refusal = Some((Reason::NotAuthorized, "branch main may not go there".to_owned()));
    };
    scenario("not authorized", ReleaseResult::Failed, Reason::NotAuthorized, prepared(refuse))
}

fn out_of_date() -> Scenario {
    let has = |outside: &mut Outside| outside.locks.view.newer_deployed = Some("dbxdemo-newer".to_owned());
    scenario("out of date", ReleaseResult::Skipped, Reason::OutOfDate, prepared(has))
}

fn overtake(outside: &mut Outside) {
    let name = "dbxdemo-newer".to_owned();
    outside.locks.newer = Some(Newer { name, supersedes: true, after_deploy: false, has_artifact: false });
}

fn superseded_in_line() -> Scenario {
    scenario("superseded in line", ReleaseResult::Skipped, Reason::Superseded, prepared(overtake))
}

fn superseded_in_build() -> Scenario {
    let users = vec![User { when: |release| runs(release, Phase::Build), then: overtake }];
    let script = Script { users, ..building(Build::Hangs) };
    scenario("superseded in Build", ReleaseResult::Canceled, Reason::Superseded, script)
}

/// After Deploy has begun a newer release waits for its turn.
fn superseded_in_test() -> Scenario {
    let users = vec![User { when: |release| runs(release, Phase::Test), then: overtake }];
    let script = Script { users, ..Script::default() };
    scenario("overtaken in Test, goes on", ReleaseResult::Succeeded, Reason::Succeeded, script)
}
