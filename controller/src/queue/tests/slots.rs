//! Build slots as jobs take them: each job under way has one, each copy of a matrix counted.

use std::collections::{BTreeMap, BTreeSet};

use brickline_crds::{
    Build, BuildJobStatus, DatabricksRelease, DatabricksReleaseStatus, Phase, PhaseState, PhaseStatus,
};
use proptest::prelude::*;
use serde_json::json;

use super::super::Turn;
use super::super::account::{Account, Candidate, Limits, Slots};
use super::release;

/// A release with the artifact's job in pool `default` and `copies` of `unit` in pool `large`.
fn with_copies(n: i64, copies: usize) -> DatabricksRelease {
    let matrix: Vec<_> = (0..copies).map(|copy| json!({"name": format!("c{copy}")})).collect();
    let unit = json!({"name": "unit", "pool": "large", "steps": [{"name": "a", "run": "true"}], "strategy": {"matrix": matrix}});
    let mut release = release(n);
    release.metadata.labels = None;
    release.spec.build = serde_json::from_value::<Build>(json!({"jobs": [unit]})).unwrap();
    release
}

/// The same with these jobs under way.
fn running(mut release: DatabricksRelease, jobs: &BTreeSet<String>) -> Candidate {
    let lines = release.spec.build.planned().into_iter().map(|job| {
        let state = if jobs.contains(&job.name) { PhaseState::Running } else { PhaseState::Pending };
        BuildJobStatus { state, ..BuildJobStatus::pending(job.name) }
    });
    let jobs = lines.collect();
    let build = PhaseStatus { state: PhaseState::Running, attempts: 1, jobs, ..PhaseStatus::pending(Phase::Build) };
    release.status = Some(DatabricksReleaseStatus { phases: vec![build], ..DatabricksReleaseStatus::default() });
    Candidate::of(&release)
}

fn limits(namespace: usize, default: usize, large: usize) -> Limits {
    let pools = BTreeMap::from([("default".to_owned(), default), ("large".to_owned(), large)]);
    Limits { controller: 100, namespace, pools }
}

fn jobs(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn each_copy_takes_a_slot_of_its_pool() {
    let (mut account, line) = (Account::new(limits(100, 1, 2)), [Candidate::of(&with_copies(1, 3))]);
    assert_eq!(account.take(&line, &line[0], None, true), Turn::Go, "the artifact's job begins");
    let all = jobs(&["unit.c0", "unit.c1", "unit.c2"]);
    let Slots { granted, waiting } = account.slots(&line, &line[0], &all);
    assert_eq!(granted, ["unit.c0", "unit.c1"]);
    assert_eq!(waiting.as_deref(), Some("every build slot of pool large is taken: builds.pools in the chart"));
    assert_eq!(account.slots(&line, &line[0], &all).granted.len(), 2, "asking again brings no more");
}

#[test]
fn the_limits_of_namespace_and_controller_count_every_job() {
    let (mut account, line) = (Account::new(limits(3, 9, 9)), [Candidate::of(&with_copies(1, 4))]);
    assert_eq!(account.take(&line, &line[0], None, true), Turn::Go);
    let slots = account.slots(&line, &line[0], &jobs(&["unit.c0", "unit.c1", "unit.c2"]));
    assert_eq!((slots.granted.len(), slots.waiting.is_some()), (2, true), "the artifact's job has the third");
}

#[test]
fn a_slot_that_a_job_gives_back_goes_to_the_release_that_waits() {
    let line = [Candidate::of(&with_copies(1, 1)), Candidate::of(&with_copies(2, 1))];
    let mut account = Account::new(limits(100, 9, 1));
    for one in &line {
        assert_eq!(account.take(&line, one, None, true), Turn::Go);
    }
    let unit = jobs(&["unit.c0"]);
    assert_eq!(account.slots(&line, &line[0], &unit).granted, ["unit.c0"]);
    assert_eq!(account.slots(&line, &line[1], &unit).granted, Vec::<String>::new());
    let ended = running(with_copies(1, 1), &jobs(&["artifact"]));
    assert!(account.is_news(&ended));
    let woken: Vec<_> = account.wrote(&line, &ended).into_iter().map(|release| release.name).collect();
    assert_eq!(woken, ["dbxdemo-2"]);
    assert_eq!(account.slots(&line, &line[1], &unit).granted, ["unit.c0"]);
}

#[test]
fn a_new_leader_finds_the_slots_of_every_job_in_the_statuses() {
    let line = [running(with_copies(1, 2), &jobs(&["unit.c0", "unit.c1"])), Candidate::of(&with_copies(2, 1))];
    let mut account = Account::new(limits(100, 1, 2));
    assert_eq!(account.take(&line, &line[1], None, true), Turn::Go, "the artifact's job of the first has ended");
    assert!(account.slots(&line, &line[1], &jobs(&["unit.c0"])).granted.is_empty());
}

proptest! {
    /// However many copies the releases have: never more jobs than slots, and in the end every job has run.
    #[test]
    fn every_job_gets_a_slot_and_never_more_than_there_are(
        copies in proptest::collection::vec(1_usize..4, 1..5),
        namespace in 2_usize..6,
        large in 1_usize..4,
    ) {
        let releases: Vec<DatabricksRelease> =
            copies.iter().zip(1..).map(|(copies, n)| with_copies(n, *copies)).collect();
        let line: Vec<Candidate> = releases.iter().map(Candidate::of).collect();
        let mut account = Account::new(limits(namespace, 9, large));
        let mut left: Vec<BTreeSet<String>> = releases
            .iter()
            .map(|release| release.spec.build.planned().into_iter().skip(1).map(|job| job.name).collect())
            .collect();
        let mut under_way: Vec<BTreeSet<String>> = vec![BTreeSet::new(); line.len()];
        let mut asking: Vec<usize> = (0..line.len()).collect();
        while left.iter().any(|jobs| !jobs.is_empty()) || under_way.iter().any(|jobs| !jobs.is_empty()) {
            for n in std::mem::take(&mut asking) {
                for job in account.slots(&line, &line[n], &left[n]).granted {
                    left[n].remove(&job);
                    under_way[n].insert(job);
                }
                account.wrote(&line, &running(releases[n].clone(), &under_way[n]));
            }
            let all: usize = under_way.iter().map(BTreeSet::len).sum();
            prop_assert!(all <= namespace.min(large));
            let Some(n) = under_way.iter().position(|jobs| !jobs.is_empty()) else {
                return Err(TestCaseError::fail(format!("nobody runs, and {left:?} are left")));
            };
            under_way[n].pop_first();
            let woken = account.wrote(&line, &running(releases[n].clone(), &under_way[n]));
            asking = woken.iter().filter_map(|one| one.name.strip_prefix("dbxdemo-")?.parse::<usize>().ok()).map(|n| n - 1).collect();
            // A release whose job ended is looked at in any case.
            asking.push(n);
        }
    }
}
