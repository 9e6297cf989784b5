//! Faults of a forge: why it has not done what it was asked for.
//!
//! A message holds the status code and our own words, never what the forge answered: an answer may repeat credentials.

use std::time::Duration;

use brickline_crds::Reason;
use http::{HeaderMap, StatusCode, header::RETRY_AFTER};

use super::errand::Errand;
use crate::trouble::Trouble;

/// The longest pause a forge may ask for while a reconcile waits; more is left to the next attempt of the release.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Why a forge has not done what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// The URL names no repository of a forge.
    #[error("the url is not the clone URL of a repository on a forge: <address>/<owner>/<name>.git")]
    NotAnAddress,
    /// The token can't stand in a header: it has a line end or a letter outside ASCII.
    #[error("the access token in the Secret has characters that no token has")]
    NotAToken,
    /// No connection, or it broke.
    #[error("{host} can't be reached: {cause}")]
    Unreachable { host: String, cause: String },
    /// No answer in time.
    #[error("{host} did not answer within {after:?}")]
    Late { host: String, after: Duration },
    /// The forge refused the credentials.
    #[error("{host} refused the credentials ({status})")]
    Refused { host: String, status: u16 },
    /// The forge asks to come later.
    #[error("{host} limits the number of requests ({status})")]
    Limited { host: String, status: u16, pause: Option<Duration> },
    /// The forge has a fault of its own.
    #[error("{host} has a fault of its own ({status})")]
    Broken { host: String, status: u16, pause: Option<Duration> },
    /// The forge doesn't know the repository or the commit.
    #[error("{host} doesn't know the repository or the commit, or doesn't show it to these credentials ({status})")]
    NotFound { host: String, status: u16 },
    /// The forge did not accept the request for another reason.
    #[error("{host} did not accept the request ({status})")]
    Rejected { host: String, status: u16 },
    /// The forge sends elsewhere, where credentials don't follow.
    #[error("{host} redirects ({status}), which is not followed: write the url as the forge shows it")]
    Moved { host: String, status: u16 },
    /// The answer is not one of this kind of forge.
    #[error("{host} answered, but not as a {kind} does")]
    Foreign { host: String, kind: &'static str },
    /// The forge found no refs to list, and says why in words that may repeat credentials.
    #[error("{host} doesn't list the repository's refs")]
    Unlisted { host: String },
    /// The answer is longer than anybody reads.
    #[error("{host} answered with more than {limit}")]
    Excessive { host: String, limit: &'static str },
}

impl Fault {
    /// Reads a status code that is not a success.
    pub(super) fn of(host: &str, status: StatusCode, headers: &HeaderMap) -> Self {
        let (host, code) = (host.to_owned(), status.as_u16());
        let pause = pause(headers);
        let limited = pause.is_some() || headers.get("x-ratelimit-remaining").is_some_and(|left| left == "0");
        match code {
            429 => Self::Limited { host, status: code, pause },
            403 if limited => Self::Limited { host, status: code, pause },
            401 | 403 => Self::Refused { host, status: code },
            300..=399 => Self::Moved { host, status: code },
            404 => Self::NotFound { host, status: code },
            500..=599 => Self::Broken { host, status: code, pause },
            _ => Self::Rejected { host, status: code },
        }
    }

    /// Reads a broken connection, without the address it went to.
    pub(super) fn unreachable(host: &str, error: reqwest::Error) -> Self {
        let error = error.without_url();
        let mut cause: &dyn std::error::Error = &error;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        Self::Unreachable { host: host.to_owned(), cause: cause.to_string() }
    }

    /// Whether another attempt may succeed.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Late { .. } | Self::Limited { .. } | Self::Broken { .. })
    }

    /// The pause before the next attempt: what the forge asked for, else `own`. None: it asked for too long.
    pub(super) fn pause(&self, own: Duration) -> Option<Duration> {
        let asked = match self {
            Self::Limited { pause, .. } | Self::Broken { pause, .. } => pause.unwrap_or_default(),
            _ => Duration::ZERO,
        };
        (asked <= LONGEST_PAUSE).then(|| asked.max(own))
    }

    /// The same in the words of conditions: what was asked for, what is wrong, and where to look.
    pub(super) fn trouble(&self, errand: Errand) -> Trouble {
        let (name, credentials, address) = (errand.name(), errand.credentials_field(), errand.address_field());
        let message = match self {
            Self::Refused { .. } => {
                format!("{name}: {self}: it needs {}; check the Secret of {credentials}", errand.access())
            }
            Self::NotAToken => format!("{name}: {self}; check the Secret of {credentials}"),
            Self::NotAnAddress
            | Self::NotFound { .. }
            | Self::Moved { .. }
            | Self::Foreign { .. }
            | Self::Unlisted { .. } => {
                format!("{name}: {self}; check {address}")
            }
            _ => format!("{name}: {self}"),
        };
        let reason = match self {
            Self::Refused { .. } | Self::NotAToken => Reason::AuthenticationFailed,
            Self::NotAnAddress
            | Self::Rejected { .. }
            | Self::Moved { .. }
            | Self::Foreign { .. }
            | Self::Excessive { .. } => Reason::InvalidSpec,
            _ => Reason::DependencyNotReady,
        };
        if self.is_passing() { Trouble::passing(reason, message) } else { Trouble::lasting(reason, message) }
    }
}

/// `Retry-After` in seconds, as forges send it.
fn pause(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use rstest::rstest;

    #[rstest]
    #[case(400, false, Reason::InvalidSpec)]
    #[case(401, false, Reason::AuthenticationFailed)]
    #[case(403, false, Reason::AuthenticationFailed)]
    #[case(404, false, Reason::DependencyNotReady)]
    #[case(422, false, Reason::InvalidSpec)]
    #[case(302, false, Reason::InvalidSpec)]
    #[case(429, true, Reason::DependencyNotReady)]
    #[case(500, true, Reason::DependencyNotReady)]
    #[case(503, true, Reason::DependencyNotReady)]
    fn codes_say_what_may_heal(#[case] code: u16, #[case] passing: bool, #[case] reason: Reason) {
        let fault = Fault::of("git.example.com", StatusCode::from_u16(code).unwrap(), &HeaderMap::new());
        let trouble = fault.trouble(Errand::CommitStatus);
        assert_eq!((trouble.transient, trouble.reason), (passing, reason), "{}", trouble.message);
    }

    #[test]
    fn a_rate_limit_in_a_403_heals() {
        let headers = HeaderMap::from_iter([(
            http::HeaderName::from_static("x-ratelimit-remaining"),
            HeaderValue::from_static("0"),
        )]);
        assert!(Fault::of("api.github.com", StatusCode::FORBIDDEN, &headers).is_passing());
    }

    #[test]
    fn long_pauses_are_left_to_the_release() {
        let fault = |seconds: &'static str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(seconds))]);
            Fault::of("git.example.com", StatusCode::TOO_MANY_REQUESTS, &headers)
        };
        let own = Duration::from_millis(500);
        assert_eq!(fault("2").pause(own), Some(Duration::from_secs(2)));
        assert_eq!(fault("0").pause(own), Some(own));
        assert_eq!(fault("3600").pause(own), None);
    }
}
