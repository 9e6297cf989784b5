//! The scenarios: one function each, and the table that names them all. A new one is added here and is killed everywhere.

pub(super) mod building;
pub(super) mod bundles;
mod computing;
mod deploys;
mod elsewhere;
mod fixtures;
mod gated;
mod installing;
pub(super) mod jobs;
mod ways;

pub(super) use ways::changed_at_the_end;

use brickline_crds::{
    Artifact, ArtifactFrom, DatabricksRelease, DatabricksReleaseSpec, GitSource, GoDuration, LocalRef, Phase,
    PhaseState, Provider, Reason, ReleaseResult, Retries, Source,
};
use serde_json::json;

use super::clusters::{WHEEL, installed};
use super::databricks::Behaviour;
use super::jobs::Build;
use super::script::{Fault, Script, User, runs, state};
use super::world::Outside;
use crate::databricks::clusters::ClusterState;
use crate::databricks::libraries::InstallState;
use crate::phase::begin::Resolved;
use crate::phase::{Effect, Trouble, finish, install};

/// One road from a release's creation to its end.
pub(crate) struct Scenario {
    pub(super) name: &'static str,
    pub(super) release: DatabricksRelease,
    pub(super) script: Script,
    /// The result, and the reason of `Ready`.
    pub(super) ends: (ReleaseResult, Reason),
}

/// Every scenario.
pub(super) fn all() -> Vec<Scenario> {
    let mut all = vec![
        success(),
        no_restart_needed(),
        terminated_cluster(),
        build_only(),
        forge_down(),
        started_at("started at Deploy", Phase::Deploy),
        started_at("started at Install", Phase::Install),
        started_at("started at Test", Phase::Test),
        build_failed(),
        tests_failed(),
        artifact_missing(),
        machine_lost(),
        machines_lost(),
        deploy_refused(),
        credentials_rejected(),
        credentials_rejected_for_good(),
        install_failed(),
        notebook_failed(),
        too_slow(),
        faults_healed(),
        faults_that_last(),
        answers_lost(),
        api_server_away(),
        writes_unanswered(),
        canceled_before_the_begin(),
        canceled_in_build(),
        canceled_in_deploy(),
        canceled_in_install(),
        canceled_in_test(),
        timeout_in_build(),
        timeout_in_deploy(),
        timeout_in_install(),
        timeout_in_test(),
        job_deleted(),
        runs_deleted(),
        suspended_at_the_begin(),
        suspended_on_the_way(),
    ];
    all.extend(building::all());
    all.extend(bundles::all());
    all.extend(computing::all());
    all.extend(deploys::all());
    all.extend(elsewhere::all());
    all.extend(fixtures::all());
    all.extend(gated::all());
    all.extend(installing::all());
    all.extend(ways::all());
    all.extend(jobs::all());
    all
}

/// A release with all phases but Operate.
pub(crate) fn release() -> DatabricksRelease {
    let git = GitSource {
        url: "https://git.example.com/data/dbxdemo.git".into(),
        reference: "refs/heads/release".into(),
        commit: "0123456789012345678901234567890123456789".into(),
        provider: Provider::Gitea,
        credentials_ref: None,
    };
    let spec: DatabricksReleaseSpec = serde_json::from_value(json!({"source": {}})).expect("defaults");
    let spec = DatabricksReleaseSpec {
        source: Source { git: Some(git), ..Source::default() },
        workspace_ref: Some(LocalRef::new("staging")),
        retries: Retries { limit: 2, ..Retries::default() },
        ..spec
    };
    let mut release = DatabricksRelease::new("dbxdemo-0123456789ab", spec);
    release.metadata.namespace = Some("data".into());
    release
}

fn scenario(name: &'static str, ends: ReleaseResult, reason: Reason, script: Script) -> Scenario {
    Scenario { name, release: release(), script, ends: (ends, reason) }
}

fn behaving(behaviour: Behaviour) -> Script {
    Script { databricks: behaviour, ..Script::default() }
}

fn building(build: Build) -> Script {
    Script { build, ..Script::default() }
}

fn failing(fault: Fault) -> Script {
    Script { faults: vec![fault], ..Script::default() }
}

pub(super) fn success() -> Scenario {
    scenario("success", ReleaseResult::Succeeded, Reason::Succeeded, Script::default())
}

fn no_restart_needed() -> Scenario {
    let prepare = |outside: &mut Outside| {
        outside.databricks.clusters.all[0].libraries = vec![installed(WHEEL, InstallState::Installed)];
    };
    let script = Script { prepare: Some(prepare), ..Script::default() };
    scenario("success, wheel there already", ReleaseResult::Succeeded, Reason::Succeeded, script)
}

fn terminated_cluster() -> Scenario {
    let prepare = |outside: &mut Outside| outside.databricks.clusters.all[0].state = ClusterState::Terminated;
    let script = Script { prepare: Some(prepare), ..Script::default() };
    scenario("success, cluster started", ReleaseResult::Succeeded, Reason::Succeeded, script)
}

fn build_only() -> Scenario {
    let mut build_only =
        scenario("success, build only", ReleaseResult::Succeeded, Reason::Succeeded, Script::default());
    build_only.release.spec.workspace_ref = None;
    build_only
}

fn forge_down() -> Scenario {
    let script = Script { forge_is_down: true, ..Script::default() };
    scenario("success, forge down", ReleaseResult::Succeeded, Reason::Succeeded, script)
}

/// What was built before, from this phase on.
fn from(phase: Phase, mut scenario: Scenario) -> Scenario {
    let digest = brickline_artifact::Digest::of(b"zip").to_string();
    let artifact = Artifact { digest: digest.clone(), size: 3, uri: "artifacts/zip".to_owned() };
    scenario.script.resolved = Some(Resolved { artifact: Some(artifact), ..Resolved::default() });
    let from = ArtifactFrom { release: "dbxdemo-1a2b3c4d5e6f".to_owned(), digest };
    scenario.release.spec.source = Source { artifact_from: vec![from], ..Source::default() };
    scenario.release.spec.start_at = Some(phase);
    scenario
}

fn started_at(name: &'static str, phase: Phase) -> Scenario {
    from(phase, scenario(name, ReleaseResult::Succeeded, Reason::Succeeded, Script::default()))
}

fn build_failed() -> Scenario {
    scenario("build failed", ReleaseResult::Failed, Reason::BuildFailed, building(Build::Fails))
}

fn tests_failed() -> Scenario {
    scenario("tests of the build failed", ReleaseResult::Failed, Reason::TestsFailed, building(Build::TestsFail))
}

fn artifact_missing() -> Scenario {
    scenario("artifact missing", ReleaseResult::Failed, Reason::ArtifactFailed, building(Build::LeavesNothing))
}

fn machine_lost() -> Scenario {
    scenario("machine lost once", ReleaseResult::Succeeded, Reason::Succeeded, building(Build::IsLost(1)))
}

fn machines_lost() -> Scenario {
    scenario("machines lost for good", ReleaseResult::Failed, Reason::RunnerLost, building(Build::IsLost(9)))
}

fn deploy_refused() -> Scenario {
    let trouble = Trouble::lasting(Reason::DeployFailed, "the path is protected");
    let script = failing(Fault { of: |effect| matches!(effect, Effect::Deploy(_)), times: 9, trouble, is_done: false });
    scenario("deployment refused", ReleaseResult::Failed, Reason::DeployFailed, script)
}

fn rejecting(times: u32) -> Script {
    let trouble = Trouble::passing(Reason::AuthenticationFailed, "Databricks rejected the credentials");
    failing(Fault { of: |effect| matches!(effect, Effect::Test(_)), times, trouble, is_done: false })
}

/// Longer than retries would last, until somebody renews them.
fn credentials_rejected() -> Scenario {
    scenario("credentials rejected, renewed", ReleaseResult::Succeeded, Reason::Succeeded, rejecting(9))
}

fn credentials_rejected_for_good() -> Scenario {
    scenario("credentials rejected for good", ReleaseResult::TimedOut, Reason::TimedOut, rejecting(u32::MAX))
}

fn install_failed() -> Scenario {
    let script = behaving(Behaviour { install_fails: true, ..Behaviour::default() });
    scenario("install failed", ReleaseResult::Failed, Reason::InstallFailed, script)
}

fn notebook_failed() -> Scenario {
    let script = behaving(Behaviour { failing: Some(0), ..Behaviour::default() });
    scenario("notebook failed", ReleaseResult::Failed, Reason::InnerTestsFailed, script)
}

fn too_slow() -> Scenario {
    let script = behaving(Behaviour { slow: Some(1), ..Behaviour::default() });
    scenario("notebook over its duration", ReleaseResult::Failed, Reason::DurationExceeded, script)
}

/// Whatever Databricks does.
pub(super) fn at_databricks(effect: &Effect) -> bool {
    matches!(effect, Effect::Deploy(_) | Effect::Install(_) | Effect::Test(_) | Effect::Operate(_))
}

pub(super) fn unavailable(times: u32, is_done: bool, of: fn(&Effect) -> bool) -> Fault {
    Fault { of, times, trouble: Trouble::passing(Reason::WorkspaceUnreachable, "503"), is_done }
}

fn faults_healed() -> Scenario {
    let faults = vec![
        unavailable(2, false, |effect| matches!(effect, Effect::Deploy(_))),
        unavailable(2, false, |effect| matches!(effect, Effect::Install(_))),
        unavailable(2, false, |effect| matches!(effect, Effect::Test(_))),
    ];
    let script = Script { faults, ..Script::default() };
    scenario("transient faults", ReleaseResult::Succeeded, Reason::Succeeded, script)
}

fn faults_that_last() -> Scenario {
    let script = failing(unavailable(99, false, at_databricks));
    scenario("transient faults for good", ReleaseResult::Failed, Reason::WorkspaceUnreachable, script)
}

/// Each kind of call is carried out, its answer is lost on the way back, and the process lives.
fn answers_lost() -> Scenario {
    let kinds: [fn(&Effect) -> bool; 6] = [
        |effect| matches!(effect, Effect::Build(_)),
        |effect| matches!(effect, Effect::Deploy(_)),
        |effect| matches!(effect, Effect::Install(install) if restarts(install)),
        |effect| matches!(effect, Effect::Test(crate::phase::test::Effect::Submit { .. })),
        |effect| matches!(effect, Effect::Test(crate::phase::test::Effect::Publish { .. })),
        |effect| *effect == Effect::Finish(finish::Effect::Settle),
    ];
    let faults = kinds.map(|of| unavailable(1, true, of)).into();
    let script = Script { faults, ..Script::default() };
    scenario("answers lost", ReleaseResult::Succeeded, Reason::Succeeded, script)
}

fn restarts(effect: &install::Effect) -> bool {
    effect.calls.iter().any(|call| matches!(call, install::Call::Restart { .. }))
}

fn api_server_away() -> Scenario {
    let script = Script { unanswered: 30, ..Script::default() };
    scenario("API server away", ReleaseResult::Succeeded, Reason::Succeeded, script)
}

fn writes_unanswered() -> Scenario {
    let script = Script { lost_writes: 8, ..Script::default() };
    scenario("answers to writes lost", ReleaseResult::Succeeded, Reason::Succeeded, script)
}

fn cancel(outside: &mut Outside) {
    outside.change(&json!({"spec": {"cancel": true}}));
}

fn suspend(outside: &mut Outside) {
    outside.change(&json!({"spec": {"suspend": true}}));
}

fn resume(outside: &mut Outside) {
    outside.change(&json!({"spec": {"suspend": false}}));
}

fn canceled(name: &'static str, when: fn(&DatabricksRelease) -> bool, script: Script) -> Scenario {
    let script = Script { users: vec![User { when, then: cancel }], ..script };
    scenario(name, ReleaseResult::Canceled, Reason::Canceled, script)
}

fn canceled_before_the_begin() -> Scenario {
    canceled("canceled before it began", |_| true, Script::default())
}

fn canceled_in_build() -> Scenario {
    canceled("canceled in Build", |release| runs(release, Phase::Build), building(Build::Hangs))
}

fn canceled_in_deploy() -> Scenario {
    canceled("canceled in Deploy", |release| runs(release, Phase::Deploy), Script::default())
}

/// The restart is asked for, then the cluster takes its time.
fn canceled_in_install() -> Scenario {
    let script = behaving(Behaviour { hangs: Some(Phase::Install), ..Behaviour::default() });
    let restarts = |release: &DatabricksRelease| {
        let install = release.status.as_ref().and_then(|status| status.phase(Phase::Install));
        install.is_some_and(|phase| phase.message.contains("Restarting"))
    };
    canceled("canceled in Install", restarts, script)
}

fn canceled_in_test() -> Scenario {
    let script = behaving(Behaviour { hangs: Some(Phase::Test), ..Behaviour::default() });
    canceled("canceled in Test", all_submitted, script)
}

pub(super) fn all_submitted(release: &DatabricksRelease) -> bool {
    let test = release.status.as_ref().and_then(|status| status.phase(Phase::Test)).cloned();
    let flying = test.and_then(|phase| phase.ticket).unwrap_or_default().in_flight;
    flying.len() == 2 && flying.iter().all(|run| run.run_id.is_some())
}

fn timed_out(name: &'static str, script: Script) -> Scenario {
    let mut timed_out = scenario(name, ReleaseResult::TimedOut, Reason::TimedOut, script);
    let timeouts = &mut timed_out.release.spec.timeouts;
    let limit = GoDuration::from_secs(60);
    (timeouts.build, timeouts.deploy, timeouts.install, timeouts.test) = (limit, limit, limit, limit);
    timeouts.operate = limit;
    timed_out
}

fn timeout_in_build() -> Scenario {
    timed_out("timeout in Build", building(Build::Hangs))
}

fn timeout_in_deploy() -> Scenario {
    timed_out("timeout in Deploy", behaving(Behaviour { hangs: Some(Phase::Deploy), ..Behaviour::default() }))
}

fn timeout_in_install() -> Scenario {
    timed_out("timeout in Install", behaving(Behaviour { hangs: Some(Phase::Install), ..Behaviour::default() }))
}

fn timeout_in_test() -> Scenario {
    timed_out("timeout in Test", behaving(Behaviour { hangs: Some(Phase::Test), ..Behaviour::default() }))
}

fn job_deleted() -> Scenario {
    let active = |release: &DatabricksRelease| {
        let build = release.status.as_ref().and_then(|status| status.phase(Phase::Build));
        build.is_some_and(|phase| phase.state == PhaseState::Running && phase.message.ends_with("runs"))
    };
    let users = vec![User { when: active, then: |outside| outside.jobs.take_away() }];
    let script = Script { users, ..Script::default() };
    scenario("Job deleted under us", ReleaseResult::Succeeded, Reason::Succeeded, script)
}

fn runs_deleted() -> Scenario {
    let behaviour = Behaviour { hangs: Some(Phase::Test), ..Behaviour::default() };
    let users = vec![User { when: all_submitted, then: |outside| outside.databricks.delete_runs(outside.now) }];
    let script = Script { users, ..behaving(behaviour) };
    scenario("runs deleted under us", ReleaseResult::Failed, Reason::NotebookFailed, script)
}

fn suspended(name: &'static str, when: fn(&DatabricksRelease) -> bool) -> Scenario {
    let waits = |release: &DatabricksRelease| {
        release.status.as_ref().is_some_and(|status| status.state == brickline_crds::ReleaseState::Waiting)
    };
    let users = vec![User { when, then: suspend }, User { when: waits, then: resume }];
    scenario(name, ReleaseResult::Succeeded, Reason::Succeeded, Script { users, ..Script::default() })
}

fn suspended_at_the_begin() -> Scenario {
    suspended("suspended at the begin, resumed", |_| true)
}

fn suspended_on_the_way() -> Scenario {
    suspended("suspended before Install, resumed", |release| state(release, Phase::Deploy) == PhaseState::Running)
}
