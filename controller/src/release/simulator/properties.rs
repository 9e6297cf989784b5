//! What holds whatever happens: several kills in one run, clocks that jump, and decisions on anything at all.

use brickline_crds::{
    Build as BuildSpec, BuildJobStatus, BundleTicket, DatabricksRelease, DatabricksReleaseStatus, FirstFailure,
    GoDuration, Operate, Phase, PhaseState, PhaseStatus, Reason, ReleaseState, RestartTicket, RunTicket, Stopping,
    TestCounts, Ticket,
};
use jiff::{SignedDuration, Timestamp, ToSpan};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use strum::IntoEnumIterator;

use super::super::decide::{Decision, Observed, decide};
use super::clusters::{CLUSTER, OLD_WHEEL, WHEEL, installed};
use super::databricks::Behaviour;
use super::jobs::{Build, handed_in};
use super::kill::{Kill, REPEATED, Side};
use super::promises::{self, Verdict};
use super::run::{Cache, run};
use super::scenarios::{self, release, unavailable};
use super::script::Script;
use super::{rules, scenarios::at_databricks};
use crate::databricks::clusters::ClusterState;
use crate::databricks::libraries::{InstallState, Library};
use crate::databricks::runs::{LifeCycle, Run, RunResult, RunState};
use crate::phase::{Outcome, Trouble, View, begin, build, deploy, gate, install, job, operate, test};
use crate::queue::{Newer, Slots};

const NOON: &str = "2026-11-21T12:00:00Z";

fn cache() -> impl Strategy<Value = Cache> {
    select(vec![Cache::Fresh, Cache::LagsAtStart, Cache::Lags])
}

fn kills() -> impl Strategy<Value = Vec<Kill>> {
    let kill = (0..60_usize, any::<bool>());
    proptest::collection::vec(kill, 0..6).prop_map(|kills| {
        kills
            .into_iter()
            .map(|(at, before)| Kill { at, side: if before { Side::Before } else { Side::After } })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However often and wherever it is killed: the same verdict, and every promise kept.
    #[test]
    fn several_kills_change_no_verdict(which: Index, kills in kills(), cache in cache()) {
        let scenarios = scenarios::all();
        let scenario = which.get(&scenarios);
        let undisturbed = run(&scenario.release, scenario.script.clone(), &[], Cache::Fresh);
        let disturbed = run(&scenario.release, scenario.script.clone(), &kills, cache);
        let usual = undisturbed.effects().count();
        let lagging = if cache == Cache::Lags { usual } else { 0 };
        let most = usual + REPEATED * disturbed.outside.killed + lagging;
        let broken = promises::broken(&disturbed, most, &Verdict::of(&undisturbed));
        prop_assert!(broken.is_empty(), "{}: {broken:?}", scenario.name);
    }

    /// Whatever the outside answers and the clock does, a release ends, with every rule kept at every write.
    #[test]
    fn every_release_ends(
        script in script(),
        kills in kills(),
        cache in cache(),
    ) {
        let ended = run(&impatient(), script, &kills, cache);
        prop_assert!(ended.outside.problems.is_empty(), "{:?}", ended.outside.problems);
    }
}

/// Defect: verdicts that depend on the controller's clock. It is an hour ahead of everybody else's, or behind.
#[test]
fn a_controller_clock_one_hour_off_changes_no_verdict() {
    for scenario in scenarios::all() {
        let ended = |hours| {
            let skew = SignedDuration::from_hours(hours);
            let ended = run(&scenario.release, Script { skew, ..scenario.script.clone() }, &[], Cache::Fresh);
            assert!(ended.outside.problems.is_empty(), "{}: {:?}", scenario.name, ended.outside.problems);
            Verdict::of(&ended)
        };
        let right = ended(0);
        for hours in [-1, 1] {
            assert_eq!(ended(hours), right, "{}, {hours} h off", scenario.name);
        }
    }
}

/// Long timeouts would only make more looks.
fn impatient() -> DatabricksRelease {
    let mut release = release();
    let (timeouts, limit) = (&mut release.spec.timeouts, GoDuration::from_secs(60));
    (timeouts.build, timeouts.deploy, timeouts.install, timeouts.test) = (limit, limit, limit, limit);
    timeouts.operate = limit;
    release.spec.operate = Operate { jobs: scenarios::jobs::jobs(), prune: true, ..Operate::default() };
    release
}

fn script() -> impl Strategy<Value = Script> {
    let builds =
        vec![Build::Succeeds, Build::Fails, Build::LeavesNothing, Build::IsLost(1), Build::IsLost(9), Build::Hangs];
    let notebook = || proptest::option::of(0..6_u32);
    let hangs = proptest::option::of(select(vec![Phase::Deploy, Phase::Install, Phase::Test, Phase::Operate]));
    let behaviour = (0..6_u32, notebook(), notebook(), hangs, any::<bool>());
    let jumps = proptest::collection::vec((0..60_usize, -600..6_000_i64), 0..4);
    (select(builds), behaviour, jumps, 0..12_u32, any::<bool>(), 0..9_u32).prop_map(
        |(build, (notebooks, failing, slow, hangs, install_fails), jumps, faults, forge_is_down, lost_writes)| Script {
            build,
            databricks: Behaviour { notebooks, failing, slow, hangs, install_fails, ..Behaviour::default() },
            jumps: jumps.into_iter().map(|(at, by)| (at, SignedDuration::from_secs(by))).collect(),
            faults: vec![unavailable(faults, false, at_databricks)],
            forge_is_down,
            lost_writes,
            ..Script::default()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    /// No panic, no illegal transition, and what is over stays over, whatever stands in the status and is seen outside.
    #[test]
    fn every_decision_is_legal(release in any_release(), observed in any_observed(), at in -1_000_000..1_000_000_i64) {
        let now = NOON.parse::<Timestamp>().unwrap() + at.seconds();
        let before = release.status.clone().unwrap_or_default();
        match decide(&release, &observed, now) {
            Decision::Done => prop_assert_eq!(before.state, ReleaseState::Finished),
            Decision::Record(after) => {
                prop_assert_ne!(before.state, ReleaseState::Finished);
                let broken = rules::transitions(&before, &after);
                prop_assert!(broken.is_empty(), "{broken:?}");
                let broken = rules::conditions(&after, release.metadata.generation.unwrap_or_default());
                prop_assert!(broken.is_empty(), "{broken:?}");
            }
            Decision::Act(_) | Decision::Wait(_) => prop_assert_ne!(before.state, ReleaseState::Finished),
        }
        prop_assert_eq!(decide(&release, &observed, now), decide(&release, &observed, now));
    }
}

fn any_release() -> impl Strategy<Value = DatabricksRelease> {
    let spec = (any::<[bool; 5]>(), 0..4_u32, 0..3_usize);
    (spec, proptest::option::weighted(0.95, any_status())).prop_map(|((flags, limit, clusters), status)| {
        let mut release = release();
        let [cancel, suspend, workspace, notebooks, starts] = flags;
        (release.spec.cancel, release.spec.suspend) = (cancel, suspend);
        release.spec.retries.limit = limit;
        release.spec.install.clusters = vec!["main".to_owned(); clusters];
        release.spec.install.start_if_terminated = starts;
        release.spec.timeouts.test = GoDuration::from_secs(60);
        if !notebooks {
            release.spec.operate = Operate { jobs: scenarios::jobs::jobs(), prune: starts, ..Operate::default() };
        }
        if workspace {
            release.spec.workspace_ref = None;
        }
        if starts != suspend {
            release.spec.build = scenarios::building::build();
        }
        if notebooks {
            release.spec.test.notebooks.clear();
        }
        release.metadata.generation = Some(2);
        release.metadata.uid = Some("uid".to_owned());
        release.status = status;
        release
    })
}

/// A status as the road leaves it: what is over, one phase under way or next, and what is still to come.
fn any_status() -> impl Strategy<Value = DatabricksReleaseStatus> {
    let states = vec![ReleaseState::Waiting, ReleaseState::Running, ReleaseState::Finishing, ReleaseState::Finished];
    let phases = proptest::collection::vec(any_phase(), 5);
    (select(states), phases, 0..6_usize, proptest::option::of(select(vec!["pending", "success"]))).prop_map(
        |(state, mut phases, at, reported)| {
            for (index, (phase, name)) in phases.iter_mut().zip(Phase::iter()).enumerate() {
                phase.name = name;
                let over = phase.state.is_terminal();
                phase.state = match index {
                    _ if index < at && !over => PhaseState::Succeeded,
                    _ if index == at && over => PhaseState::Running,
                    _ => phase.state,
                };
                if index > at || phase.state == PhaseState::Pending {
                    *phase = PhaseStatus::pending(name);
                }
            }
            DatabricksReleaseStatus {
                state,
                phases,
                start_time: Some(time(0)),
                completion_time: (state == ReleaseState::Finished).then(|| time(100)),
                reported: reported.map(str::to_owned),
                ..DatabricksReleaseStatus::default()
            }
        },
    )
}

fn time(at: i64) -> Time {
    Time(NOON.parse::<Timestamp>().unwrap() + at.seconds())
}

fn any_phase() -> impl Strategy<Value = PhaseStatus> {
    let state = select(PhaseState::iter().collect::<Vec<_>>());
    let times = (any_time(), any_time());
    let stops = proptest::option::weighted(0.3, any::<bool>());
    (state, 0..5_u32, 0..5_u32, times, any_ticket(), stops, any_lines()).prop_map(
        |(state, attempts, faults, (start_time, retry_at), ticket, stops, jobs)| PhaseStatus {
            jobs,
            state,
            attempts,
            faults,
            start_time,
            retry_at,
            ticket,
            stopping: stops.map(stopping),
            ..PhaseStatus::pending(Phase::Build)
        },
    )
}

/// The jobs of a build, or none.
fn any_lines() -> impl Strategy<Value = Vec<BuildJobStatus>> {
    let states = proptest::collection::vec((select(PhaseState::iter().collect::<Vec<_>>()), 0..4_u32), 4);
    proptest::option::of(states).prop_map(|states| {
        let names = [BuildSpec::ARTIFACT, "lint", "unit.py310", "unit.py311"].into_iter();
        let jobs = names.zip(states.into_iter().flatten());
        jobs.map(|(name, (state, attempts))| BuildJobStatus { state, attempts, ..BuildJobStatus::pending(name) })
            .collect()
    })
}

fn stopping(asked: bool) -> Stopping {
    let since = Some(time(0));
    Stopping {
        state: PhaseState::Canceled,
        reason: Reason::Canceled,
        message: "canceled".to_owned(),
        since,
        teardown: None,
        asked,
    }
}

fn any_time() -> impl Strategy<Value = Option<Time>> {
    proptest::option::of((-500_000..500_000_i64).prop_map(time))
}

fn any_ticket() -> impl Strategy<Value = Option<Ticket>> {
    let flying = proptest::collection::vec((0..9_u32, proptest::option::of(any::<i64>())), 0..4);
    let context = proptest::option::of(select(vec!["1", "2", ""]));
    let ticket = (any::<bool>(), context, 0..9_u32, 0..9_u32, flying);
    proptest::option::of(ticket.prop_map(|(job, context, notebooks, done, flying)| {
        Ticket {
            job: job.then(|| build::job_name(&release(), BuildSpec::ARTIFACT, 1)),
            bundle: job.then(|| BundleTicket { job: deploy::bundle::job_name(&release(), 1), created: notebooks > 4 }),
            restarts: context
                .into_iter()
                .map(|context| RestartTicket {
                    cluster: CLUSTER.to_owned(),
                    context_before: context.to_owned(),
                    ..RestartTicket::default()
                })
                .collect(),
            notebooks,
            done,
            in_flight: flying
                .into_iter()
                .map(|(index, run_id)| RunTicket { index, run_id, ..RunTicket::default() })
                .collect(),
            ..Ticket::default()
        }
    }))
}

fn any_observed() -> impl Strategy<Value = Observed> {
    (proptest::option::of(any_outcome()), any_view(), any_newer()).prop_map(|(outcome, view, newer)| Observed {
        outcome,
        view,
        newer,
    })
}

fn any_trouble() -> impl Strategy<Value = Trouble> {
    let reasons = vec![Reason::WorkspaceUnreachable, Reason::DeployFailed, Reason::Suspended, Reason::InternalError];
    (select(reasons), ".{0,40}", any::<bool>()).prop_map(|(reason, message, transient)| Trouble {
        reason,
        message,
        transient,
    })
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Done),
        Just(Outcome::Unlocked),
        any::<bool>().prop_map(|sent| Outcome::Told { sent }),
        ".{0,12}".prop_map(|run| Outcome::Resolved(Box::new(begin::Resolved { run, ..begin::Resolved::default() }))),
        select(passages()).prop_map(Outcome::Gate),
        any_changes().prop_map(|changes| Outcome::Operated { jobs: changes.keep.clone(), changes }),
        Just(Outcome::Deployed(deploy::Deployed::default())),
        Just(Outcome::Planned(deploy::Planned::default())),
        Just(Outcome::Read),
        any_slots().prop_map(Outcome::Slots),
        (0..9_u32, any::<i64>()).prop_map(|(index, run_id)| Outcome::Submitted { index, run_id }),
        (0..9_u32, any_collected()).prop_map(|(index, one)| Outcome::Collected { index, collected: Box::new(one) }),
        ".{0,40}".prop_map(|uri| Outcome::Published { uri }),
        any_trouble().prop_map(Outcome::Trouble),
    ]
}

fn any_slots() -> impl Strategy<Value = Slots> {
    let names = vec![BuildSpec::ARTIFACT, "lint", "unit.py311", "nobody's"];
    let granted = proptest::collection::vec(select(names).prop_map(str::to_owned), 0..4);
    (granted, proptest::option::of(".{0,20}")).prop_map(|(granted, waiting)| Slots { granted, waiting })
}

fn any_collected() -> impl Strategy<Value = test::Collected> {
    (0..9_u32, ".{0,40}", any::<bool>()).prop_map(|(failed, message, fails)| test::Collected {
        counts: TestCounts { total: 9, passed: 9 - failed, failed, skipped: 0 },
        failures: vec![FirstFailure { name: message.clone(), message: message.clone(), page: None }; failed as usize],
        verdict: fails.then_some((Reason::InnerTestsFailed, message)),
    })
}

fn any_view() -> impl Strategy<Value = View> {
    prop_oneof![
        Just(View::Nothing),
        any_gate().prop_map(|view| View::Gate(Box::new(view))),
        proptest::collection::vec(".{0,9}", 0..3).prop_map(View::Alive),
        any_ebb().prop_map(View::Ebb),
        any_trouble().prop_map(View::Trouble),
        any_build().prop_map(|view| View::Build(Box::new(view))),
        proptest::option::of(any_bundle()).prop_map(View::Deploy),
        any_cluster().prop_map(View::Install),
        any_runs().prop_map(View::Test),
        any_jobs().prop_map(View::Operate),
    ]
}

fn any_ebb() -> impl Strategy<Value = test::Ebb> {
    let run = proptest::option::of((any::<i64>(), Just(test::Sight::Gone)));
    let owed = (0..9_u32, run).prop_map(|(index, run)| test::Owed { index, run });
    (proptest::collection::vec(".{0,9}", 0..3), proptest::option::of(owed), any::<bool>())
        .prop_map(|(alive, teardown, place)| test::Ebb { alive, teardown, place })
}

fn passages() -> Vec<gate::Passage> {
    use gate::Passage;
    let held = |leftover| Passage::Held { message: "held by data/other".to_owned(), leftover };
    let no_turn = Passage::NoTurn("one at a time".to_owned());
    vec![Passage::Turn, no_turn, Passage::Aside, Passage::Locked, held(true), held(false)]
}

fn any_newer() -> impl Strategy<Value = Option<Newer>> {
    let flags = any::<[bool; 3]>();
    proptest::option::weighted(
        0.2,
        flags.prop_map(|[supersedes, after_deploy, has_artifact]| Newer {
            name: "dbxdemo-newer".to_owned(),
            supersedes,
            after_deploy,
            has_artifact,
        }),
    )
}

fn any_gate() -> impl Strategy<Value = gate::View> {
    let until = any_time().prop_map(|time| time.map(|time| time.0));
    let verdicts = vec![
        gate::Verdict::Approved,
        gate::Verdict::Waiting { message: "of 1 approval".to_owned(), until: time(60).0 },
        gate::Verdict::Rejected("no".to_owned()),
        gate::Verdict::TimedOut("too late".to_owned()),
    ];
    (any::<[bool; 3]>(), select(verdicts), until).prop_map(|([refused, newer, locks], verdict, closed_until)| {
        gate::View {
            refusal: refused.then(|| (Reason::NotAuthorized, "may not".to_owned())),
            newer_deployed: newer.then(|| "dbxdemo-newer".to_owned()),
            approvals: gate::Approvals { verdict, ..gate::Approvals::default() },
            closed_until,
            locks: if locks { super::locks::wanted() } else { std::collections::BTreeSet::new() },
        }
    })
}

fn any_job() -> impl Strategy<Value = job::State> {
    let failed = ".{0,20}".prop_map(|reason| job::State::Failed { reason, message: "failed".to_owned() });
    prop_oneof![Just(job::State::Missing), Just(job::State::Active), Just(job::State::Complete), failed]
}

fn any_bundle() -> impl Strategy<Value = deploy::bundle::View> {
    use deploy::bundle::{Ended, Pod, View};
    let ended = (any::<i32>(), ".{0,20}", ".{0,40}").prop_map(|(exit_code, why, said)| Ended { exit_code, why, said });
    let ended = (proptest::option::of(ended.clone()), proptest::option::of(ended));
    let words = (proptest::option::of(".{0,20}"), proptest::option::of(".{0,20}"));
    let pod = (any::<bool>(), ended, words).prop_map(|(alive, (fetch, bundle), (waiting, disrupted))| Pod {
        alive,
        waiting,
        fetch,
        bundle,
        disrupted,
    });
    (any_job(), proptest::option::of(pod)).prop_map(|(job, pod)| View { job, pod })
}

fn any_build() -> impl Strategy<Value = build::View> {
    let look = || proptest::option::weighted(0.8, any_look());
    let names = [BuildSpec::ARTIFACT, "lint", "unit.py310", "unit.py311"];
    (look(), look(), look(), look()).prop_map(move |(a, b, c, d)| {
        let looks = names.into_iter().zip([a, b, c, d]).filter_map(|(name, look)| Some((name.to_owned(), look?)));
        build::View(looks.collect())
    })
}

fn any_look() -> impl Strategy<Value = build::Look> {
    let results =
        [Build::Succeeds, Build::Fails, Build::TestsFail, Build::LeavesNothing].map(|build| handed_in(build, 0));
    let pod = (proptest::option::of(".{0,20}"), proptest::option::of(".{0,20}"));
    (any_job(), select(results.to_vec()), proptest::option::of(pod)).prop_map(|(job, result, pod)| build::Look {
        job,
        result,
        pod: pod.map(|(waiting, disrupted)| build::Pod { waiting, disrupted, ..build::Pod::default() }),
    })
}

fn any_cluster() -> impl Strategy<Value = install::View> {
    let states = vec![
        ClusterState::Pending,
        ClusterState::Running,
        ClusterState::Restarting,
        ClusterState::Terminated,
        ClusterState::Error,
        ClusterState::Unknown,
    ];
    let installs =
        vec![InstallState::Installed, InstallState::Failed, InstallState::UninstallOnRestart, InstallState::Unknown];
    let library = (select(vec![WHEEL, OLD_WHEEL, "not a wheel"]), select(installs));
    let libraries = proptest::collection::vec(library, 0..4);
    (select(states), select(vec!["1", "2", ""]), libraries, 0..3_usize).prop_map(
        |(state, context, libraries, count)| {
            let cluster = install::Cluster {
                id: CLUSTER.to_owned(),
                state,
                message: String::new(),
                context: context.to_owned(),
                runtime: String::new(),
                libraries: libraries.into_iter().map(|(path, state)| installed(path, state)).collect(),
            };
            let desired = vec![Library::Whl(WHEEL.to_owned())];
            install::View { desired, clusters: vec![cluster; count], runs: Vec::new() }
        },
    )
}

fn any_changes() -> impl Strategy<Value = operate::Changes> {
    let known = |name: &str, id| operate::Operated { name: name.to_owned(), id };
    let jobs = (select(vec!["nightly", "hourly", "other"]), any::<i64>(), any::<bool>());
    proptest::collection::vec(jobs, 0..4).prop_map(move |jobs| operate::Changes {
        keep: jobs.iter().filter(|(.., right)| *right).map(|(name, id, _)| known(name, *id)).collect(),
        create: jobs.iter().filter(|(.., right)| !right).map(|(name, ..)| (*name).to_owned()).collect(),
        ..operate::Changes::default()
    })
}

fn any_jobs() -> impl Strategy<Value = operate::View> {
    let text = || select(vec!["nightly", "hourly", "other", ""]);
    let found = proptest::collection::vec((any::<i64>(), text(), text(), text(), any::<i64>()), 0..5);
    let wanted = proptest::collection::vec((text(), text()), 0..3);
    (wanted, found).prop_map(|(wanted, found)| operate::View {
        wanted: wanted
            .into_iter()
            .map(|(key, digest)| operate::Wanted {
                name: key.to_owned(),
                key: key.to_owned(),
                digest: digest.to_owned(),
            })
            .collect(),
        found: found
            .into_iter()
            .map(|(id, key, digest, creator, created)| {
                let [key, digest, creator] = [key, digest, creator].map(str::to_owned);
                operate::Found { id, key, digest, creator, created }
            })
            .collect(),
        us: "other".to_owned(),
    })
}

fn any_runs() -> impl Strategy<Value = test::View> {
    let cycles = vec![LifeCycle::Running, LifeCycle::Terminated, LifeCycle::InternalError, LifeCycle::Unknown];
    let results = vec![None, Some(RunResult::Success), Some(RunResult::Failed), Some(RunResult::Unknown)];
    let runs = proptest::collection::btree_map(0..9_u32, (any::<i64>(), select(cycles), select(results)), 0..4);
    (0..9_usize, any::<bool>(), runs).prop_map(|(notebooks, place, runs)| {
        let item = test::samples::notebook("notebooks/one.py");
        let run = |(index, (run_id, life_cycle_state, result_state))| {
            let state = RunState { life_cycle_state, result_state, ..RunState::default() };
            (index, test::Sight::Run(Box::new(Run { run_id, state, ..Run::default() })))
        };
        test::View { items: vec![item; notebooks], place, runs: runs.into_iter().map(run).collect() }
    })
}
