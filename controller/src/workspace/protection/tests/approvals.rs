use brickline_crds::{Approvals, Decision, GoDuration};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use rstest::rstest;

use super::super::{Approval, Ask, Standing, demand, standing};

const HOUR: i64 = 3600;

/// That many seconds after the release began to wait.
fn at(second: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_800_000_000 + second)
}

fn rule(required: u32, not_requester: bool) -> Approvals {
    Approvals { required, timeout: GoDuration::from_secs(3600), not_requester }
}

fn ask() -> Ask<'static> {
    Ask { uid: "u1", digest: "sha256:a", requesters: &["ana", "ben"], since: at(0) }
}

fn said(approver: &str, decision: Decision, second: i64) -> Approval {
    Approval {
        approver: approver.to_owned(),
        decision,
        comment: format!("by {approver}"),
        uid: "u1".to_owned(),
        digest: "sha256:a".to_owned(),
        created: at(second),
    }
}

fn yes(approver: &str, second: i64) -> Approval {
    said(approver, Decision::Approved, second)
}

fn no(approver: &str, second: i64) -> Approval {
    said(approver, Decision::Rejected, second)
}

fn approved(by: &[&str]) -> Standing {
    Standing::Approved { by: by.iter().map(ToString::to_string).collect() }
}

fn rejected(by: &str) -> Standing {
    Standing::Rejected { by: by.to_owned(), comment: format!("by {by}") }
}

fn waiting(have: u32, need: u32) -> Standing {
    Standing::Waiting { have, need, until: at(HOUR) }
}

#[rstest]
#[case::nobody_yet(rule(1, true), vec![], 0, waiting(0, 1))]
#[case::one_is_enough(rule(1, true), vec![yes("cleo", 5)], 10, approved(&["cleo"]))]
#[case::one_of_two(rule(2, true), vec![yes("cleo", 5)], 10, waiting(1, 2))]
#[case::in_their_order(rule(2, true), vec![yes("dan", 6), yes("cleo", 5)], 10, approved(&["cleo", "dan"]))]
#[case::nobody_counts_twice(rule(2, true), vec![yes("cleo", 5), yes("cleo", 6)], 10, waiting(1, 2))]
#[case::who_asked_does_not_count(rule(1, true), vec![yes("ana", 5)], 10, waiting(0, 1))]
#[case::nor_for_whom(rule(1, true), vec![yes("ben", 5)], 10, waiting(0, 1))]
#[case::unless_they_may(rule(1, false), vec![yes("ana", 5)], 10, approved(&["ana"]))]
#[case::a_rejection_ends_it(rule(2, true), vec![yes("cleo", 5), no("dan", 6)], 10, rejected("dan"))]
#[case::whatever_was_approved(rule(1, true), vec![yes("cleo", 5), no("dan", 6)], 10, rejected("dan"))]
#[case::the_first_one(rule(1, true), vec![no("dan", 6), no("cleo", 5)], 10, rejected("cleo"))]
#[case::who_asked_may_reject(rule(1, true), vec![no("ana", 5)], 10, rejected("ana"))]
#[case::a_change_of_mind(rule(1, true), vec![yes("cleo", 5), no("cleo", 6)], 10, rejected("cleo"))]
#[case::in_the_last_second(rule(1, true), vec![], HOUR, waiting(0, 1))]
#[case::too_late(rule(1, true), vec![], HOUR + 1, Standing::TimedOut)]
#[case::approved_too_late(rule(1, true), vec![yes("cleo", HOUR + 1)], HOUR + 2, Standing::TimedOut)]
#[case::in_time_but_seen_late(rule(1, true), vec![yes("cleo", HOUR)], 9 * HOUR, approved(&["cleo"]))]
#[case::not_enough_in_time(rule(2, true), vec![yes("cleo", 5), yes("dan", HOUR + 1)], 9 * HOUR, Standing::TimedOut)]
#[case::of_nobody(rule(1, true), vec![yes("", 5)], 10, waiting(0, 1))]
#[case::before_it_waited(rule(1, true), vec![yes("cleo", -5)], 10, approved(&["cleo"]))]
fn a_release_stands(
    #[case] rule: Approvals,
    #[case] given: Vec<Approval>,
    #[case] now: i64,
    #[case] expected: Standing,
) {
    assert_eq!(standing(&rule, &ask(), &given, at(now)), expected);
}

#[rstest]
#[case::another_release(|approval: &mut Approval| approval.uid = "u2".into())]
#[case::another_artifact(|approval: &mut Approval| approval.digest = "sha256:b".into())]
#[case::no_release(|approval: &mut Approval| approval.uid.clear())]
#[case::no_artifact(|approval: &mut Approval| approval.digest.clear())]
fn what_speaks_of_something_else_does_not_count(#[case] change: fn(&mut Approval)) {
    for mut approval in [yes("cleo", 5), no("cleo", 5)] {
        change(&mut approval);
        assert_eq!(standing(&rule(1, true), &ask(), &[approval], at(10)), waiting(0, 1));
    }
}

#[rstest]
#[case(None, 0, None)]
#[case(None, 2, Some(Approvals { required: 2, ..Approvals::default() }))]
#[case(Some(rule(2, false)), 0, Some(rule(2, false)))]
#[case(Some(rule(2, false)), 1, Some(rule(2, false)))]
#[case(Some(rule(1, false)), 3, Some(rule(3, false)))]
fn a_stage_only_adds(#[case] workspace: Option<Approvals>, #[case] stage: u32, #[case] expected: Option<Approvals>) {
    assert_eq!(demand(workspace.as_ref(), stage), expected);
}

#[test]
fn an_endless_timeout_never_passes() {
    let rule = Approvals { timeout: GoDuration::from_secs(u64::MAX), ..rule(1, true) };
    let waiting = Standing::Waiting { have: 0, need: 1, until: Timestamp::MAX };
    assert_eq!(standing(&rule, &ask(), &[], at(10)), waiting);
}

fn anything_said() -> impl Strategy<Value = Approval> {
    let who = prop::sample::select(vec!["ana", "ben", "cleo", "dan", "eve"]);
    let place = prop::sample::select(vec![("u1", "sha256:a"), ("u1", "sha256:b"), ("u2", "sha256:a")]);
    (who, prop::bool::weighted(0.9), place, -10..2 * HOUR).prop_map(|(who, yes, (uid, digest), second)| {
        let decision = if yes { Decision::Approved } else { Decision::Rejected };
        Approval { uid: uid.into(), digest: digest.into(), ..said(who, decision, second) }
    })
}

proptest! {
    /// The order in which Kubernetes lists them changes nothing; nobody who asked, and nobody twice, is among those who
    /// approved.
    #[test]
    fn the_order_of_a_list_changes_nothing(
        given in prop::collection::vec(anything_said(), 0..8),
        required in 1u32..4,
        now in 0..3 * HOUR,
    ) {
        let stands = standing(&rule(required, true), &ask(), &given, at(now));
        let mut backwards = given;
        backwards.reverse();
        // Two rejections of one second by one person may differ in their words alone.
        prop_assert_eq!(&stands, &standing(&rule(required, true), &ask(), &backwards, at(now)));
        if let Standing::Approved { by } = stands {
            let people: std::collections::BTreeSet<&String> = by.iter().collect();
            prop_assert!(people.len() >= required as usize && people.len() == by.len());
            prop_assert!(by.iter().all(|person| person != "ana" && person != "ben"));
        }
    }
}
