//! GitHub's webhooks: authenticate, then parse.
//!
//! The signature is octocrab's business; its typed push refuses a delivery for any commit field it doesn't know.

use http::HeaderMap;
use octocrab::models::webhook_events::verification::verify_signature;

use super::delivery::header;
use super::push::{Event, Malformed};
use super::{payload, pull_request};

/// The header with `sha256=` and the hex HMAC-SHA256 of the body. The older header with SHA-1 is not looked at.
const SIGNATURE: &str = "x-hub-signature-256";
/// The header with the event's name.
const KIND: &str = "x-github-event";
/// What a pull request's event calls another commit.
const SYNCHRONIZED: &str = "synchronize";

/// Whether the delivery carries a signature at all.
pub(super) fn is_signed(headers: &HeaderMap) -> bool {
    header(headers, SIGNATURE).is_some()
}

/// Whether the body was signed with `token`. The comparison takes the same time wherever it fails.
pub(super) fn authenticate(headers: &HeaderMap, body: &[u8], token: &[u8]) -> bool {
    header(headers, SIGNATURE).is_some_and(|signature| verify_signature(signature, token, body).is_ok())
}

/// Reads an authenticated delivery.
pub(super) fn parse(headers: &HeaderMap, body: &[u8]) -> Result<Event, Malformed> {
    match header(headers, KIND) {
        Some("push") => payload::push(body),
        Some("pull_request") => pull_request::parse(body, SYNCHRONIZED),
        Some(kind) => Ok(Event::of_kind(kind)),
        None => Err(Malformed::NoKind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forge::event::Action;
    use crate::receiver::samples::{self, signed};
    use proptest::prelude::*;

    #[test]
    fn reads_a_pull_request() {
        for (word, action) in [("opened", Action::Build), ("synchronize", Action::Build), ("closed", Action::Close)] {
            let body = samples::pull_request_body(word).to_string();
            let event = parse(&samples::github_headers("pull_request"), body.as_bytes());
            let Ok(Event::PullRequest(request)) = event else { panic!("not a pull request") };
            assert_eq!((request.action, request.commit.as_str()), (action, samples::COMMIT));
        }
    }

    #[test]
    fn reads_a_push() {
        let body = samples::github_push("refs/heads/release");
        let Ok(Event::Push(push)) = parse(&samples::github_headers("push"), &body) else { panic!("not a push") };
        assert_eq!(push.reference, "refs/heads/release");
        assert_eq!(push.commit, samples::COMMIT);
        assert_eq!(push.before.as_deref(), Some(samples::BEFORE));
        assert_eq!(push.pusher.as_deref(), Some("ana@example.com"));
    }

    #[test]
    fn a_ping_is_passed_over() {
        assert_eq!(parse(&samples::github_headers("ping"), b"{}"), Ok(Event::Ignored("ping".to_owned())));
    }

    #[test]
    fn only_sha_256_counts() {
        let body = b"{}";
        let good = signed("x-hub-signature-256", "sha256=", body, b"token");
        assert!(authenticate(&HeaderMap::from_iter([good.clone()]), body, b"token"));
        assert!(!authenticate(&HeaderMap::from_iter([good.clone()]), body, b"other"));
        let old = (http::HeaderName::from_static("x-hub-signature"), good.1);
        assert!(!authenticate(&HeaderMap::from_iter([old]), body, b"token"));
        let bare = signed("x-hub-signature-256", "", body, b"token");
        assert!(!authenticate(&HeaderMap::from_iter([bare]), body, b"token"));
    }

    proptest! {
        #[test]
        fn takes_any_bytes(body in proptest::collection::vec(any::<u8>(), 0..2000)) {
            prop_assert!(parse(&samples::github_headers("push"), &body).is_err());
        }

        #[test]
        fn takes_any_json(body in samples::any_json()) {
            let _ = parse(&samples::github_headers("push"), body.to_string().as_bytes());
        }

        #[test]
        fn takes_any_signature(header in "(sha256=)?[ -~]{0,200}", body in ".{0,200}") {
            let value = http::HeaderValue::from_str(&header).unwrap();
            let headers = HeaderMap::from_iter([(http::HeaderName::from_static("x-hub-signature-256"), value)]);
            prop_assert!(!authenticate(&headers, body.as_bytes(), b"token"));
        }
    }
}
