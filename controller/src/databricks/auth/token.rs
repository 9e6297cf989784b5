//! A token with the time it is good for.

use std::time::{Duration, Instant};

use secrecy::SecretString;
use serde::Deserialize;

use super::header::Authorization;
use crate::databricks::Error;
use crate::databricks::transport::protocol;

/// A token with less than this left is refused by some workspaces.
const LEAST_LEFT: Duration = Duration::from_secs(40);
/// A token is renewed at the latest when this is left, if half of its life is not shorter.
const RENEW_LEFT: Duration = Duration::from_mins(20);
/// When a renewal that failed is tried again, while the old token holds.
const TRY_AGAIN: Duration = Duration::from_secs(30);

/// What token endpoints answer.
#[derive(Deserialize)]
pub(super) struct TokenAnswer {
    pub(super) access_token: SecretString,
    #[serde(default, deserialize_with = "crate::databricks::tolerant::integer")]
    expires_in: Option<i64>,
}

impl TokenAnswer {
    pub(super) fn read(operation: &'static str, body: &[u8]) -> Result<Self, Error> {
        // The answer holds a token: say only that it can't be read.
        serde_json::from_slice(body).map_err(|_| protocol(operation, &"the answer holds no access_token"))
    }

    pub(super) fn life(&self) -> Duration {
        Duration::from_secs(self.expires_in.and_then(|life| u64::try_from(life).ok()).unwrap_or(0).min(86_400))
    }
}

/// A token that is held.
pub(super) struct Held {
    pub(super) authorization: Authorization,
    renew_at: Instant,
    useless_at: Instant,
}

impl Held {
    pub(super) fn new(authorization: Authorization, life: Duration, now: Instant) -> Self {
        let renew_at = now + life.saturating_sub((life / 2).min(RENEW_LEFT));
        let useless_at = now + life.saturating_sub(LEAST_LEFT);
        Self { authorization, renew_at, useless_at }
    }

    /// Whether it need not be renewed yet.
    pub(super) fn is_fresh(&self, now: Instant) -> bool {
        now < self.renew_at
    }

    /// It is renewed beside the calls: while it holds it is used on, and the renewal is tried again after a while.
    pub(super) fn keep_on(&mut self, now: Instant) -> Option<Authorization> {
        self.renew_at = now + TRY_AGAIN;
        (now < self.useless_at).then(|| self.authorization.clone())
    }

    #[cfg(test)]
    pub(super) fn grow_old(&mut self, now: Instant) {
        self.renew_at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(3600, 2400, 3560)]
    #[case(600, 300, 560)]
    #[case(0, 0, 0)]
    fn tokens_are_renewed_early(#[case] life: u64, #[case] renew: u64, #[case] useless: u64) {
        let now = Instant::now();
        let held = Held::new(Authorization::none(), Duration::from_secs(life), now);
        assert_eq!(((held.renew_at - now).as_secs(), (held.useless_at - now).as_secs()), (renew, useless));
    }

    #[test]
    fn one_that_can_not_be_renewed_is_used_to_its_end() {
        let now = Instant::now();
        let mut held = Held::new(Authorization::none(), Duration::from_hours(1), now);
        let later = now + Duration::from_secs(2500);
        assert!(!held.is_fresh(later) && held.keep_on(later).is_some());
        assert!(held.is_fresh(later + TRY_AGAIN / 2), "the token service is not asked with every call");
        assert!(held.keep_on(now + Duration::from_secs(3560)).is_none());
    }

    #[rstest]
    #[case(br#"{"access_token": "t", "expires_in": 3599}"#, Some(3599))]
    #[case(br#"{"access_token": "t", "expires_in": "3599"}"#, Some(3599))]
    #[case(br#"{"access_token": "t", "expires_in": -1}"#, Some(0))]
    #[case(br#"{"access_token": "t"}"#, Some(0))]
    #[case(br#"{"id_token": "t"}"#, None)]
    #[case(b"<html></html>", None)]
    fn answers_are_read(#[case] body: &[u8], #[case] life: Option<u64>) {
        assert_eq!(TokenAnswer::read("oidc/token", body).ok().map(|answer| answer.life().as_secs()), life);
    }
}
