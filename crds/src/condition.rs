//! Conditions: the one implementation of how they are set, after cert-manager's rule and kstatus' conventions.
//!
//! `Ready` is always present. `Reconciling` and `Stalled` are abnormal-true: present only while True, never both.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::{Schema, SchemaGenerator, json_schema};

use crate::Reason;

/// The summary: True when the object is as its spec asks (for a release: when it ended well).
pub const READY: &str = "Ready";
/// Present and True while the controller works towards the spec (kstatus).
pub const RECONCILING: &str = "Reconciling";
/// Present and True when nothing more will happen without a change from outside (kstatus).
pub const STALLED: &str = "Stalled";
/// For releases: Unknown while it runs, then True or False for ever, as a Job's or a PipelineRun's.
pub const SUCCEEDED: &str = "Succeeded";

/// The longest message, in characters: enough for a traceback's tail, far from etcd's limits.
pub const MAX_MESSAGE: usize = 2048;

/// A condition's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display)]
pub enum Status {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// Not known yet.
    Unknown,
}

/// Puts a condition into the list: reason, message and generation are always overwritten, the transition time only
/// moves when the status does.
pub fn set(
    conditions: &mut Vec<Condition>,
    type_: &str,
    status: Status,
    reason: Reason,
    message: &str,
    generation: i64,
    now: Timestamp,
) {
    let status = status.to_string();
    let message = truncate(message, MAX_MESSAGE);
    let since =
        conditions.iter().find(|c| c.type_ == type_ && c.status == status).map(|c| c.last_transition_time.clone());
    let condition = Condition {
        type_: type_.to_owned(),
        status,
        reason: reason.to_string(),
        message,
        observed_generation: Some(generation),
        last_transition_time: since.unwrap_or(Time(now)),
    };
    match conditions.iter_mut().find(|c| c.type_ == type_) {
        Some(slot) => *slot = condition,
        None => conditions.push(condition),
    }
}

/// How an object is, in the three words of kstatus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Summary {
    /// As its spec asks.
    Ready,
    /// On the way there.
    Reconciling,
    /// Not there, and nothing more will happen without a change from outside.
    Stalled,
}

/// Says how the object is: `Ready`, and of its companions the one that holds. That one is never taken out before: it
/// would come back as of now.
pub fn summarize(
    conditions: &mut Vec<Condition>,
    summary: Summary,
    reason: Reason,
    message: &str,
    generation: i64,
    now: Timestamp,
) {
    let ready = if summary == Summary::Ready { Status::True } else { Status::False };
    set(conditions, READY, ready, reason, message, generation, now);
    for (type_, holds) in [(RECONCILING, Summary::Reconciling), (STALLED, Summary::Stalled)] {
        if summary == holds {
            set(conditions, type_, Status::True, reason, message, generation, now);
        } else {
            remove(conditions, type_);
        }
    }
}

/// Takes a condition out of the list.
pub fn remove(conditions: &mut Vec<Condition>, type_: &str) {
    conditions.retain(|c| c.type_ != type_);
}

/// The condition of that type, if it is in the list.
#[must_use]
pub fn find<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|c| c.type_ == type_)
}

/// `text` with at most `max` characters; what was cut shows as `…`.
#[must_use]
pub fn truncate(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    text.chars().take(max.saturating_sub(1)).chain(['…']).collect()
}

/// The schema of a condition list, bounded: the one of `meta/v1` bounds nothing.
pub(crate) fn schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 16,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "required": ["type", "status", "reason", "message", "lastTransitionTime"],
            "properties": {
                "type": {"type": "string", "maxLength": 64, "description": "The condition's type in CamelCase."},
                "status": {"type": "string", "enum": ["True", "False", "Unknown"], "description": "Whether it holds."},
                "reason": {"type": "string", "maxLength": 64, "description": "One CamelCase word: why."},
                "message": {"type": "string", "maxLength": 4096, "description": "The same for people: what happened and where to look."},
                "lastTransitionTime": {"type": "string", "format": "date-time", "description": "When the status last changed."},
                "observedGeneration": {"type": "integer", "format": "int64", "minimum": 0, "description": "The generation of the spec it speaks of."},
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn transition_time_moves_only_with_the_status() {
        let mut conditions = Vec::new();
        set(&mut conditions, READY, Status::False, Reason::Progressing, "Build", 1, at(1));
        set(&mut conditions, READY, Status::False, Reason::Progressing, "Deploy", 1, at(2));
        assert_eq!(conditions[0].last_transition_time, Time(at(1)));
        assert_eq!(conditions[0].message, "Deploy");
        set(&mut conditions, READY, Status::True, Reason::Succeeded, "done", 1, at(3));
        assert_eq!(conditions[0].last_transition_time, Time(at(3)));
        assert_eq!(conditions.len(), 1);
    }

    #[test]
    fn messages_are_cut_at_characters_not_bytes() {
        assert_eq!(truncate("ééééé", 3), "éé…");
        assert_eq!(truncate("abc", 3), "abc");
    }
}
