//! The line as releases meet it.

mod slots;

use std::collections::BTreeMap;

use brickline_crds::{
    Concurrency, ConcurrencyPolicy, DatabricksRelease, DatabricksReleaseSpec, DatabricksReleaseStatus, GitSource,
    Phase, PhaseState, PhaseStatus, Reason, ReleaseReason, Waiting, annotations, labels,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use proptest::prelude::*;
use rstest::rstest;

use super::account::{Account, Candidate, Limits, align};
use super::{Turn, rule_of};

fn limits(slots: usize) -> Limits {
    Limits { controller: slots, namespace: slots, pools: BTreeMap::from([("default".to_owned(), slots)]) }
}

/// A release of pipeline `dbxdemo` that is the n-th in the line.
fn release(n: i64) -> DatabricksRelease {
    let spec = DatabricksReleaseSpec { stage: Some("staging".to_owned()), ..DatabricksReleaseSpec::default() };
    let mut release = DatabricksRelease::new(&format!("dbxdemo-{n}"), spec);
    release.metadata.uid = Some(format!("uid-{n}"));
    release.metadata.namespace = Some("data".to_owned());
    release.metadata.creation_timestamp = Some(Time(Timestamp::from_second(1_000 + n).unwrap()));
    release.metadata.labels = Some(BTreeMap::from([(labels::PIPELINE.to_owned(), "dbxdemo".to_owned())]));
    release
}

fn candidate(n: i64) -> Candidate {
    Candidate::of(&release(n))
}

fn rule(policy: ConcurrencyPolicy) -> Concurrency {
    Concurrency { policy, ..Concurrency::default() }
}

fn waits(turn: &Turn) -> bool {
    matches!(turn, Turn::Wait(_))
}

#[test]
fn releases_of_a_stage_go_one_after_the_other_oldest_first() {
    let (mut account, line) = (Account::new(limits(10)), [candidate(1), candidate(2), candidate(3)]);
    let queue = rule(ConcurrencyPolicy::Queue);
    assert!(waits(&account.take(&line, &line[1], Some(&queue), true)), "the first goes first, whoever asks first");
    assert_eq!(account.take(&line, &line[0], Some(&queue), true), Turn::Go);
    assert!(waits(&account.take(&line, &line[1], Some(&queue), true)));
    let woken: Vec<_> = account.ended(&line, &line[0]).into_iter().map(|release| release.name).collect();
    assert_eq!(woken, ["dbxdemo-2"], "the next is woken, and no other");
    assert_eq!(account.take(&line, &line[1], Some(&queue), true), Turn::Go);
}

#[test]
fn who_waits_for_people_is_in_nobodys_way_and_takes_its_turn_again() {
    let (mut account, line) = (Account::new(limits(10)), [candidate(1), candidate(2)]);
    let queue = rule(ConcurrencyPolicy::Queue);
    assert_eq!(account.take(&line, &line[0], Some(&queue), true), Turn::Go);
    let woken = account.step_aside(&line, &line[0]);
    assert_eq!(woken.len(), 1);
    let mut aside = release(1);
    let waiting = Waiting {
        reason: Reason::WaitingForApproval,
        message: String::new(),
        since: Time(Timestamp::UNIX_EPOCH),
        until: None,
    };
    aside.status = Some(DatabricksReleaseStatus { waiting: Some(waiting), ..DatabricksReleaseStatus::default() });
    let line = [Candidate::of(&aside), candidate(2)];
    assert_eq!(account.take(&line, &line[1], Some(&queue), true), Turn::Go);
    assert!(waits(&account.take(&line, &line[0], Some(&queue), false)), "approved, but another works now");
    account.ended(&line, &line[1]);
    assert_eq!(account.take(&line, &line[0], Some(&queue), false), Turn::Go);
}

#[test]
fn slots_are_given_oldest_first_and_waiting_pipelines_hold_none() {
    let mut other = release(3);
    other.metadata.labels = Some(BTreeMap::from([(labels::PIPELINE.to_owned(), "other".to_owned())]));
    let line = [candidate(1), candidate(2), Candidate::of(&other)];
    let (mut account, queue) = (Account::new(limits(1)), rule(ConcurrencyPolicy::Queue));
    assert_eq!(account.take(&line, &line[0], Some(&queue), true), Turn::Go);
    assert!(waits(&account.take(&line, &line[2], Some(&queue), true)), "the only slot is taken");
    // Its status says that nothing is built any more.
    let woken: Vec<_> = account.wrote(&line, &line[0]).into_iter().map(|release| release.name).collect();
    assert_eq!(woken, ["dbxdemo-3"], "dbxdemo-2 waits for its turn, not for a slot");
    assert_eq!(account.take(&line, &line[2], Some(&queue), true), Turn::Go);
}

#[test]
fn a_new_leader_finds_turns_and_slots_in_the_statuses() {
    let mut running = release(1);
    let build = PhaseStatus { state: PhaseState::Running, attempts: 1, ..PhaseStatus::pending(Phase::Build) };
    running.status = Some(DatabricksReleaseStatus { phases: vec![build], ..DatabricksReleaseStatus::default() });
    let line = [Candidate::of(&running), candidate(2)];
    let (mut account, queue) = (Account::new(limits(1)), rule(ConcurrencyPolicy::Queue));
    assert!(waits(&account.take(&line, &line[1], Some(&queue), true)));
    assert!(waits(&account.take(&line, &line[1], None, true)), "its slot is taken too");
    assert_eq!(account.take(&line, &line[0], Some(&queue), true), Turn::Go);
}

#[test]
fn newest_wins_where_the_pipeline_says_so() {
    let (mut account, line) = (Account::new(limits(10)), [candidate(1), candidate(2), candidate(3)]);
    let supersede = rule(ConcurrencyPolicy::Supersede);
    let newer = account.newer(&line, &line[0], Some(&supersede)).unwrap();
    assert_eq!((newer.name.as_str(), newer.supersedes, newer.after_deploy), ("dbxdemo-3", true, false));
    assert!(account.newer(&line, &line[2], Some(&supersede)).is_none());
    assert!(!account.newer(&line, &line[0], Some(&rule(ConcurrencyPolicy::Queue))).unwrap().supersedes);
    let woken: Vec<_> = account.older(&line, &line[2], false).into_iter().map(|release| release.name).collect();
    assert_eq!(woken, ["dbxdemo-1", "dbxdemo-2"]);
    assert_eq!(account.take(&line, &line[2], Some(&supersede), true), Turn::Go, "the newest waits for nobody older");
}

/// Two merges within one second, whichever of them was delivered first, and whatever they are called.
#[rstest]
#[case(1, 2)]
#[case(2, 1)]
fn the_later_of_two_merges_wins_within_a_second(#[case] first: i64, #[case] second: i64) {
    let told = |n: i64, arrived: i64, commit: char, before: char| {
        let mut release = release(n);
        release.metadata.creation_timestamp = Some(Time(Timestamp::from_second(1_000).unwrap()));
        let git = GitSource { commit: commit.to_string().repeat(40), ..GitSource::default() };
        release.spec.source.git = Some(git);
        let arrived = Timestamp::from_millisecond(1_000_000 + arrived).unwrap().to_string();
        let told = [(annotations::ARRIVED, arrived), (annotations::BEFORE, before.to_string().repeat(40))];
        release.metadata.annotations = Some(told.map(|(key, value)| (key.to_owned(), value)).into());
        Candidate::of(&release)
    };
    for (soon, late) in [(1, 2), (2, 1)] {
        let mut line = [told(first, soon, 'a', 'z'), told(second, late, 'b', 'a')];
        align(&mut line);
        let (account, supersede) = (Account::new(limits(10)), rule(ConcurrencyPolicy::Supersede));
        let newer = account.newer(&line, &line[0], Some(&supersede)).map(|newer| newer.name);
        assert_eq!(newer, Some(format!("dbxdemo-{second}")));
        assert_eq!(account.newer(&line, &line[1], Some(&supersede)), None);
    }
}

#[test]
fn pull_requests_are_in_nobodys_way_but_their_own() {
    let of = |n: i64, number: u32| {
        let mut release = release(n);
        let git = GitSource { reference: format!("refs/pull/{number}/head"), ..GitSource::default() };
        release.spec.source.git = Some(git);
        (release.spec.reason, release.spec.stage) = (ReleaseReason::PullRequest, None);
        release
    };
    let mut building = release(5);
    building.spec.stage = None;
    let all = [of(1, 7), of(2, 8), of(3, 7), release(4), building];
    let line: Vec<Candidate> = all.iter().map(Candidate::of).collect();
    let mut account = Account::new(limits(10));
    let queue = rule(ConcurrencyPolicy::Queue);
    let newer = |index: usize| account.newer(&line, &line[index], rule_of(&all[index], Some(&queue)));
    let first = newer(0).unwrap();
    assert_eq!((first.name.as_str(), first.supersedes, first.after_deploy), ("dbxdemo-3", true, true));
    assert!((1..5).all(|index| newer(index).is_none()), "another pull request, the newest commit, a stage, a build");
    for index in [0, 1, 3, 4] {
        assert_eq!(account.take(&line, &line[index], rule_of(&all[index], Some(&queue)), true), Turn::Go);
    }
    let turn = account.take(&line, &line[2], rule_of(&all[2], Some(&queue)), true);
    let Turn::Wait(why) = turn else { panic!("it goes on before the older one has stopped") };
    assert_eq!(why, "pipeline dbxdemo releases one at a time to refs/pull/7/head");
    let woken: Vec<_> = account.older(&line, &line[2], true).into_iter().map(|release| release.name).collect();
    assert_eq!(woken, ["dbxdemo-1"]);
}

#[test]
fn the_first_that_wants_a_lock_is_woken_when_it_is_free() {
    let mut account = Account::new(limits(10));
    let lock = ["lock-a".to_owned()];
    for n in [2, 1] {
        account.wants(&candidate(n), &lock);
    }
    assert_eq!(account.first_wanting("lock-a").unwrap().name, "dbxdemo-1");
    account.wants_no_more(&candidate(1));
    assert_eq!(account.first_wanting("lock-a").unwrap().name, "dbxdemo-2");
    account.ended(&[], &candidate(2));
    assert!(account.first_wanting("lock-a").is_none());
}

proptest! {
    /// Whoever asks and ends in whatever order: never more than the limit at a time, and everybody gets a turn.
    #[test]
    fn never_more_than_the_limit_and_nobody_is_forgotten(
        order in Just((0..8_usize).collect::<Vec<_>>()).prop_shuffle(),
        limit in 1_u32..4,
        slots in 1_usize..4,
    ) {
        let line: Vec<Candidate> = (0..8).map(candidate).collect();
        let rule = Concurrency { limit, ..rule(ConcurrencyPolicy::Queue) };
        let mut account = Account::new(limits(slots));
        let (mut running, mut done): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
        // At first everyone asks; afterwards only who is woken.
        let mut asking = order;
        while done.len() < line.len() {
            for n in std::mem::take(&mut asking) {
                if !done.contains(&n) && !running.contains(&n)
                    && account.take(&line, &line[n], Some(&rule), true) == Turn::Go
                {
                    running.push(n);
                }
            }
            prop_assert!(running.len() <= slots.min(limit as usize));
            prop_assert!(!running.is_empty(), "nobody runs, and {:?} still wait", line.len() - done.len());
            let first = running.remove(0);
            done.push(first);
            let woken = account.ended(&line, &line[first]);
            asking = woken.iter().filter_map(|release| release.name.strip_prefix("dbxdemo-")?.parse().ok()).collect();
        }
    }
}
