use super::*;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use proptest::prelude::*;
use rstest::rstest;

/// A push from one letter to another, created at a second and delivered at a millisecond.
fn push(from: &str, to: char, second: i64, millisecond: i64) -> Birth {
    let commit = |letter: &str| letter.repeat(40);
    let told = Told {
        arrived: Timestamp::from_millisecond(millisecond).unwrap(),
        branch: ("data".to_owned(), "dbxdemo".to_owned(), "refs/heads/release".to_owned()),
        commit: commit(&to.to_string()),
        before: (!from.is_empty()).then(|| commit(from)),
    };
    Birth { created: Timestamp::from_second(second).unwrap(), told: Some(told) }
}

/// The letters from the oldest to the newest.
fn order(births: &[Birth]) -> String {
    let letter = |birth: &Birth| birth.told.as_ref().and_then(|told| told.commit.chars().next()).unwrap_or('-');
    let mut placed: Vec<(Place, char)> = places(births).into_iter().zip(births.iter().map(letter)).collect();
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, letter)| letter).collect()
}

#[rstest]
#[case::seconds_tell(&[push("", 'b', 2, 1), push("", 'a', 1, 2)], "ab")]
#[case::in_one_second_the_branch_tells(&[push("a", 'b', 1, 1), push("z", 'a', 1, 2)], "ab")]
#[case::through_several(&[push("b", 'c', 1, 1), push("a", 'b', 1, 2), push("z", 'a', 1, 3)], "abc")]
#[case::a_late_delivery_is_no_news(&[push("a", 'b', 1, 1000), push("z", 'a', 3, 3000)], "ab")]
#[case::a_late_one_behind_two(&[push("a", 'b', 1, 1), push("b", 'c', 2, 2), push("z", 'a', 5, 5)], "abc")]
#[case::what_nothing_connects_goes_by_its_arrival(&[push("x", 'b', 1, 9), push("y", 'a', 1, 8)], "ab")]
#[case::a_new_branch_has_no_before(&[push("a", 'b', 1, 1), push("", 'a', 1, 2)], "ab")]
#[case::there_and_back(&[push("b", 'a', 1, 2), push("a", 'b', 1, 1)], "ba")]
#[case::there_and_back_later(&[push("b", 'a', 7, 2), push("a", 'b', 1, 1)], "ba")]
fn the_branch_tells_what_seconds_do_not(#[case] births: &[Birth], #[case] expected: &str) {
    assert_eq!(order(births), expected);
    let backwards: Vec<Birth> = births.iter().rev().cloned().collect();
    assert_eq!(order(&backwards), expected);
}

#[test]
fn another_branch_of_the_same_commits_is_another_story() {
    let (first, mut second) = (push("z", 'a', 1, 2), push("a", 'b', 1, 1));
    second.told.as_mut().unwrap().branch.2 = "refs/heads/other".to_owned();
    assert_eq!(order(&[first, second]), "ba", "only their arrival tells");
}

proptest! {
    /// Whatever is told, in circles too: an answer for each, and the same order in whatever order they are listed.
    #[test]
    fn any_story_has_one_order(
        pushes in proptest::collection::vec(("[a-f]", proptest::char::range('a', 'f'), 0i64..3), 0..12),
    ) {
        let births: Vec<Birth> =
            (0i64..).zip(pushes).map(|(at, (from, to, second))| push(&from, to, second, at)).collect();
        prop_assert_eq!(places(&births).len(), births.len());
    }

    /// Of a branch that only goes on, the pushes are found in order, however they are delivered.
    #[test]
    fn a_branch_that_goes_on_is_found_in_order(
        seconds in proptest::collection::vec(0i64..3, 10),
        order_of in Just((0..10_usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let letters: Vec<char> = ('a'..='j').collect();
        let of = |index: usize| {
            let from = if index == 0 { String::new() } else { letters[index - 1].to_string() };
            let arrived = order_of.iter().position(|one| *one == index).unwrap();
            push(&from, letters[index], seconds[index], i64::try_from(arrived).unwrap())
        };
        let births: Vec<Birth> = order_of.iter().map(|index| of(*index)).collect();
        prop_assert_eq!(order(&births), "abcdefghij");
    }
}

/// A release of a push from `z` to `a`, created at this second.
fn release(second: i64) -> DatabricksRelease {
    use crate::creation::{Draft, Occasion};
    use crate::forge::event::Push;
    use crate::receiver::samples;
    let pipeline = samples::pipeline();
    let push = Push { commit: "a".repeat(40), before: Some("z".repeat(40)), ..samples::push() };
    let occasion = Occasion::push(&pipeline, &push).told(push.before.as_ref(), Timestamp::from_second(second).unwrap());
    let mut release = Draft::building(&pipeline, occasion).release(&pipeline, 12).unwrap();
    release.metadata.creation_timestamp = Some(Time(Timestamp::from_second(second).unwrap()));
    release
}

#[rstest]
#[case::in_one_second(5, 'b', 'a', true)]
#[case::delivered_a_little_later(8, 'b', 'a', true)]
#[case::delivered_before(4, 'b', 'a', false)]
#[case::another_branch_of_old_commits(500, 'b', 'a', false)]
#[case::unconnected(5, 'b', 'x', false)]
#[case::there_and_back(5, 'z', 'a', false)]
fn a_deployed_push_tells_which_one_it_followed(
    #[case] second: i64,
    #[case] commit: char,
    #[case] before: char,
    #[case] followed: bool,
) {
    let stored = StoredArtifact {
        commit: commit.to_string().repeat(40),
        before: before.to_string().repeat(40),
        created: Some(Time(Timestamp::from_second(5).unwrap())),
        ..StoredArtifact::default()
    };
    assert_eq!(is_followed_by(&release(second), &stored), followed);
}

#[test]
fn what_no_webhook_told_of_may_go_back() {
    let mut back = release(5);
    back.metadata.annotations = None;
    let created = back.metadata.creation_timestamp.clone();
    let stored = StoredArtifact { before: "a".repeat(40), created, ..StoredArtifact::default() };
    assert!(!is_followed_by(&back, &stored));
}
