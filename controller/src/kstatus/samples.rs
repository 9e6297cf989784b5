//! Anything that may stand in the conditions of an object before it is looked at, and anything that a look may find.

use std::collections::BTreeMap;

use brickline_crds::condition::{READY, RECONCILING, STALLED};
use brickline_crds::{Reason, annotations};
use jiff::{Timestamp, ToSpan};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use proptest::prelude::*;
use proptest::sample::select;
use strum::IntoEnumIterator;

use crate::trouble::Trouble;

/// One look at an object.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    pub(crate) generation: i64,
    /// What is wrong outside; nothing if all is well.
    pub(crate) trouble: Option<Trouble>,
    /// What is said if all is well.
    pub(crate) words: String,
    pub(crate) now: Timestamp,
    requested_at: Option<String>,
}

impl Look {
    /// The same, seen a minute later.
    pub(crate) fn later(&self) -> Self {
        Self { now: self.now + 1.minute(), ..self.clone() }
    }

    /// The object's annotations then.
    pub(crate) fn annotations(&self) -> Option<BTreeMap<String, String>> {
        let token = self.requested_at.clone()?;
        Some([(annotations::REQUESTED_AT.to_owned(), token)].into())
    }
}

pub(crate) fn any_look() -> impl Strategy<Value = Look> {
    let trouble = proptest::option::weighted(0.7, any_trouble(any_words()));
    let token = proptest::option::of(select(vec!["1", "2", ""]).prop_map(str::to_owned));
    (1..4_i64, trouble, any_words(), any_time(), token).prop_map(|(generation, trouble, words, now, requested_at)| {
        Look { generation, trouble, words, now, requested_at }
    })
}

/// What stands there by now: by our own hand, an older version's, or somebody else's.
pub(crate) fn any_conditions() -> impl Strategy<Value = Vec<Condition>> {
    let types = proptest::sample::subsequence(vec![READY, RECONCILING, STALLED, "Healthy"], 0..=4);
    types.prop_flat_map(|types| types.into_iter().map(any_condition).collect::<Vec<_>>())
}

fn any_condition(type_: &'static str) -> impl Strategy<Value = Condition> {
    let status = select(vec!["True", "False", "Unknown"]).prop_map(str::to_owned);
    let observed_generation = proptest::option::of(0..4_i64);
    (status, any_reason(), any_words(), observed_generation, any_time()).prop_map(
        move |(status, reason, message, observed_generation, since)| Condition {
            type_: type_.to_owned(),
            status,
            reason: reason.to_string(),
            message,
            observed_generation,
            last_transition_time: Time(since),
        },
    )
}

/// Any trouble, said in these words.
pub(crate) fn any_trouble(words: impl Strategy<Value = String>) -> impl Strategy<Value = Trouble> {
    (any_reason(), words, any::<bool>()).prop_map(|(reason, message, transient)| Trouble { reason, message, transient })
}

pub(crate) fn any_reason() -> impl Strategy<Value = Reason> + Clone {
    select(Reason::iter().collect::<Vec<_>>())
}

/// Few different ones, so that the same comes again; and more than there is room for.
fn any_words() -> impl Strategy<Value = String> {
    prop_oneof![
        select(vec!["", "no route", "refused"]).prop_map(str::to_owned),
        (2_000..5_000_usize).prop_map(|n| "é".repeat(n))
    ]
}

fn any_time() -> impl Strategy<Value = Timestamp> {
    (-500_000..500_000_i64).prop_map(|second| Timestamp::from_second(1_800_000_000 + second).expect("a time"))
}
