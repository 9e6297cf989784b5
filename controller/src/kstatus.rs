//! What kstatus asks of a status, for every kind alike: rules that tests hold each written status against.
//!
//! A status is a list of conditions, the generation that it speaks of, and the generation of the object it stands in.

pub(crate) mod samples;

use std::collections::BTreeSet;

use brickline_crds::condition::{MAX_MESSAGE, READY, RECONCILING, STALLED, find};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

/// The three that kstatus reads.
const SUMMARY: [&str; 3] = [READY, RECONCILING, STALLED];

/// A status as kstatus reads it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) conditions: &'a [Condition],
    pub(crate) observed_generation: i64,
    /// The object's own.
    pub(crate) generation: i64,
}

/// The rules that a status breaks that was just written, in words; none if it is in order.
///
/// `Ready` is always there, `Reconciling` and `Stalled` only while they hold, and exactly one of the three holds; so
/// none is ever True together with another. All speak of the generation that was looked at, and it is the newest.
pub(crate) fn broken(seen: &Seen) -> Vec<String> {
    let Seen { conditions, observed_generation, generation } = *seen;
    let summary: Vec<&Condition> = SUMMARY.iter().filter_map(|kind| find(conditions, kind)).collect();
    let abnormal: Vec<&Condition> = summary.iter().copied().filter(|condition| condition.type_ != READY).collect();
    let holding = summary.iter().filter(|condition| condition.status == "True").count();
    let types: BTreeSet<&str> = conditions.iter().map(|condition| condition.type_.as_str()).collect();
    let ready = find(conditions, READY);
    let rules = [
        (ready.is_some(), "Ready is missing"),
        (holding == 1, "not exactly one of Ready, Reconciling and Stalled holds"),
        (abnormal.iter().all(|one| one.status == "True"), "an abnormal condition stands there without holding"),
        (abnormal.iter().all(|one| ready.is_some_and(|ready| says_the_same(one, ready))), "Ready says something else"),
        (observed_generation == generation, "another generation than the newest was looked at"),
        (summary.iter().all(|one| one.observed_generation == Some(generation)), "a condition speaks of an older spec"),
        (types.len() == conditions.len(), "a condition stands there twice"),
        (summary.iter().all(|one| is_well_formed(one)), "a condition that the schema refuses"),
    ];
    let broken = rules.into_iter().filter(|(holds, _)| !holds);
    broken.map(|(_, rule)| format!("kstatus: {rule}: {conditions:?}")).collect()
}

/// The rules that a write breaks: the time of a condition moves with its status, and with nothing else.
pub(crate) fn moved(before: &[Condition], after: &[Condition]) -> Vec<String> {
    let moved = |next: &&Condition| {
        let known = find(before, &next.type_);
        known
            .is_some_and(|known| known.status == next.status && known.last_transition_time != next.last_transition_time)
    };
    after
        .iter()
        .filter(moved)
        .map(|next| format!("{} moved although it is {} still", next.type_, next.status))
        .collect()
}

/// The settled state of an object that its user has suspended: nothing more will happen, and it says why.
pub(crate) fn is_settled_as(conditions: &[Condition], reason: &str) -> bool {
    let stalled = find(conditions, STALLED).is_some_and(|stalled| stalled.reason == reason);
    stalled && find(conditions, RECONCILING).is_none()
}

fn says_the_same(one: &Condition, other: &Condition) -> bool {
    (&one.reason, &one.message) == (&other.reason, &other.message)
}

fn is_well_formed(condition: &Condition) -> bool {
    let word = |text: &str| !text.is_empty() && text.chars().all(|letter| letter.is_ascii_alphanumeric());
    matches!(condition.status.as_str(), "True" | "False" | "Unknown")
        && word(&condition.reason)
        && condition.message.chars().count() <= MAX_MESSAGE
}

#[cfg(test)]
mod tests {
    use brickline_crds::Reason;
    use brickline_crds::condition::{Status, set};
    use jiff::Timestamp;
    use rstest::rstest;

    use super::*;

    fn list(conditions: &[(&str, Status)]) -> Vec<Condition> {
        let mut list = Vec::new();
        for (kind, status) in conditions {
            set(&mut list, kind, *status, Reason::Progressing, "", 2, Timestamp::UNIX_EPOCH);
        }
        list
    }

    #[rstest]
    #[case::ready(&[(READY, Status::True)], 2, true)]
    #[case::on_the_way(&[(READY, Status::False), (RECONCILING, Status::True)], 2, true)]
    #[case::stalled(&[(READY, Status::False), (STALLED, Status::True)], 2, true)]
    #[case::nothing(&[], 2, false)]
    #[case::only_not_ready(&[(READY, Status::False)], 2, false)]
    #[case::both_abnormal(&[(READY, Status::False), (RECONCILING, Status::True), (STALLED, Status::True)], 2, false)]
    #[case::ready_and_stalled(&[(READY, Status::True), (STALLED, Status::True)], 2, false)]
    #[case::without_holding(&[(READY, Status::True), (RECONCILING, Status::False)], 2, false)]
    #[case::of_an_older_spec(&[(READY, Status::True)], 3, false)]
    fn rules_tell_good_from_bad(
        #[case] conditions: &[(&str, Status)],
        #[case] generation: i64,
        #[case] expected: bool,
    ) {
        let conditions = list(conditions);
        let broken = broken(&Seen { conditions: &conditions, observed_generation: generation, generation });
        assert_eq!(broken.is_empty(), expected, "{broken:?}");
    }

    #[test]
    fn a_condition_that_stays_keeps_its_time() {
        let before = list(&[(READY, Status::False)]);
        let mut later = before.clone();
        later[0].last_transition_time.0 += jiff::SignedDuration::from_secs(1);
        assert_eq!(moved(&before, &later).len(), 1);
        later[0].status = "True".to_owned();
        assert!(moved(&before, &later).is_empty());
    }
}
