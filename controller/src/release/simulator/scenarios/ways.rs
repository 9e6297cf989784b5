//! Other ways to begin and to end: artifacts of other releases, flaky notebooks, rollbacks, work that does not stop,
//! releases that are deleted.

use brickline_artifact::Digest;
use brickline_crds::{
    Artifact, ArtifactFrom, DatabricksRelease, OnFailure, Phase, Reason, ReleaseReason, ReleaseResult, ReleaseState,
    Source,
};

use super::super::databricks::Behaviour;
use super::super::script::{Script, User};
use super::super::world::Outside;
use super::{Scenario, all_submitted, behaving, canceled, scenario};
use crate::phase::begin::Resolved;

pub(super) fn all() -> Vec<Scenario> {
    vec![
        promoted(),
        artifact_refused(),
        flaky(),
        let_pass(),
        rollback_wanted(),
        rollback(),
        does_not_stop(),
        deleted(),
        deleted_at_once(),
        changed_at_the_end(),
    ]
}

/// A release of what another has built.
fn taking(name: &'static str, ends: ReleaseResult, reason: Reason, resolved: Resolved) -> Scenario {
    let script = Script { resolved: Some(resolved), ..Script::default() };
    let mut taking = scenario(name, ends, reason, script);
    let from = ArtifactFrom { release: "dbxdemo-1a2b3c4d5e6f".to_owned(), digest: Digest::of(b"zip").to_string() };
    taking.release.spec.source = Source { artifact_from: vec![from], ..Source::default() };
    taking
}

fn built_before() -> Resolved {
    let digest = Digest::of(b"zip").to_string();
    let artifact = Artifact { digest, size: 3, uri: "artifacts/zip".to_owned() };
    Resolved { artifact: Some(artifact), ..Resolved::default() }
}

fn promoted() -> Scenario {
    taking("promoted", ReleaseResult::Succeeded, Reason::Succeeded, built_before())
}

fn artifact_refused() -> Scenario {
    let refusal = Some((Reason::ArtifactFailed, "the digests differ".to_owned()));
    let resolved = Resolved { refusal, ..Resolved::default() };
    taking("artifact refused", ReleaseResult::Failed, Reason::ArtifactFailed, resolved)
}

fn flaky() -> Scenario {
    let script = behaving(Behaviour { flaky: Some(1), ..Behaviour::default() });
    let ends = (ReleaseResult::SucceededWithIssues, Reason::SucceededWithIssues);
    let mut flaky = scenario("flaky notebook", ends.0, ends.1, script);
    flaky.release.spec.test.retry_failed = 1;
    flaky
}

fn let_pass() -> Scenario {
    let script = behaving(Behaviour { failing: Some(0), lenient: true, ..Behaviour::default() });
    scenario("failed notebook let pass", ReleaseResult::SucceededWithIssues, Reason::SucceededWithIssues, script)
}

/// The locks are kept for the rollback.
fn rollback_wanted() -> Scenario {
    let script = behaving(Behaviour { failing: Some(0), ..Behaviour::default() });
    let mut wanted = scenario("failed, rollback wanted", ReleaseResult::Failed, Reason::InnerTestsFailed, script);
    wanted.release.spec.on_failure = OnFailure::Rollback;
    wanted
}

/// The rollback itself: another release, of the stage's last good artifact.
fn rollback() -> Scenario {
    let mut rollback = taking("rollback", ReleaseResult::Succeeded, Reason::Succeeded, built_before());
    rollback.release.spec.reason = ReleaseReason::Rollback;
    rollback
}

/// Its locks are kept: nobody may work where something may still run.
fn does_not_stop() -> Scenario {
    let script = behaving(Behaviour { hangs: Some(Phase::Test), deaf: true, ..Behaviour::default() });
    let mut deaf = canceled("canceled, runs go on", all_submitted, script);
    deaf.ends = (ReleaseResult::Failed, Reason::CancelTimedOut);
    deaf
}

/// It is gone before its last write.
fn deleted() -> Scenario {
    let users = vec![User { when: all_submitted, then: Outside::delete }];
    let script = Script { users, ..behaving(Behaviour { hangs: Some(Phase::Test), ..Behaviour::default() }) };
    scenario("deleted in Test", ReleaseResult::None, Reason::Canceled, script)
}

fn deleted_at_once() -> Scenario {
    let users = vec![User { when: crate::phase::is_ours, then: Outside::delete }];
    let script = Script { users, ..Script::default() };
    scenario("deleted before it began", ReleaseResult::None, Reason::Canceled, script)
}

/// Somebody changes it right before its label and its finalizer do: that change meets a conflict.
pub(in super::super) fn changed_at_the_end() -> Scenario {
    fn settles(release: &DatabricksRelease) -> bool {
        let status = release.status.clone().unwrap_or_default();
        status.state == ReleaseState::Finishing && status.reported.as_deref() == Some("success")
    }
    let annotate = |outside: &mut Outside| {
        outside.change(&serde_json::json!({"metadata": {"annotations": {"example.com/seen": "yes"}}}));
    };
    let script = Script { users: vec![User { when: settles, then: annotate }], ..Script::default() };
    scenario("changed before it is settled", ReleaseResult::Succeeded, Reason::Succeeded, script)
}
