//! Decisions as users meet them: whole releases walked through `decide` alone, with a world that answers.

use std::collections::BTreeMap;

use brickline_artifact::Digest;
use brickline_artifact::result::{
    ArtifactSummary, BuildResult, Outcome as Verdict, Reason as BuildReason, TestFailure,
};
use brickline_crds::condition::{READY, RECONCILING, STALLED, SUCCEEDED, find};
use brickline_crds::labels::FINALIZER;
use brickline_crds::{
    DatabricksRelease, DatabricksReleaseSpec, FirstFailure, GitSource, GoDuration, LocalRef, Phase, PhaseState,
    Provider, Reason, ReleaseResult, ReleaseState, Retries, Source, TestCounts,
};
use jiff::{Timestamp, ToSpan};
use proptest::prelude::*;

use super::decide::{Decision, Observed, current, decide};
use super::observe::{Look, due};
use crate::databricks::clusters::ClusterState;
use crate::databricks::libraries::{InstallState, Library};
use crate::databricks::runs::{LifeCycle, Run, RunResult, RunState, TaskRun};
use crate::lock::locks_of;
use crate::phase::{Effect, Outcome, Trouble, View, begin, build, deploy, finish, gate, install, test};

const WHEEL: &str = "/Workspace/libs/dbxdemo/0123456789ab/dbxdemo-0.1.0-py3-none-any.whl";
const OLD_WHEEL: &str = "dbfs:/libraries/python/libs/dbxdemo-0.0.9-py3-none-any.whl";

fn release() -> DatabricksRelease {
    let git = GitSource {
        url: "https://git.example.com/data/dbxdemo.git".into(),
        reference: "refs/heads/release".into(),
        commit: "0123456789012345678901234567890123456789".into(),
        provider: Provider::Gitea,
        credentials_ref: None,
    };
    let spec: DatabricksReleaseSpec = serde_json::from_value(serde_json::json!({"source": {}})).unwrap();
    let spec = DatabricksReleaseSpec {
        source: Source { git: Some(git), ..Source::default() },
        workspace_ref: Some(LocalRef::new("staging")),
        retries: Retries { limit: 2, ..Retries::default() },
        ..spec
    };
    let mut release = DatabricksRelease::new("dbxdemo-0123456789ab", spec);
    release.metadata.uid = Some("uid".into());
    release.metadata.namespace = Some("data".into());
    release.metadata.generation = Some(1);
    release
}

fn locks() -> std::collections::BTreeSet<crate::lock::Lock> {
    let host = url::Url::parse("https://adb-1.2.azuredatabricks.net").unwrap();
    locks_of(&host, ["0123"], ["/Shared/dbxdemo/one.py"]).unwrap()
}

/// The outside, as far as decisions can see it.
struct World {
    now: Timestamp,
    build: Option<BuildResult>,
    job: build::Job,
    libraries: Vec<install::Installed>,
    context: u32,
    restarts: u32,
    notebooks: usize,
    failing: Option<usize>,
    submitted: BTreeMap<u32, u32>,
    /// Faults still to come: each effect fails once for each.
    faults: u32,
    /// How often a run is seen under way before it is over.
    unfinished: u32,
    reports: Vec<finish::Report>,
    /// What stands before the phases.
    gate: gate::View,
    /// What doesn't stop when it is asked to.
    alive: Vec<String>,
    /// How often others are before the release in the line, and have its locks.
    others: (u32, u32),
    effects: Vec<Effect>,
}

impl World {
    fn new() -> Self {
        let artifact = ArtifactSummary { digest: Digest::of(b"zip"), size: 3 };
        Self {
            now: "2026-11-21T12:00:00Z".parse().unwrap(),
            build: Some(BuildResult {
                outcome: Verdict::Succeeded,
                steps: Vec::new(),
                tests: Some(brickline_artifact::result::TestCounts { total: 1, passed: 1, failed: 0, skipped: 0 }),
                first_failures: Vec::new(),
                artifact: Some(artifact),
            }),
            job: build::Job::Missing,
            libraries: vec![installed(OLD_WHEEL, InstallState::Installed)],
            context: 1,
            restarts: 0,
            notebooks: 2,
            failing: None,
            submitted: BTreeMap::new(),
            faults: 0,
            unfinished: 0,
            reports: Vec::new(),
            gate: gate::View { locks: locks(), ..gate::View::default() },
            alive: Vec::new(),
            others: (0, 0),
            effects: Vec::new(),
        }
    }

    fn view(&self, release: &DatabricksRelease, outcome: Option<&Outcome>) -> View {
        let status = release.status.clone().unwrap_or_default();
        let look = match due(release, outcome, self.now) {
            None => return View::Nothing,
            Some(Look::Gate(_)) => return View::Gate(Box::new(self.gate.clone())),
            Some(Look::Alive(_)) => return View::Alive(self.alive.clone()),
            Some(Look::Work(phase)) => phase,
        };
        let phase = status.phase(look).unwrap();
        match look {
            Phase::Build => View::Build(Box::new(build::View {
                job: self.job.clone(),
                result: self.build.clone().filter(|_| self.job != build::Job::Missing),
                pod: None,
            })),
            Phase::Install => View::Install(install::View {
                desired: vec![Library::Whl(WHEEL.into())],
                clusters: vec![install::Cluster {
                    id: "0123".into(),
                    state: ClusterState::Running,
                    message: String::new(),
                    context: self.context.to_string(),
                    libraries: self.libraries.clone(),
                }],
                runs: Vec::new(),
            }),
            Phase::Test => View::Test(self.test_view(&phase.ticket.clone().unwrap_or_default())),
            Phase::Deploy | Phase::Operate => View::Nothing,
        }
    }

    fn test_view(&self, ticket: &brickline_crds::Ticket) -> test::View {
        let runs = ticket.in_flight.iter().filter_map(|run| {
            // The first notebook is the quick one.
            let over = run.index == 0 || self.unfinished == 0;
            Some((
                run.index,
                if over { finished_run(run.run_id?) } else { Run { run_id: run.run_id?, ..Run::default() } },
            ))
        });
        let notebooks = (0..self.notebooks).map(|n| test::Notebook {
            path: format!("notebooks/{n}.py"),
            target: format!("/Shared/{n}.py"),
            parameters: BTreeMap::new(),
            timeout: std::time::Duration::from_mins(1),
            max_duration: std::time::Duration::from_mins(1),
            continue_on_error: false,
        });
        test::View { notebooks: notebooks.collect(), most: 20, runs: runs.collect() }
    }

    fn act(&mut self, effect: &Effect) -> Outcome {
        self.effects.push(effect.clone());
        if self.faults > 0
            && !matches!(effect, Effect::Finish(_) | Effect::Begin(_) | Effect::Gate(_) | Effect::Stop(_))
        {
            self.faults -= 1;
            return Outcome::Trouble(Trouble::passing(Reason::WorkspaceUnreachable, "503"));
        }
        match effect {
            Effect::Begin(begin::Effect::Resolve) => {
                let resolved = begin::Resolved { run: "20261121.1".into(), ..begin::Resolved::default() };
                Outcome::Resolved(Box::new(resolved))
            }
            Effect::Gate(effect) => Outcome::Gate(self.pass(effect)),
            Effect::Finish(finish::Effect::Report(report)) => {
                self.reports.push(report.clone());
                Outcome::Told { sent: true }
            }
            Effect::Build(build::Effect::CreateJob { .. }) => {
                self.job = build::Job::Complete;
                Outcome::Done
            }
            Effect::Deploy(deploy::Effect::Plan) => Outcome::Planned(deploy::Planned::default()),
            Effect::Deploy(deploy::Effect::Write(_)) => Outcome::Deployed(deploy::Deployed::default()),
            Effect::Install(effect) => self.install(effect),
            Effect::Test(test::Effect::Submit { index, .. }) => {
                *self.submitted.entry(*index).or_default() += 1;
                Outcome::Submitted { index: *index, run_id: i64::from(*index) + 100 }
            }
            Effect::Test(test::Effect::Collect { index, .. }) => self.collect(*index),
            Effect::Test(test::Effect::Publish { .. }) => Outcome::Published { uri: "report".into() },
            Effect::Operate(_) => unreachable!("no jobs are asked for"),
            Effect::Stop(_) | Effect::Begin(begin::Effect::Adopt) | Effect::Finish(finish::Effect::Settle) => {
                Outcome::Done
            }
            Effect::Finish(finish::Effect::Unlock { .. }) => Outcome::Unlocked,
        }
    }

    fn pass(&mut self, effect: &gate::Effect) -> gate::Passage {
        match effect {
            gate::Effect::Turn { .. } if self.others.0 > 0 => {
                self.others.0 -= 1;
                gate::Passage::NoTurn("pipeline dbxdemo releases one at a time to staging".into())
            }
            gate::Effect::Lock if self.others.1 > 0 => {
                self.others.1 -= 1;
                gate::Passage::Held {
                    message: "cluster main is held by data/other".into(),
                    leftover: self.others.1 < 1000,
                }
            }
            gate::Effect::Turn { .. } => gate::Passage::Turn,
            gate::Effect::StepAside => gate::Passage::Aside,
            gate::Effect::Lock => gate::Passage::Locked,
        }
    }

    fn install(&mut self, effect: &install::Effect) -> Outcome {
        for call in &effect.calls {
            self.change(call);
        }
        Outcome::Done
    }

    fn change(&mut self, call: &install::Call) {
        match call {
            install::Call::Uninstall { libraries, .. } => {
                for installed in self.libraries.iter_mut().filter(|installed| libraries.contains(&installed.library)) {
                    installed.state = InstallState::UninstallOnRestart;
                }
            }
            install::Call::Restart { .. } => {
                self.restarts += 1;
                self.context += 1;
                self.libraries.retain(|installed| installed.state != InstallState::UninstallOnRestart);
            }
            install::Call::Install { libraries, .. } => {
                let new = libraries.iter().map(|library| install::Installed {
                    library: library.clone(),
                    state: InstallState::Installed,
                    messages: String::new(),
                    for_all: false,
                });
                self.libraries.extend(new);
            }
            install::Call::Start { .. } => {}
        }
    }

    fn collect(&self, index: u32) -> Outcome {
        let fails = self.failing == Some(index as usize);
        let name = format!("notebooks/{index}.py: TestNotebook.test_with_status");
        let message = "AssertionError: 'a' != 'b'".to_owned();
        let collected = test::Collected {
            counts: TestCounts { total: 1, passed: u32::from(!fails), failed: u32::from(fails), skipped: 0 },
            failures: if fails {
                vec![FirstFailure { name: name.clone(), message: message.clone() }]
            } else {
                Vec::new()
            },
            verdict: fails.then(|| (Reason::InnerTestsFailed, format!("{name}: {message}"))),
        };
        Outcome::Collected { index, collected: Box::new(collected) }
    }
}

fn installed(path: &str, state: InstallState) -> install::Installed {
    install::Installed { library: Library::Whl(path.into()), state, messages: String::new(), for_all: false }
}

fn finished_run(run_id: i64) -> Run {
    let state = RunState {
        life_cycle_state: LifeCycle::Terminated,
        result_state: Some(RunResult::Success),
        ..RunState::default()
    };
    let task = TaskRun { run_id: run_id + 1, state: state.clone(), ..TaskRun::default() };
    Run { run_id, state, tasks: vec![task], ..Run::default() }
}

/// Walks a release until nothing more happens. `crash` forgets the outcome of the effects it names: the process died
/// between doing and writing down.
fn walk(release: &mut DatabricksRelease, world: &mut World, crash: &dyn Fn(usize) -> bool) {
    let mut outcome: Option<Outcome> = None;
    for _ in 0..400 {
        let view = world.view(release, outcome.as_ref());
        let observed = Observed { outcome: outcome.take(), view, newer: None };
        match decide(release, &observed, world.now) {
            Decision::Record(status) => {
                check_kstatus(&status);
                let before = release.status.clone().unwrap_or_default();
                assert_ne!(before, *status, "a write that changes nothing would go round for ever");
                assert!(before.state != ReleaseState::Finished, "terminal means terminal");
                release.status = Some(*status);
            }
            Decision::Act(effect) => {
                let done = world.act(&effect);
                if effect == Effect::Begin(begin::Effect::Adopt) {
                    release.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
                }
                outcome = (!crash(world.effects.len())).then_some(done);
            }
            Decision::Wait(pause) => {
                world.unfinished = world.unfinished.saturating_sub(1);
                world.now += i64::try_from(pause.map_or(1, |p| p.as_secs() + 1)).unwrap().seconds();
            }
            Decision::Done => return,
        }
    }
    panic!("the release did not end: {:#?}", release.status);
}

/// kstatus' invariants, after every write.
fn check_kstatus(status: &brickline_crds::DatabricksReleaseStatus) {
    let is_true = |type_: &str| find(&status.conditions, type_).is_some_and(|c| c.status == "True");
    assert!(find(&status.conditions, READY).is_some(), "Ready is always there");
    assert!(!(is_true(RECONCILING) && is_true(STALLED)), "never both");
    assert!(!(is_true(READY) && (is_true(RECONCILING) || is_true(STALLED))), "Ready is alone");
    assert!(status.observed_generation <= 1);
    for abnormal in [RECONCILING, STALLED] {
        assert!(find(&status.conditions, abnormal).is_none_or(|c| c.status == "True"), "present only while True");
    }
    if status.state == ReleaseState::Finished {
        assert!(is_true(READY) != is_true(STALLED), "a finished release is one or the other");
    }
}

fn state(release: &DatabricksRelease, phase: Phase) -> PhaseState {
    release.status.as_ref().unwrap().phase(phase).unwrap().state
}

#[test]
fn a_good_merge_walks_the_whole_road() {
    let (mut release, mut world) = (release(), World::new());
    walk(&mut release, &mut world, &|_| false);
    let status = release.status.as_ref().unwrap();
    assert_eq!(status.result, ReleaseResult::Succeeded);
    assert_eq!(status.run, "20261121.1");
    assert_eq!(status.tests.summary, "3/3");
    assert_eq!(world.restarts, 1, "one restart takes the old wheel off");
    assert_eq!(world.libraries, [installed(WHEEL, InstallState::Installed)]);
    let told: Vec<_> = world.reports.iter().map(|report| report.state).collect();
    assert_eq!(told, [finish::ReportState::Pending, finish::ReportState::Success]);
    assert_eq!(find(&status.conditions, SUCCEEDED).unwrap().status, "True");
}

#[test]
fn nothing_is_restarted_when_the_wheel_is_there_already() {
    let (mut release, mut world) = (release(), World::new());
    world.libraries = vec![
        installed(WHEEL, InstallState::Installed),
        installed("/Volumes/other-1.0-py3-none-any.whl", InstallState::Installed),
    ];
    walk(&mut release, &mut world, &|_| false);
    assert_eq!(world.restarts, 0);
    assert_eq!(world.libraries.len(), 2, "what others installed stays");
    assert!(!world.effects.iter().any(|effect| matches!(effect, Effect::Install(_))));
}

#[test]
fn a_failing_pytest_deploys_nothing_and_names_the_test() {
    let (mut release, mut world) = (release(), World::new());
    world.build = Some(BuildResult {
        outcome: Verdict::Failed { reason: BuildReason::TestsFailed, message: "1 of 1 tests failed".into() },
        first_failures: vec![TestFailure { name: "test_with_status".into(), message: "assert 'a' == 'b'".into() }],
        artifact: None,
        ..world.build.unwrap()
    });
    walk(&mut release, &mut world, &|_| false);
    let status = release.status.as_ref().unwrap();
    assert_eq!((status.result, status.phase), (ReleaseResult::Failed, Some(Phase::Build)));
    assert_eq!(state(&release, Phase::Deploy), PhaseState::Skipped);
    assert!(!world.effects.iter().any(|effect| matches!(effect, Effect::Deploy(_))));
    let ready = find(&status.conditions, READY).unwrap();
    assert_eq!(ready.reason, "TestsFailed");
    assert!(ready.message.contains("test_with_status"), "{}", ready.message);
    assert_eq!(world.reports[1].description, "test_with_status: assert 'a' == 'b'");
}

#[test]
fn a_failing_notebook_test_fails_the_release_after_all_ran() {
    let (mut release, mut world) = (release(), World::new());
    world.failing = Some(0);
    walk(&mut release, &mut world, &|_| false);
    let status = release.status.as_ref().unwrap();
    assert_eq!(status.result, ReleaseResult::Failed);
    assert_eq!(world.submitted.len(), 2, "the others still run");
    assert_eq!(status.tests.summary, "2/3");
    let ready = find(&status.conditions, READY).unwrap();
    assert_eq!(ready.reason, "InnerTestsFailed");
    assert!(ready.message.contains("AssertionError: 'a' != 'b'"), "{}", ready.message);
}

#[test]
fn faults_are_waited_out_within_the_limit_and_end_the_release_beyond_it() {
    let (mut patient, mut world) = (release(), World::new());
    world.faults = 2;
    walk(&mut patient, &mut world, &|_| false);
    assert_eq!(patient.status.as_ref().unwrap().result, ReleaseResult::Succeeded);

    let (mut unlucky, mut world) = (release(), World::new());
    world.faults = 100;
    walk(&mut unlucky, &mut world, &|_| false);
    let status = unlucky.status.as_ref().unwrap();
    assert_eq!(status.result, ReleaseResult::Failed);
    assert_eq!(find(&status.conditions, READY).unwrap().reason, "WorkspaceUnreachable");
    assert!(find(&status.conditions, STALLED).is_some());
}

#[test]
fn a_lasting_fault_ends_the_release_at_once() {
    let mut release = release();
    let mut world = World::new();
    walk_until(&mut release, &mut world, Phase::Deploy);
    let rejected =
        Outcome::Trouble(Trouble::lasting(Reason::AuthenticationFailed, "Databricks rejected the credentials"));
    let observed = Observed { outcome: Some(rejected), view: View::Nothing, newer: None };
    let Decision::Record(status) = decide(&release, &observed, world.now) else { panic!("a verdict is written") };
    release.status = Some(*status);
    walk(&mut release, &mut world, &|_| false);
    assert_eq!(state(&release, Phase::Deploy), PhaseState::Failed);
    assert_eq!(find(&release.status.as_ref().unwrap().conditions, READY).unwrap().reason, "AuthenticationFailed");
    assert!(
        !world.effects.iter().any(|effect| matches!(effect, Effect::Deploy(_))),
        "rejected credentials are not hammered"
    );
}

#[test]
fn the_first_verdict_survives_waiting_and_faults() {
    for faults in [0, 1] {
        let (mut release, mut world) = (release(), World::new());
        walk_until(&mut release, &mut world, Phase::Test);
        (world.failing, world.unfinished, world.faults) = (Some(0), 2, faults);
        walk(&mut release, &mut world, &|_| false);
        let ready = find(&release.status.as_ref().unwrap().conditions, READY).cloned().unwrap();
        assert_eq!(ready.reason, "InnerTestsFailed");
        assert!(ready.message.contains("AssertionError: 'a' != 'b'"), "{}", ready.message);
    }
}

#[test]
fn a_fault_that_healed_in_the_tests_does_not_fail_them() {
    let (mut release, mut world) = (release(), World::new());
    walk_until(&mut release, &mut world, Phase::Test);
    world.faults = 1;
    walk(&mut release, &mut world, &|_| false);
    assert_eq!(release.status.unwrap().result, ReleaseResult::Succeeded);
}

#[test]
fn a_fault_that_ends_the_tests_stops_their_runs() {
    let (mut release, mut world) = (release(), World::new());
    walk_until(&mut release, &mut world, Phase::Test);
    world.faults = 3;
    walk(&mut release, &mut world, &|_| false);
    assert!(world.effects.contains(&Effect::Stop(Phase::Test)));
    assert_eq!(find(&release.status.unwrap().conditions, READY).unwrap().reason, "WorkspaceUnreachable");
}

#[test]
fn what_comes_from_outside_is_cut_to_what_the_schema_takes() {
    let (mut release, mut world) = (release(), World::new());
    walk_until(&mut release, &mut world, Phase::Deploy);
    let wordy = Outcome::Trouble(Trouble::lasting(Reason::DeployFailed, "é".repeat(10_000)));
    let observed = Observed { outcome: Some(wordy), view: View::Nothing, newer: None };
    let Decision::Record(status) = decide(&release, &observed, world.now) else { panic!("it is written down") };
    release.status = Some(*status);
    walk(&mut release, &mut world, &|_| false);
    let status = release.status.unwrap();
    assert!(status.phases.iter().all(|phase| phase.message.chars().count() <= 4096));
}

#[test]
fn a_wheel_that_failed_to_install_once_gets_another_try() {
    let (mut release, mut world) = (release(), World::new());
    world.libraries = vec![installed(WHEEL, InstallState::Failed)];
    walk(&mut release, &mut world, &|_| false);
    assert_eq!(release.status.unwrap().result, ReleaseResult::Succeeded);
    assert_eq!(world.restarts, 1);
}

#[test]
fn a_release_canceled_while_suspended_ends() {
    let (mut release, mut world) = (release(), World::new());
    (release.spec.suspend, release.spec.cancel) = (true, true);
    walk(&mut release, &mut world, &|_| false);
    assert_eq!(release.status.unwrap().result, ReleaseResult::Canceled);
}

/// Walks until `phase` runs.
fn walk_until(release: &mut DatabricksRelease, world: &mut World, phase: Phase) {
    let mut outcome = None;
    for _ in 0..100 {
        let status = release.status.clone().unwrap_or_default();
        if current(&status).is_some_and(|current| current.name == phase && current.state == PhaseState::Running) {
            return;
        }
        let view = world.view(release, outcome.as_ref());
        let observed = Observed { outcome: outcome.take(), view, newer: None };
        match decide(release, &observed, world.now) {
            Decision::Record(status) => release.status = Some(*status),
            Decision::Act(effect) => {
                outcome = Some(world.act(&effect));
                release.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
            }
            Decision::Wait(_) => world.now += 1.seconds(),
            Decision::Done => break,
        }
    }
    panic!("{phase} was not reached");
}

#[test]
fn cancel_stops_the_work_and_skips_the_rest() {
    let (mut release, mut world) = (release(), World::new());
    walk_until(&mut release, &mut world, Phase::Test);
    release.spec.cancel = true;
    walk(&mut release, &mut world, &|_| false);
    assert!(world.effects.contains(&Effect::Stop(Phase::Test)));
    let status = release.status.as_ref().unwrap();
    assert_eq!(status.result, ReleaseResult::Canceled);
    assert_eq!(find(&status.conditions, READY).unwrap().reason, "Canceled");
}

#[test]
fn a_phase_over_its_timeout_is_stopped() {
    let (mut release, mut world) = (release(), World::new());
    release.spec.timeouts.test = GoDuration::from_secs(60);
    walk_until(&mut release, &mut world, Phase::Test);
    world.now += 61.seconds();
    walk(&mut release, &mut world, &|_| false);
    assert_eq!(release.status.as_ref().unwrap().result, ReleaseResult::TimedOut);
    assert_eq!(state(&release, Phase::Test), PhaseState::TimedOut);
}

#[test]
fn a_suspended_release_waits_and_goes_on() {
    let (mut release, mut world) = (release(), World::new());
    release.spec.suspend = true;
    release.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
    let seen = Observed { outcome: None, view: View::Nothing, newer: None };
    let Decision::Record(status) = decide(&release, &seen, world.now) else { panic!("it says that it waits") };
    assert_eq!(status.state, ReleaseState::Waiting);
    release.status = Some(*status);
    assert_eq!(decide(&release, &seen, world.now), Decision::Wait(None));
    release.spec.suspend = false;
    walk(&mut release, &mut world, &|_| false);
    assert_eq!(release.status.unwrap().result, ReleaseResult::Succeeded);
}

#[test]
fn without_a_workspace_the_road_ends_after_the_build() {
    let (mut release, mut world) = (release(), World::new());
    release.spec.workspace_ref = None;
    walk(&mut release, &mut world, &|_| false);
    assert_eq!(release.status.as_ref().unwrap().result, ReleaseResult::Succeeded);
    assert_eq!(state(&release, Phase::Deploy), PhaseState::Skipped);
}

#[test]
fn work_that_does_not_stop_in_its_grace_is_named_and_keeps_the_locks() {
    let (mut release, mut world) = (release(), World::new());
    walk_until(&mut release, &mut world, Phase::Test);
    release.spec.cancel = true;
    world.alive = vec!["run 100 (RUNNING)".to_owned()];
    let began = world.now;
    walk(&mut release, &mut world, &|_| false);
    let status = release.status.as_ref().unwrap();
    let ready = find(&status.conditions, READY).unwrap();
    assert_eq!((status.result, ready.reason.as_str()), (ReleaseResult::Failed, "CancelTimedOut"));
    assert!(ready.message.contains("run 100 (RUNNING)") && ready.message.contains("1m"), "{}", ready.message);
    assert!(world.now.duration_since(began).as_secs() >= 60, "the grace was given");
    assert!(!status.locks.is_empty() && status.locks.iter().all(|lock| lock.kept));
    assert!(world.effects.contains(&Effect::Finish(finish::Effect::Unlock { keep: true })));
    let asked = world.effects.iter().filter(|effect| **effect == Effect::Stop(Phase::Test)).count();
    assert_eq!(asked, 1, "what was asked to stop is then only watched");
}

#[test]
fn a_deleted_release_stops_its_work_and_is_let_go() {
    let (mut release, mut world) = (release(), World::new());
    walk_until(&mut release, &mut world, Phase::Test);
    release.metadata.deletion_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(world.now));
    walk(&mut release, &mut world, &|_| false);
    assert!(world.effects.contains(&Effect::Stop(Phase::Test)));
    assert!(world.effects.contains(&Effect::Finish(finish::Effect::Settle)));
    assert_eq!(release.status.as_ref().unwrap().result, ReleaseResult::Canceled);
}

#[test]
fn a_release_waits_for_its_turn_and_for_its_locks_and_the_wait_is_no_work() {
    let (mut release, mut world) = (release(), World::new());
    (world.others, release.spec.timeouts.release) = ((0, 3), GoDuration::from_secs(4 * 3600));
    walk(&mut release, &mut world, &|_| false);
    let status = release.status.as_ref().unwrap();
    assert_eq!((status.result, &status.waiting), (ReleaseResult::Succeeded, &None));
    assert!(status.locks.is_empty(), "they were given back");
    let (whole, active) = (status.duration.unwrap().as_secs(), status.active_seconds.unwrap());
    assert!(active < whole, "{active} s of work in {whole} s");
}

#[test]
fn a_release_that_waits_for_too_long_ends() {
    for (others, phase) in [((u32::MAX, 0), Phase::Build), ((0, u32::MAX), Phase::Deploy)] {
        let (mut release, mut world) = (release(), World::new());
        world.others = others;
        walk(&mut release, &mut world, &|_| false);
        assert_eq!(state(&release, phase), PhaseState::TimedOut);
        let status = release.status.unwrap();
        assert_eq!(status.result, ReleaseResult::TimedOut);
        assert_eq!(status.start_time.is_some(), phase == Phase::Deploy, "it starts when a phase does");
    }
}

#[test]
fn what_a_gate_says_ends_the_release_in_its_words() {
    let rejected = gate::Verdict::Rejected("rejected by ana@example.com: not on a Friday".into());
    let cases: [(gate::View, ReleaseResult, &str); 4] = [
        (
            gate::View { refusal: Some((Reason::NotAuthorized, "branch main".into())), ..gate::View::default() },
            ReleaseResult::Failed,
            "NotAuthorized",
        ),
        (
            gate::View { newer_deployed: Some("dbxdemo-b".into()), ..gate::View::default() },
            ReleaseResult::Skipped,
            "OutOfDate",
        ),
        (
            gate::View {
                approvals: gate::Approvals { verdict: rejected, ..gate::Approvals::default() },
                ..gate::View::default()
            },
            ReleaseResult::Canceled,
            "Rejected",
        ),
        (
            gate::View {
                approvals: gate::Approvals {
                    verdict: gate::Verdict::TimedOut("nobody approved it in time".into()),
                    ..gate::Approvals::default()
                },
                ..gate::View::default()
            },
            ReleaseResult::TimedOut,
            "TimedOut",
        ),
    ];
    for (gate, result, reason) in cases {
        let (mut release, mut world) = (release(), World::new());
        world.gate = gate;
        walk(&mut release, &mut world, &|_| false);
        let status = release.status.as_ref().unwrap();
        let ready = find(&status.conditions, READY).unwrap();
        assert_eq!((status.result, ready.reason.as_str()), (result, reason));
        assert!(
            !world.effects.iter().any(|effect| matches!(effect, Effect::Deploy(_))),
            "{reason}: nothing was deployed"
        );
    }
}

proptest! {
    /// A crash after any effects changes nothing but how often harmless ones are done: the verdict is the same, the
    /// cluster is restarted once, and every effect was asked for with its ticket written.
    #[test]
    fn a_crash_at_any_point_changes_no_verdict(crashes in proptest::collection::btree_set(1_usize..40, 0..6), failing: bool) {
        let (mut release, mut world) = (release(), World::new());
        world.failing = failing.then_some(1);
        walk(&mut release, &mut world, &|effect| crashes.contains(&effect));
        let status = release.status.as_ref().unwrap();
        let expected = if failing { ReleaseResult::Failed } else { ReleaseResult::Succeeded };
        prop_assert_eq!(status.result, expected);
        prop_assert_eq!(world.restarts, 1);
        prop_assert_eq!(status.tests.summary.as_str(), if failing { "2/3" } else { "3/3" });
    }

    /// Whatever the outside answers, a release ends, and kstatus' rules hold after every write.
    #[test]
    fn every_release_ends(faults in 0_u32..12, notebooks in 0_usize..6, failing in proptest::option::of(0_usize..6)) {
        let (mut release, mut world) = (release(), World::new());
        (world.faults, world.notebooks, world.failing) = (faults, notebooks, failing);
        walk(&mut release, &mut world, &|_| false);
        prop_assert_ne!(release.status.unwrap().result, ReleaseResult::None);
    }
}
