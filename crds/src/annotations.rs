//! Annotations: what a user says to the controller without changing a spec.

use std::collections::{BTreeMap, BTreeSet};

use crate::condition::truncate;

/// Asks for another look: any new value (a time, a counter) makes the controller check the object at once. The status
/// echoes it as `lastHandledRequestedAt` when that is done.
///
/// `kubectl annotate --overwrite dbws/staging brickline.dev/requestedAt="$(date +%s)"`
pub const REQUESTED_AT: &str = "brickline.dev/requestedAt";

/// On a workspace: the id of another installation of the controller whose targets this one may deploy to from now on.
/// The message of the condition says which; it may stay, since it names exactly one.
///
/// `kubectl annotate dbws/staging brickline.dev/takeOverFrom=<id>`
pub const TAKE_OVER_FROM: &str = "brickline.dev/takeOverFrom";

/// The release that built what this one releases: a promotion's first ancestor. Set by the controller.
pub const ROOT: &str = "brickline.dev/root";

/// When that release was created, in RFC 3339: it may be gone. Set by the controller.
pub const ROOT_CREATED: &str = "brickline.dev/root-created";

/// When the webhook that a release was made for arrived, in RFC 3339 with parts of seconds. Set by the controller.
pub const ARRIVED: &str = "brickline.dev/arrived";

/// The commit that the branch was at before that push, as the forge told it. Set by the controller.
pub const BEFORE: &str = "brickline.dev/before";

/// Who asked for the releases that led to this one, as a JSON list of names: their approvals don't count on it. Set by the
/// controller.
pub const REQUESTERS: &str = "brickline.dev/requesters";

/// The most characters of the token that are compared and echoed.
pub const MAX_REQUESTED_AT: usize = 128;

/// The token of [`REQUESTED_AT`] as the status echoes it, if the object has one.
#[must_use]
pub fn requested_at(annotations: &BTreeMap<String, String>) -> Option<String> {
    annotations.get(REQUESTED_AT).map(|token| truncate(token, MAX_REQUESTED_AT))
}

/// The names in [`REQUESTERS`]; none if the annotation is missing or no list of names.
#[must_use]
pub fn requesters(annotations: &BTreeMap<String, String>) -> BTreeSet<String> {
    annotations.get(REQUESTERS).and_then(|names| serde_json::from_str(names).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_echoed_within_bounds() {
        let with = |token: &str| BTreeMap::from([(REQUESTED_AT.to_owned(), token.to_owned())]);
        assert_eq!(requested_at(&BTreeMap::new()), None);
        assert_eq!(requested_at(&with("2026-11-21T10:00:00Z")).as_deref(), Some("2026-11-21T10:00:00Z"));
        assert_eq!(requested_at(&with(&"é".repeat(500))).unwrap().chars().count(), MAX_REQUESTED_AT);
    }

    #[test]
    fn only_a_list_of_names_names_anybody() {
        let with = |names: &str| requesters(&BTreeMap::from([(REQUESTERS.to_owned(), names.to_owned())]));
        assert_eq!(with(r#"["eve","ana","eve"]"#).into_iter().collect::<Vec<_>>(), ["ana", "eve"]);
        for other in ["", "eve", "{}", "[1]"] {
            assert_eq!(with(other), BTreeSet::new(), "{other}");
        }
    }
}
