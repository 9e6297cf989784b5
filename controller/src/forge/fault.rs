//! Faults of a forge: why it has not taken a commit status.
//!
//! A message holds the status code and our own words, never what the forge answered: an answer may repeat credentials.

use std::time::Duration;

use brickline_crds::Reason;
use http::{HeaderMap, StatusCode, header::RETRY_AFTER};

use crate::trouble::Trouble;

/// The longest pause a forge may ask for while a reconcile waits; more is left to the next attempt of the release.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Why a forge has not taken a commit status.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// `source.git.url` names no repository of a forge.
    #[error("source.git.url is not the clone URL of a repository on a forge: <address>/<owner>/<name>.git")]
    NotAnAddress,
    /// The token can't stand in a header: it has a line end or a letter outside ASCII.
    #[error("the access token in the Secret of source.git.credentialsRef has characters that no token has")]
    NotAToken,
    /// No connection, or it broke.
    #[error("{host} can't be reached: {cause}")]
    Unreachable { host: String, cause: String },
    /// No answer in time.
    #[error("{host} did not answer within {after:?}")]
    Late { host: String, after: Duration },
    /// The forge refused the credentials.
    #[error(
        "{host} refused the credentials ({status}): a commit status needs write access to the repository's statuses"
    )]
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
    #[error("{host} did not accept the commit status ({status})")]
    Rejected { host: String, status: u16 },
    /// The answer is not one of this kind of forge.
    #[error("{host} answered, but not as a {kind} forge does: check source.git.provider and url")]
    Foreign { host: String, kind: &'static str },
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

    /// The same in the words of a phase.
    pub(super) fn trouble(&self) -> Trouble {
        let message = format!("commit status: {self}");
        let reason = match self {
            Self::Refused { .. } | Self::NotAToken => Reason::AuthenticationFailed,
            Self::NotAnAddress | Self::Rejected { .. } | Self::Foreign { .. } => Reason::InvalidSpec,
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
        let trouble = fault.trouble();
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
