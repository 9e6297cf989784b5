//! Anything that may be seen outside, and anything that may have become of an effect.

use brickline_crds::{Artifact, Build as BuildSpec, DatabricksRelease, FirstFailure, Issue, Phase, Reason, TestCounts};
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::select;
use strum::IntoEnumIterator;

use super::super::super::decide::Observed;
use super::super::super::observe::{Look, due};
use super::super::clusters::{CLUSTER, OLD_WHEEL, WHEEL, installed};
use super::super::jobs::{Build, handed_in};
use super::super::locks;
use super::releases::{any_time, time, words};
use super::tickets::CLUSTERS;
use crate::artifact::Fetched;
use crate::databricks::clusters::{ActiveRun, ClusterState};
use crate::databricks::libraries::{InstallState, Library};
use crate::databricks::runs::{LifeCycle, Run, RunResult, RunState};
use crate::kstatus::samples::{any_reason, any_trouble};
use crate::phase::{Outcome, View, begin, build, deploy, gate, install, job, operate, test};
use crate::queue::{Newer, Slots};

/// Mostly what the release is looked at for; else anything.
pub(super) fn any_observed(release: &DatabricksRelease, now: Timestamp) -> impl Strategy<Value = Observed> + use<> {
    let fitting = due(release, None, now).map_or_else(|| Just(View::Nothing).boxed(), any_view_of);
    let view = prop_oneof![18 => fitting, 1 => any_view(), 1 => any_trouble(words()).prop_map(View::Trouble)];
    (proptest::option::weighted(0.4, any_outcome()), view, any_newer()).prop_map(|(outcome, view, newer)| Observed {
        outcome,
        view,
        newer,
    })
}

/// The same release, which knows how many runs the look shows.
pub(super) fn counted(mut release: DatabricksRelease, observed: &Observed) -> DatabricksRelease {
    let test = release.status.as_mut().and_then(|status| status.phase_mut(Phase::Test));
    if let (View::Test(view), Some(ticket)) = (&observed.view, test.and_then(|test| test.ticket.as_mut())) {
        ticket.notebooks = u32::try_from(view.items.len()).unwrap_or(u32::MAX);
        ticket.done = ticket.done.min(ticket.notebooks);
    }
    release
}

/// What such a look shows.
fn any_view_of(look: Look) -> BoxedStrategy<View> {
    match look {
        Look::Gate(_) => any_gate().prop_map(|view| View::Gate(Box::new(view))).boxed(),
        Look::Work(phase) | Look::Plan(phase) => any_work_of(phase),
        Look::Alive(Phase::Test) => any_ebb().prop_map(View::Ebb).boxed(),
        Look::Alive(_) => any_alive().prop_map(View::Alive).boxed(),
    }
}

fn any_work_of(phase: Phase) -> BoxedStrategy<View> {
    match phase {
        Phase::Build => any_build().prop_map(|view| View::Build(Box::new(view))).boxed(),
        Phase::Deploy => proptest::option::weighted(0.8, any_bundle()).prop_map(View::Deploy).boxed(),
        Phase::Install => any_install().prop_map(View::Install).boxed(),
        Phase::Test => any_runs().prop_map(View::Test).boxed(),
        Phase::Operate => any_jobs().prop_map(View::Operate).boxed(),
    }
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Done),
        Just(Outcome::Unlocked),
        any::<bool>().prop_map(|sent| Outcome::Told { sent }),
        any_resolved().prop_map(|resolved| Outcome::Resolved(Box::new(resolved))),
        select(passages()).prop_map(Outcome::Gate),
        any_changes().prop_map(|changes| Outcome::Operated { jobs: changes.keep.clone(), changes }),
        any_deployed().prop_map(Outcome::Deployed),
        Just(Outcome::Planned(deploy::Planned::default())),
        Just(Outcome::Read),
        any_fetched().prop_map(|fetched| Outcome::Fetched(Box::new(fetched))),
        any_slots().prop_map(Outcome::Slots),
        (0..9_u32, any::<i64>()).prop_map(|(index, run_id)| Outcome::Submitted { index, run_id }),
        (0..9_u32, any_collected()).prop_map(|(index, one)| Outcome::Collected { index, collected: Box::new(one) }),
        words().prop_map(|uri| Outcome::Published { uri }),
        any_trouble(words()).prop_map(Outcome::Trouble),
    ]
}

fn any_resolved() -> impl Strategy<Value = begin::Resolved> {
    let refusal = proptest::option::of((any_reason(), words()));
    (words(), refusal).prop_map(|(run, refusal)| begin::Resolved { run, refusal, ..begin::Resolved::default() })
}

fn any_deployed() -> impl Strategy<Value = deploy::Deployed> {
    let issue = (words(), words()).prop_map(|(name, message)| Issue { reason: Reason::Drifted, name, message });
    let issues = proptest::collection::vec(issue, 0..3);
    issues.prop_map(|issues| deploy::Deployed { issues, ..deploy::Deployed::default() })
}

fn any_fetched() -> impl Strategy<Value = Fetched> {
    (words(), any::<i64>(), words()).prop_map(|(digest, size, message)| Fetched {
        artifact: Artifact { digest, size, uri: String::new() },
        message,
    })
}

fn any_slots() -> impl Strategy<Value = Slots> {
    let names = vec![BuildSpec::ARTIFACT, "lint", "unit.py311", "nobody's"];
    let granted = proptest::collection::vec(select(names).prop_map(str::to_owned), 0..4);
    (granted, proptest::option::of(words())).prop_map(|(granted, waiting)| Slots { granted, waiting })
}

fn any_collected() -> impl Strategy<Value = test::Collected> {
    (0..9_u32, words(), any::<bool>()).prop_map(|(failed, message, fails)| test::Collected {
        counts: TestCounts { total: 9, passed: 9 - failed, failed, skipped: 0 },
        failures: vec![FirstFailure { name: message.clone(), message: message.clone(), page: None }; failed as usize],
        verdict: fails.then_some((Reason::InnerTestsFailed, message)),
    })
}

fn any_view() -> impl Strategy<Value = View> {
    let kinds = gate::Kind { first: true, workspace: false };
    let work = select(Phase::iter().collect::<Vec<_>>()).prop_flat_map(any_work_of);
    let alive = select(vec![Phase::Build, Phase::Test]).prop_flat_map(|phase| any_view_of(Look::Alive(phase)));
    prop_oneof![Just(View::Nothing), any_view_of(Look::Gate(kinds)), alive, work]
}

fn any_alive() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec(words(), 0..3)
}

fn any_ebb() -> impl Strategy<Value = test::Ebb> {
    let owed = (0..9_u32, proptest::option::of((any::<i64>(), any_sight())));
    let owed = owed.prop_map(|(index, run)| test::Owed { index, run });
    (any_alive(), proptest::option::of(owed), any::<bool>()).prop_map(|(alive, teardown, place)| test::Ebb {
        alive,
        teardown,
        place,
    })
}

fn any_sight() -> impl Strategy<Value = test::Sight> {
    let cycles = vec![LifeCycle::Running, LifeCycle::Terminated, LifeCycle::InternalError, LifeCycle::Unknown];
    let results = vec![None, Some(RunResult::Success), Some(RunResult::Failed), Some(RunResult::Unknown)];
    let run = (any::<i64>(), select(cycles), select(results)).prop_map(|(run_id, life_cycle_state, result_state)| {
        let state = RunState { life_cycle_state, result_state, ..RunState::default() };
        test::Sight::Run(Box::new(Run { run_id, state, ..Run::default() }))
    });
    prop_oneof![9 => run, 1 => Just(test::Sight::Gone)]
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
        0.05,
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
            locks: if locks { locks::wanted() } else { std::collections::BTreeSet::new() },
        }
    })
}

fn any_job() -> impl Strategy<Value = job::State> {
    let failed = words().prop_map(|reason| job::State::Failed { reason, message: "failed".to_owned() });
    prop_oneof![Just(job::State::Missing), Just(job::State::Active), Just(job::State::Complete), failed]
}

fn any_bundle() -> impl Strategy<Value = deploy::bundle::View> {
    use deploy::bundle::{Ended, Pod, View};
    let ended = (any::<i32>(), words(), words()).prop_map(|(exit_code, why, said)| Ended { exit_code, why, said });
    let ended = (proptest::option::of(ended.clone()), proptest::option::of(ended));
    let words = (proptest::option::of(words()), proptest::option::of(words()));
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
    let pod = (proptest::option::of(words()), proptest::option::of(words()));
    (any_job(), select(results.to_vec()), proptest::option::of(pod)).prop_map(|(job, result, pod)| build::Look {
        job,
        result,
        pod: pod.map(|(waiting, disrupted)| build::Pod { waiting, disrupted, ..build::Pod::default() }),
    })
}

fn any_cluster() -> impl Strategy<Value = install::Cluster> {
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
    (select(states), select(vec!["1", "2", ""]), libraries, words()).prop_map(|(state, context, libraries, message)| {
        install::Cluster {
            id: CLUSTER.to_owned(),
            state,
            message,
            context: context.to_owned(),
            runtime: String::new(),
            libraries: libraries.into_iter().map(|(path, state)| installed(path, state)).collect(),
        }
    })
}

/// Up to two clusters, and whoever works on them.
fn any_install() -> impl Strategy<Value = install::View> {
    let run = proptest::sample::subsequence(CLUSTERS.to_vec(), 0..=3).prop_map(|on| ActiveRun {
        run_id: 7,
        name: "nightly".to_owned(),
        clusters: on.into_iter().map(str::to_owned).collect(),
    });
    let clusters = proptest::collection::vec(any_cluster(), 0..3);
    (clusters, proptest::collection::vec(run, 0..7), any::<bool>()).prop_map(|(mut clusters, runs, some)| {
        clusters.iter_mut().zip(CLUSTERS).for_each(|(cluster, id)| id.clone_into(&mut cluster.id));
        let desired = if some { vec![Library::Whl(WHEEL.to_owned())] } else { Vec::new() };
        install::View { desired, clusters, runs }
    })
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

/// A setup, tests, a teardown; or only some of them, or none.
fn any_runs() -> impl Strategy<Value = test::View> {
    let runs = proptest::collection::btree_map(0..9_u32, any_sight(), 0..4);
    (0..9_usize, any::<[bool; 4]>(), runs).prop_map(|(tests, [place, setup, teardown, continue_on_error], runs)| {
        let item = |role| {
            let notebook = test::samples::notebook("notebooks/one.py");
            test::Item { role, continue_on_error, ..notebook }
        };
        let mut items = vec![item(test::Role::Test); tests];
        items.splice(0..0, setup.then(|| item(test::Role::Setup)));
        items.extend(teardown.then(|| item(test::Role::Teardown)));
        test::View { items, place, runs }
    })
}
