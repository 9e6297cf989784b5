//! Gitea's and Forgejo's webhooks: authenticate, then parse.

use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use sha2::Sha256;

use super::delivery::header;
use super::push::{Event, Malformed};
use super::{payload, pull_request};

/// Headers with the hex HMAC-SHA256 of the body. Forgejo sends both.
const SIGNATURES: [&str; 2] = ["x-forgejo-signature", "x-gitea-signature"];
/// Headers with the event's name.
const KINDS: [&str; 2] = ["x-forgejo-event", "x-gitea-event"];
/// What a pull request's event calls another commit.
const SYNCHRONIZED: &str = "synchronized";

/// Whether the delivery carries a signature at all.
pub(super) fn is_signed(headers: &HeaderMap) -> bool {
    signature(headers).is_some()
}

/// Whether the body was signed with `token`. The comparison takes the same time wherever it fails.
pub(super) fn authenticate(headers: &HeaderMap, body: &[u8], token: &[u8]) -> bool {
    let (Some(signature), Ok(mut mac)) = (signature(headers), Hmac::<Sha256>::new_from_slice(token)) else {
        return false;
    };
    mac.update(body);
    mac.verify_slice(&signature).is_ok()
}

/// Reads an authenticated delivery.
pub(super) fn parse(headers: &HeaderMap, body: &[u8]) -> Result<Event, Malformed> {
    match KINDS.iter().find_map(|name| header(headers, name)) {
        Some("push") => payload::push(body),
        Some("pull_request") => pull_request::parse(body, SYNCHRONIZED),
        Some(kind) => Ok(Event::of_kind(kind)),
        None => Err(Malformed::NoKind),
    }
}

fn signature(headers: &HeaderMap) -> Option<Vec<u8>> {
    let hex = SIGNATURES.iter().find_map(|name| header(headers, name))?;
    data_encoding::HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forge::event::Action;
    use crate::receiver::samples::{self, signed};
    use proptest::prelude::*;

    #[test]
    fn reads_a_pull_request() {
        for (word, action) in [("opened", Action::Build), ("synchronized", Action::Build), ("closed", Action::Close)] {
            let body = samples::pull_request_body(word).to_string();
            let event = parse(&samples::gitea_headers("pull_request"), body.as_bytes());
            let Ok(Event::PullRequest(request)) = event else { panic!("not a pull request") };
            assert_eq!((request.action, request.commit.as_str()), (action, samples::COMMIT));
        }
    }

    #[test]
    fn reads_a_push() {
        let Ok(Event::Push(push)) = parse(&samples::gitea_headers("push"), &samples::gitea_push("refs/heads/release"))
        else {
            panic!("not a push")
        };
        assert_eq!(push.reference, "refs/heads/release");
        assert_eq!(push.commit, samples::COMMIT);
        assert_eq!(push.before.as_deref(), Some(samples::BEFORE));
        assert_eq!(push.pusher.as_deref(), Some("ana@example.com"));
        assert!(push.repository_urls.contains(&"https://git.example.com/data/dbxdemo.git".to_owned()));
    }

    #[test]
    fn other_events_are_passed_over() {
        let ignored = |kind: &str| parse(&samples::gitea_headers(kind), b"not JSON");
        assert_eq!(ignored("ping"), Ok(Event::Ignored("ping".to_owned())));
        assert_eq!(ignored("issues"), Ok(Event::Ignored("event issues".to_owned())));
    }

    #[test]
    fn every_bit_of_the_body_is_signed() {
        let body = b"{\"ref\": \"refs/heads/release\"}";
        let headers = HeaderMap::from_iter([signed("x-gitea-signature", "", body, b"token")]);
        assert!(authenticate(&headers, body, b"token"));
        assert!(!authenticate(&headers, body, b"other"));
        assert!(!authenticate(&headers, b"{\"ref\": \"refs/heads/releasE\"}", b"token"));
        assert!(!authenticate(&HeaderMap::new(), body, b"token"));
    }

    #[test]
    fn a_part_of_a_signature_is_none() {
        let body = b"{}";
        let (name, value) = signed("x-gitea-signature", "", body, b"token");
        for length in 0..64 {
            let part = http::HeaderValue::from_bytes(&value.as_bytes()[..length]).unwrap();
            assert!(!authenticate(&HeaderMap::from_iter([(name.clone(), part)]), body, b"token"), "{length}");
        }
    }

    #[test]
    fn forgejos_own_signature_counts() {
        let good = signed("x-forgejo-signature", "", b"{}", b"token");
        let bad = signed("x-gitea-signature", "", b"{}", b"other");
        assert!(authenticate(&HeaderMap::from_iter([good, bad]), b"{}", b"token"));
    }

    proptest! {
        #[test]
        fn takes_any_bytes(body in proptest::collection::vec(any::<u8>(), 0..2000)) {
            prop_assert!(parse(&samples::gitea_headers("push"), &body).is_err());
        }

        #[test]
        fn takes_any_json(body in samples::any_json()) {
            let _ = parse(&samples::gitea_headers("push"), body.to_string().as_bytes());
        }

        #[test]
        fn takes_any_signature(header in "[ -~]{0,200}", body in ".{0,200}") {
            let value = http::HeaderValue::from_str(&header).unwrap();
            let headers = HeaderMap::from_iter([(http::HeaderName::from_static("x-gitea-signature"), value)]);
            prop_assert!(!authenticate(&headers, body.as_bytes(), b"token"));
        }
    }
}
