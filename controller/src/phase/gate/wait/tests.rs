//! Waits end, whatever they are for and whatever comes between.

use std::collections::BTreeSet;

use brickline_crds::{GoDuration, WaitLimits};
use jiff::ToSpan;
use proptest::prelude::*;
use proptest::sample::select;
use rstest::rstest;

use super::*;

fn at(second: i64) -> Timestamp {
    "2026-11-21T12:00:00Z".parse::<Timestamp>().unwrap() + second.seconds()
}

/// Five minutes for each kind of wait.
fn release() -> DatabricksRelease {
    let five = GoDuration::from_secs(300);
    let waiting = WaitLimits { slot: five, cluster: five, dependency: five, window: five };
    DatabricksRelease::new("one", DatabricksReleaseSpec { waiting, ..DatabricksReleaseSpec::default() })
}

/// After how many seconds a release ends that meets these, one every ten seconds, over and over.
fn ends_after(steps: impl Fn(usize, &DatabricksReleaseStatus, Timestamp) -> Step) -> Option<i64> {
    let mut status = DatabricksReleaseStatus::default();
    for turn in 0..2000 {
        let second = i64::try_from(turn).unwrap() * 10;
        match steps(turn, &status, at(second)) {
            Step::Record(next) => status = *next,
            Step::Ended(_, ending) => {
                assert_eq!(ending.state, PhaseState::TimedOut);
                return Some(second);
            }
            _ => {}
        }
    }
    None
}

#[rstest]
#[case(Reason::Suspended)]
#[case(Reason::AuthenticationFailed)]
#[case(Reason::InternalError)]
#[case(Reason::NotAuthorized)]
#[case(Reason::WorkspaceUnreachable)]
fn what_never_heals_ends_the_release(#[case] reason: Reason) {
    let trouble = Trouble::passing(reason, "no");
    assert_eq!(ends_after(|_, status, now| hindered(&release(), status, &trouble, now)), Some(300));
}

#[test]
fn a_release_that_its_people_suspended_waits_for_them() {
    let mut release = release();
    release.spec.suspend = true;
    assert_eq!(ends_after(|_, status, now| wait(&release, status, Wait::suspended(), now)), None);
}

#[test]
fn a_missing_right_is_called_one() {
    let step = hindered(&release(), &DatabricksReleaseStatus::default(), &Trouble::not_a_tenant("data"), at(0));
    let Step::Record(status) = step else { panic!("{step:?}") };
    assert_eq!(status.waiting.map(|waiting| waiting.reason), Some(Reason::NotAuthorized));
}

#[test]
fn what_lasts_is_looked_at_ever_more_rarely() {
    let trouble = Trouble::passing(Reason::AuthenticationFailed, "no");
    let mut release = release();
    release.spec.waiting.window = GoDuration::from_secs(7 * 24 * 3600);
    let seen = DatabricksReleaseStatus { observed_generation: 0, ..DatabricksReleaseStatus::default() };
    let Step::Record(status) = hindered(&release, &seen, &trouble, at(0)) else { panic!("it is written down first") };
    let pause = |second| hindered(&release, &status, &trouble, at(second));
    let seconds = |seconds| Step::Wait(Some(Duration::from_secs(seconds)));
    assert_eq!([pause(1), pause(600), pause(90_000)], [seconds(15), seconds(60), seconds(300)]);
}

proptest! {
    /// Whatever interrupts a wait, and however often: each reason has its limit once.
    #[test]
    fn waits_that_interrupt_each_other_end(reasons in proptest::collection::vec(select(vec![
        Reason::WaitingForSlot, Reason::WaitingForCluster, Reason::WaitingForWindow, Reason::DependencyNotReady,
        Reason::AuthenticationFailed, Reason::InternalError, Reason::NotAuthorized,
    ]), 1..9)) {
        let release = release();
        let ended = ends_after(|turn, status, now| {
            prop_assert_bound(status);
            wait(&release, status, Wait::watched(reasons[turn % reasons.len()], "x"), now)
        });
        let kinds: BTreeSet<String> = reasons.iter().map(ToString::to_string).collect();
        let kinds = i64::try_from(kinds.len()).unwrap();
        prop_assert!(ended.is_some_and(|after| after <= 300 * kinds + 10), "{ended:?}");
    }
}

fn prop_assert_bound(status: &DatabricksReleaseStatus) {
    assert!(status.waited.len() < 16);
}
