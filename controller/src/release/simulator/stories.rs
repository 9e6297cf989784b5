//! What users see of one release, told one by one: what stands in its status, what was done, and what was not.

use brickline_crds::condition::{READY, STALLED, SUCCEEDED, find};
use brickline_crds::{
    DatabricksRelease, DatabricksReleaseStatus, GoDuration, Phase, PhaseState, Reason, ReleaseResult, Restart,
};
use kube::ResourceExt;
use rstest::rstest;

use super::clusters::{WHEEL, installed};
use super::databricks::Behaviour;
use super::jobs::{Build, TAKES};
use super::run::{Cache, Run, run};
use super::scenarios::building::build as jobs_of_build;
use super::scenarios::{all_submitted, at_databricks, release, unavailable};
use super::script::{Fault, Script, User};
use super::world::Outside;
use crate::databricks::libraries::InstallState;
use crate::forge::ReportState;
use crate::phase::gate::Verdict;
use crate::phase::{Effect, Trouble, finish, install, test};

fn ran(script: Script) -> Run {
    of(&release(), script)
}

fn of(release: &DatabricksRelease, script: Script) -> Run {
    let run = run(release, script, &[], Cache::Fresh);
    assert_eq!(run.outside.problems, Vec::<String>::new());
    run
}

fn behaving(behaviour: Behaviour) -> Script {
    Script { databricks: behaviour, ..Script::default() }
}

fn prepared(prepare: fn(&mut Outside)) -> Script {
    Script { prepare: Some(prepare), ..Script::default() }
}

fn failing(of: fn(&Effect) -> bool, trouble: Trouble) -> Script {
    Script { faults: vec![Fault { of, times: u32::MAX, trouble, is_done: false }], ..Script::default() }
}

impl Run {
    fn status(&self) -> DatabricksReleaseStatus {
        self.release.status.clone().unwrap_or_default()
    }

    /// The result, and the reason and message of `Ready`.
    fn verdict(&self) -> (ReleaseResult, String, String) {
        let status = self.status();
        let ready = find(&status.conditions, READY).expect("Ready is always there");
        (status.result, ready.reason.clone(), ready.message.clone())
    }

    fn state(&self, phase: Phase) -> PhaseState {
        self.status().phase(phase).expect("a phase").state
    }

    fn did(&self, effect: &Effect) -> usize {
        self.effects().filter(|done| *done == effect).count()
    }
}

fn is_deploy(effect: &Effect) -> bool {
    matches!(effect, Effect::Deploy(_))
}

fn is_test(effect: &Effect) -> bool {
    matches!(effect, Effect::Test(_))
}

#[test]
fn a_good_merge_walks_the_whole_road() {
    let run = ran(Script::default());
    let status = run.status();
    assert_eq!((status.result, status.run.as_str()), (ReleaseResult::Succeeded, "20261121.1"));
    assert_eq!(status.tests.summary, "3/3");
    assert_eq!(run.outside.databricks.clusters.all[0].restarts, 1, "one restart takes the old wheel off");
    assert_eq!(run.outside.databricks.clusters.all[0].libraries, [installed(WHEEL, InstallState::Installed)]);
    let told: Vec<_> = run.outside.forge.told.iter().map(|report| report.state).collect();
    assert_eq!(told, [ReportState::Pending, ReportState::Success]);
    assert_eq!(find(&status.conditions, SUCCEEDED).unwrap().status, "True");
}

#[test]
fn nothing_is_restarted_when_the_wheel_is_there_already() {
    let run = ran(prepared(|outside| {
        let others = installed("/Volumes/other-1.0-py3-none-any.whl", InstallState::Installed);
        outside.databricks.clusters.all[0].libraries = vec![installed(WHEEL, InstallState::Installed), others];
    }));
    assert_eq!(run.outside.databricks.clusters.all[0].restarts, 0);
    assert_eq!(run.outside.databricks.clusters.all[0].libraries.len(), 2, "what others installed stays");
    assert!(!run.effects().any(|effect| matches!(effect, Effect::Install(install::Effect { .. }))));
}

#[test]
fn an_issue_of_install_is_none_of_the_tests() {
    let mut release = release();
    release.spec.install.restart = Restart::Never;
    let run = of(&release, Script::default());
    assert_eq!(run.verdict().0, ReleaseResult::SucceededWithIssues);
    let states = [Phase::Install, Phase::Test].map(|phase| run.state(phase));
    assert_eq!(states, [PhaseState::SucceededWithIssues, PhaseState::Succeeded]);
}

#[test]
fn a_wheel_that_failed_to_install_once_gets_another_try() {
    let run = ran(prepared(|outside| {
        outside.databricks.clusters.all[0].libraries = vec![installed(WHEEL, InstallState::Failed)];
    }));
    assert_eq!(run.verdict().0, ReleaseResult::Succeeded);
    assert_eq!(run.outside.databricks.clusters.all[0].restarts, 1);
}

#[test]
fn a_failing_pytest_deploys_nothing_and_names_the_test() {
    let run = ran(Script { build: Build::TestsFail, ..Script::default() });
    let (result, reason, message) = run.verdict();
    assert_eq!((result, reason.as_str()), (ReleaseResult::Failed, "TestsFailed"));
    assert_eq!((run.status().phase, run.state(Phase::Deploy)), (Some(Phase::Build), PhaseState::Skipped));
    assert!(!run.effects().any(is_deploy));
    assert!(message.contains("test_with_status"), "{message}");
    assert_eq!(run.outside.forge.told[1].description, "test_with_status: assert 'a' == 'b'");
}

#[test]
fn a_failing_notebook_test_fails_the_release_after_all_ran() {
    let run = ran(behaving(Behaviour { failing: Some(0), ..Behaviour::default() }));
    let (result, reason, message) = run.verdict();
    assert_eq!((result, reason.as_str()), (ReleaseResult::Failed, "InnerTestsFailed"));
    assert_eq!((run.outside.databricks.ran().len(), run.status().tests.summary.as_str()), (2, "2/3"));
    assert!(message.contains("AssertionError"), "{message}");
}

/// The verdict of the first notebook is kept while the other is waited for, whatever happens meanwhile.
#[rstest]
#[case(0)]
#[case(1)]
fn the_first_verdict_survives_waiting_and_faults(#[case] faults: u32) {
    let behaviour = Behaviour { failing: Some(0), ..Behaviour::default() };
    let collects = |effect: &Effect| matches!(effect, Effect::Test(test::Effect::Collect { index: 1, .. }));
    let run = ran(Script { faults: vec![unavailable(faults, false, collects)], ..behaving(behaviour) });
    let (_, reason, message) = run.verdict();
    assert_eq!(reason, "InnerTestsFailed");
    assert!(message.contains("AssertionError"), "{message}");
}

#[test]
fn faults_are_waited_out_within_the_limit_and_end_the_release_beyond_it() {
    let patient = ran(Script { faults: vec![unavailable(2, false, at_databricks)], ..Script::default() });
    assert_eq!(patient.verdict().0, ReleaseResult::Succeeded);
    let retries: u32 = patient.status().phases.iter().map(|phase| phase.retries).sum();
    assert_eq!(
        (retries, patient.status().phases.iter().any(|phase| phase.faults > 0)),
        (2, false),
        "they stay counted"
    );
    let unlucky = ran(Script { faults: vec![unavailable(100, false, at_databricks)], ..Script::default() });
    let (result, reason, _) = unlucky.verdict();
    assert_eq!((result, reason.as_str()), (ReleaseResult::Failed, "WorkspaceUnreachable"));
    assert!(find(&unlucky.status().conditions, STALLED).is_some());
}

#[test]
fn a_lasting_fault_ends_the_release_at_once() {
    let trouble = Trouble::lasting(Reason::NotAuthorized, "sp-release may not write there");
    let run = ran(failing(is_deploy, trouble));
    assert_eq!((run.state(Phase::Deploy), run.verdict().1.as_str()), (PhaseState::Failed, "NotAuthorized"));
    assert_eq!(run.effects().filter(|effect| is_deploy(effect)).count(), 1);
}

#[test]
fn a_fault_that_healed_in_the_tests_does_not_fail_them() {
    let run = ran(Script { faults: vec![unavailable(1, false, is_test)], ..Script::default() });
    assert_eq!(run.verdict().0, ReleaseResult::Succeeded);
}

#[test]
fn a_fault_that_ends_the_tests_stops_their_runs() {
    let run = ran(Script { faults: vec![unavailable(9, false, is_test)], ..Script::default() });
    assert_eq!((run.did(&Effect::Stop(Phase::Test)), run.verdict().1.as_str()), (1, "WorkspaceUnreachable"));
}

#[test]
fn what_comes_from_outside_is_cut_to_what_the_schema_takes() {
    let trouble = Trouble::lasting(Reason::DeployFailed, "é".repeat(10_000));
    let status = ran(failing(is_deploy, trouble)).status();
    let longest = status.phases.iter().map(|phase| phase.message.chars().count()).max().unwrap_or_default();
    assert!((500..=4096).contains(&longest), "{longest}");
}

#[test]
fn a_release_canceled_while_suspended_ends() {
    let mut release = release();
    (release.spec.suspend, release.spec.cancel) = (true, true);
    assert_eq!(of(&release, Script::default()).verdict().0, ReleaseResult::Canceled);
}

/// All notebooks run, and don't end by themselves.
fn in_test(then: fn(&mut Outside), deaf: bool) -> Script {
    let behaviour = Behaviour { hangs: Some(Phase::Test), deaf, ..Behaviour::default() };
    Script { users: vec![User { when: all_submitted, then }], ..behaving(behaviour) }
}

fn cancel(outside: &mut Outside) {
    outside.change(&serde_json::json!({"spec": {"cancel": true}}));
}

#[test]
fn cancel_stops_the_work_and_skips_the_rest() {
    let run = ran(in_test(cancel, false));
    let (result, reason, _) = run.verdict();
    assert_eq!((result, reason.as_str()), (ReleaseResult::Canceled, "Canceled"));
    assert_eq!((run.did(&Effect::Stop(Phase::Test)), run.state(Phase::Operate)), (1, PhaseState::Skipped));
}

#[test]
fn a_deleted_release_stops_its_work_and_is_let_go() {
    let run = ran(in_test(Outside::delete, false));
    assert_eq!(run.did(&Effect::Stop(Phase::Test)), 1);
    assert_eq!(run.did(&Effect::Finish(finish::Effect::Settle)), 1);
    assert!(run.outside.stored().is_err(), "it is gone");
}

#[test]
fn a_phase_over_its_timeout_is_stopped() {
    let mut release = release();
    release.spec.timeouts.test = GoDuration::from_secs(60);
    let run = of(&release, behaving(Behaviour { hangs: Some(Phase::Test), ..Behaviour::default() }));
    assert_eq!((run.verdict().0, run.state(Phase::Test)), (ReleaseResult::TimedOut, PhaseState::TimedOut));
    assert_eq!(run.did(&Effect::Stop(Phase::Test)), 1);
}

#[test]
fn work_that_does_not_stop_in_its_grace_is_named_and_keeps_the_locks() {
    let run = ran(in_test(cancel, true));
    let (result, reason, message) = run.verdict();
    assert_eq!((result, reason.as_str()), (ReleaseResult::Failed, "CancelTimedOut"));
    assert!(message.contains("run 100") && message.contains("1m"), "{message}");
    let status = run.status();
    assert!(!status.locks.is_empty() && status.locks.iter().all(|lock| lock.kept));
    assert_eq!(run.did(&Effect::Finish(finish::Effect::Unlock { keep: true })), 1);
    assert_eq!(run.did(&Effect::Stop(Phase::Test)), 1, "what was asked to stop is then only watched");
}

#[test]
fn without_a_workspace_the_road_ends_after_the_build() {
    let mut release = release();
    release.spec.workspace_ref = None;
    let run = of(&release, Script::default());
    assert_eq!((run.verdict().0, run.state(Phase::Deploy)), (ReleaseResult::Succeeded, PhaseState::Skipped));
}

#[test]
fn waiting_for_locks_is_no_work() {
    let status = ran(prepared(|outside| outside.locks.taken = 3)).status();
    assert_eq!((status.result, &status.waiting), (ReleaseResult::Succeeded, &None));
    assert!(status.locks.is_empty(), "they were given back");
    let (whole, active) = (status.duration.unwrap().as_secs(), status.active_seconds.unwrap());
    assert!(active < whole, "{active} s of work in {whole} s");
}

#[test]
fn waiting_for_a_run_of_the_workspace_is_no_work_and_is_told() {
    fn notice(outside: &mut Outside) {
        outside.change(&serde_json::json!({"metadata": {"annotations": {"seen": "waiting"}}}));
    }
    let waits = |release: &DatabricksRelease| {
        let test = release.status.as_ref().and_then(|status| status.phase(Phase::Test));
        test.is_some_and(|test| {
            test.reason == Some(Reason::WaitingForSlot) && test.message.contains("limits.runs allows")
        })
    };
    let script = prepared(|outside| outside.databricks.full = 30);
    let mut release = release();
    release.spec.timeouts.test = GoDuration::from_secs(60);
    let run = of(&release, Script { users: vec![User { when: waits, then: notice }], ..script });
    let status = run.status();
    assert_eq!(status.result, ReleaseResult::Succeeded, "it waits for longer than the tests may take");
    assert!(run.release.metadata.annotations.as_ref().is_some_and(|all| all.contains_key("seen")));
    let test = status.phase(Phase::Test).expect("a phase").clone();
    let idle = test.ticket.expect("a ticket").idle_seconds;
    assert!(idle > 60, "{idle}");
    assert_eq!(test.reason, Some(Reason::Succeeded));
}

#[test]
fn tests_that_never_get_a_run_end() {
    let run = ran(prepared(|outside| outside.databricks.full = u32::MAX));
    let (result, reason, message) = run.verdict();
    assert_eq!((result, reason.as_str()), (ReleaseResult::TimedOut, "TimedOut"));
    assert!(message.contains("waiting.slot (24h)") && message.contains("limits.runs"), "{message}");
    assert_eq!(run.outside.databricks.ran(), []);
}

#[rstest]
#[case::for_its_turn(|outside: &mut Outside| outside.locks.turns = u32::MAX, Phase::Build)]
#[case::for_its_locks(|outside: &mut Outside| outside.locks.taken = u32::MAX, Phase::Deploy)]
fn a_release_that_waits_for_too_long_ends(#[case] prepare: fn(&mut Outside), #[case] phase: Phase) {
    let run = ran(prepared(prepare));
    assert_eq!((run.verdict().0, run.state(phase)), (ReleaseResult::TimedOut, PhaseState::TimedOut));
    assert_eq!(run.status().start_time.is_some(), phase == Phase::Deploy, "it starts when a phase does");
}

#[rstest]
#[case::refused(
    |outside: &mut Outside| outside.locks.view.refusal = Some((Reason::NotAuthorized, "branch main".into())),
    ReleaseResult::Failed, "NotAuthorized"
)]
#[case::overtaken(
    |outside: &mut Outside| outside.locks.view.newer_deployed = Some("dbxdemo-b".into()),
    ReleaseResult::Skipped, "OutOfDate"
)]
#[case::rejected(
    |outside: &mut Outside| outside.locks.view.approvals.verdict = Verdict::Rejected("not on a Friday".into()),
    ReleaseResult::Canceled, "Rejected"
)]
#[case::not_approved(
    |outside: &mut Outside| outside.locks.view.approvals.verdict = Verdict::TimedOut("nobody came".into()),
    ReleaseResult::TimedOut, "TimedOut"
)]
fn what_a_gate_says_ends_the_release(
    #[case] prepare: fn(&mut Outside),
    #[case] result: ReleaseResult,
    #[case] reason: &str,
) {
    let run = ran(prepared(prepare));
    let (ended, why, _) = run.verdict();
    assert_eq!((ended, why.as_str()), (result, reason));
    assert!(!run.effects().any(is_deploy), "{reason}: nothing was deployed");
}

/// Somebody changes it right before its label and its finalizer do.
#[test]
fn a_change_at_the_last_moment_leaves_no_finalizer() {
    let scenario = super::scenarios::changed_at_the_end();
    let run = of(&scenario.release, scenario.script);
    assert_eq!((run.verdict().0, run.did(&Effect::Finish(finish::Effect::Settle))), (ReleaseResult::Succeeded, 2));
    assert_eq!(run.release.metadata.finalizers.clone().unwrap_or_default(), Vec::<String>::new());
    assert_eq!(run.release.labels()[brickline_crds::labels::RESULT], "succeeded");
}

fn asked(outside: &mut Outside) {
    outside.change(&serde_json::json!({"metadata": {"annotations": {"brickline.dev/requestedAt": "now"}}}));
}

#[rstest]
#[case::at_once(|_: &DatabricksRelease| true)]
#[case::before_the_phases(|release: &DatabricksRelease| release.status.is_none() && crate::phase::is_ours(release))]
#[case::at_the_end(|release: &DatabricksRelease| state_of(release) == brickline_crds::ReleaseState::Finishing)]
fn a_wish_to_be_looked_at_is_echoed_as_long_as_it_goes_on(#[case] when: fn(&DatabricksRelease) -> bool) {
    let run = ran(Script { users: vec![User { when, then: asked }], ..Script::default() });
    assert_eq!((run.verdict().0, run.status().last_handled_requested_at.as_str()), (ReleaseResult::Succeeded, "now"));
}

fn state_of(release: &DatabricksRelease) -> brickline_crds::ReleaseState {
    release.status.as_ref().map(|status| status.state).unwrap_or_default()
}

/// A workspace that is suspended in the middle, or that refuses its credentials, for a minute and for two hours.
#[rstest]
#[case(Reason::Suspended)]
#[case(Reason::AuthenticationFailed)]
fn what_lasts_is_written_once(#[case] reason: Reason) {
    let writes = |seconds| {
        let mut release = release();
        release.spec.timeouts.deploy = GoDuration::from_secs(seconds);
        let run = of(&release, failing(is_deploy, Trouble::passing(reason, "no")));
        assert_eq!(run.verdict().0, ReleaseResult::TimedOut);
        run.writes()
    };
    assert_eq!(writes(60), writes(7200));
}

/// Once it is deleted its own limits don't count, and locks that can't be given back are left to whoever wants them.
#[rstest]
#[case::whose_work_does_not_stop(u32::MAX, 0)]
#[case::whose_locks_stay(0, u32::MAX)]
fn a_deleted_release_is_let_go_whatever_it_says(#[case] stops: u32, #[case] unlocks: u32) {
    let mut release = release();
    release.spec.timeouts.cancel_grace_period = GoDuration::from_secs(8760 * 3600);
    let refused = || Trouble::passing(Reason::NotAuthorized, "no");
    let fault = |of, times| Fault { of, times, trouble: refused(), is_done: false };
    let faults = vec![
        fault(|effect| matches!(effect, Effect::Stop(_)), stops),
        fault(|effect| matches!(effect, Effect::Finish(finish::Effect::Unlock { .. })), unlocks),
    ];
    let script = Script { faults, ..in_test(Outside::delete, false) };
    let run = run(&release, script, &[], Cache::Fresh);
    assert_eq!(run.outside.problems, Vec::<String>::new());
    assert!(run.outside.stored().is_err(), "it is gone");
}

/// A node that takes every pod away would else be asked for one pod after the other.
#[rstest]
#[case::a_build_that_is_one_job(brickline_crds::Build::default(), "artifact")]
#[case::a_job_beside_others(jobs_of_build(), "unit.py310")]
fn a_lost_pod_comes_again_after_a_pause_that_grows(#[case] build: brickline_crds::Build, #[case] job: &'static str) {
    let mut release = release();
    release.spec.build = build;
    release.spec.retries.limit = 3;
    let lost = Build::IsLost(3);
    let jobs: &'static [(&'static str, Build)] = &[("unit.py310", Build::IsLost(3))];
    let script = if job == "artifact" {
        Script { build: lost, ..Script::default() }
    } else {
        Script { jobs, ..Script::default() }
    };
    let run = of(&release, script);
    assert_eq!(run.status().result, ReleaseResult::Succeeded);
    let begun = run.outside.jobs.begun(job);
    let pauses: Vec<i64> = begun.windows(2).map(|two| two[1].duration_since(two[0]).as_secs() - TAKES).collect();
    let [first, second, third] = pauses[..] else { panic!("not four attempts: {begun:?}") };
    assert!(first >= 5 && second >= 10 && (20..60).contains(&third), "{pauses:?}");
    let status = run.status();
    let build = status.phase(Phase::Build).unwrap();
    assert!(build.retry_at.is_none() && build.jobs.iter().all(|job| job.retry_at.is_none()), "{build:?}");
}
