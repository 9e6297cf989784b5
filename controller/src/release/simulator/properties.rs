//! What holds whatever happens: several kills in one run, clocks that jump, and decisions on anything at all.

mod looks;
mod releases;
mod specs;
mod statuses;
mod tickets;

use brickline_crds::{DatabricksRelease, GoDuration, Operate, Phase, Reason, ReleaseState, WaitLimits};
use jiff::{SignedDuration, Timestamp, ToSpan};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::super::decide::{Decision, Observed, decide};
use super::databricks::Behaviour;
use super::jobs::Build;
use super::kill::{Kill, REPEATED, Side};
use super::promises::{self, Verdict};
use super::run::{Cache, run};
use super::scenarios::{self, release, unavailable};
use super::script::{Fault, Script};
use super::{rules, scenarios::at_databricks};
use crate::phase::{Effect, Trouble, finish};
use looks::{any_observed, counted};
use releases::{any_release, any_release_at_all};

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
        prop_assert_eq!(promises::locks(&ended), None);
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
    release.spec.waiting = WaitLimits { slot: limit, cluster: limit, dependency: limit, window: limit };
    release.spec.operate = Operate { jobs: scenarios::jobs::jobs(), prune: true, ..Operate::default() };
    release
}

/// Mostly none; else what never heals at a gate, or one thing after the other.
fn any_hindrances() -> impl Strategy<Value = Vec<Trouble>> {
    let reasons = [Reason::DependencyNotReady, Reason::NotAuthorized, Reason::InternalError, Reason::Suspended];
    let reasons = [reasons.as_slice(), &[Reason::AuthenticationFailed, Reason::WorkspaceUnreachable]].concat();
    let trouble = select(reasons).prop_map(|reason| Trouble::passing(reason, "no"));
    prop_oneof![3 => Just(Vec::new()), 1 => proptest::collection::vec(trouble, 1..4)]
}

fn script() -> impl Strategy<Value = Script> {
    let builds =
        vec![Build::Succeeds, Build::Fails, Build::LeavesNothing, Build::IsLost(1), Build::IsLost(9), Build::Hangs];
    let jumps = proptest::collection::vec((0..60_usize, -600..6_000_i64), 0..4);
    let lost = (0..9_u32, proptest::collection::vec(1..40_usize, 0..6));
    (select(builds), any_behaviour(), jumps, any_faults(), any_hindrances(), any::<bool>(), lost).prop_map(
        |(build, databricks, jumps, faults, hindrances, forge_is_down, (lost_writes, lost_on_the_way))| Script {
            build,
            hindrances,
            databricks,
            jumps: jumps.into_iter().map(|(at, by)| (at, SignedDuration::from_secs(by))).collect(),
            faults,
            forge_is_down,
            lost_writes,
            lost_on_the_way,
            ..Script::default()
        },
    )
}

fn any_behaviour() -> impl Strategy<Value = Behaviour> {
    let notebook = || proptest::option::of(0..6_u32);
    let hangs = proptest::option::of(select(vec![Phase::Deploy, Phase::Install, Phase::Test, Phase::Operate]));
    (0..6_u32, notebook(), notebook(), hangs, any::<bool>()).prop_map(
        |(notebooks, failing, slow, hangs, install_fails)| Behaviour {
            notebooks,
            failing,
            slow,
            hangs,
            install_fails,
            ..Behaviour::default()
        },
    )
}

/// At Databricks, and of what is owed at the end: a call fails, or only its answer is lost; one day it no longer does.
fn any_faults() -> impl Strategy<Value = Vec<Fault>> {
    let at_the_end: [fn(&Effect) -> bool; 3] = [
        |effect| matches!(effect, Effect::Finish(finish::Effect::Unlock { .. })),
        |effect| matches!(effect, Effect::Finish(finish::Effect::Report(_))),
        |effect| matches!(effect, Effect::Finish(finish::Effect::Settle)),
    ];
    let ends = proptest::collection::vec((0..8_u32, any::<bool>()), 3);
    (0..12_u32, ends).prop_map(move |(times, ends)| {
        let ends = ends.into_iter().zip(at_the_end);
        let ends = ends.map(|((times, is_done), of)| unavailable(times, is_done, of));
        ends.chain([unavailable(times, false, at_databricks)]).collect()
    })
}

/// A release at some time, with what may be seen of it then.
fn seen(release: impl Strategy<Value = DatabricksRelease>) -> impl Strategy<Value = Seen> {
    (release, -1_000_000..1_000_000_i64, prop::bool::weighted(0.8)).prop_flat_map(|(release, at, fits)| {
        let now = NOON.parse::<Timestamp>().expect("a time") + at.seconds();
        any_observed(&release, now).prop_map(move |observed| {
            let release = release.clone();
            let release = if fits { counted(release, &observed) } else { release };
            Seen { release, observed, now }
        })
    })
}

#[derive(Clone, Debug)]
struct Seen {
    release: DatabricksRelease,
    observed: Observed,
    now: Timestamp,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    /// No panic, no illegal transition, and what is over stays over, whatever stands in the status and is seen outside.
    #[test]
    fn every_decision_is_legal(Seen { release, observed, now } in seen(any_release())) {
        let before = release.status.clone().unwrap_or_default();
        let decision = decide(&release, &observed, now);
        match &decision {
            Decision::Done => prop_assert_eq!(before.state, ReleaseState::Finished),
            Decision::Record(after) => {
                prop_assert_ne!(before.state, ReleaseState::Finished);
                let broken = rules::transitions(&before, after);
                prop_assert!(broken.is_empty(), "{broken:?}");
                let broken = rules::conditions(after, release.metadata.generation.unwrap_or_default());
                prop_assert!(broken.is_empty(), "{broken:?}");
            }
            Decision::Act(_) | Decision::Wait(_) => prop_assert_ne!(before.state, ReleaseState::Finished),
        }
        prop_assert_eq!(decide(&release, &observed, now), decision);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    /// A status that nobody here wrote may be taken for anything, but it brings the process down for no other release.
    #[test]
    fn no_status_makes_it_panic(Seen { release, observed, now } in seen(any_release_at_all())) {
        let is_over = release.status.as_ref().is_some_and(|status| status.state == ReleaseState::Finished);
        prop_assert_eq!(decide(&release, &observed, now) == Decision::Done, is_over);
    }
}
