//! Why a host has not handed an artifact out.
//!
//! A message holds the host, the status code and our own words: neither the rest of the URL nor what the host answered.

use std::time::Duration;

use brickline_crds::Reason;
use reqwest::StatusCode;

use crate::trouble::Trouble;

/// Why a host has not handed an artifact out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// The platform doesn't want it to be asked.
    #[error(
        "artifacts are taken from no host but those that the chart's artifactSources.allowedHosts lists, and {host} is none of them"
    )]
    NotListed { host: String },
    /// The token can't stand in a header.
    #[error("the token in the Secret of source.artifact.credentialsRef has characters that no token has")]
    NotAToken,
    /// No connection, or it broke before an answer came.
    #[error("{host} can't be reached: {cause}")]
    Unreachable { host: String, cause: String },
    /// No answer in time.
    #[error("{host} did not answer within {after:?}")]
    Silent { host: String, after: Duration },
    /// It refused the credentials.
    #[error("{host} refused the credentials ({status}): check the Secret of source.artifact.credentialsRef")]
    Refused { host: String, status: u16 },
    /// It wants credentials, or takes this URL no longer.
    #[error(
        "{host} refused ({status}): name credentials in source.artifact.credentialsRef; a signed URL may have expired"
    )]
    Closed { host: String, status: u16 },
    /// It has no such file.
    #[error("{host} has no such file ({status}): check source.artifact.url")]
    Missing { host: String, status: u16 },
    /// It has a fault of its own, or asks to come later.
    #[error("{host} has no answer at the moment ({status})")]
    Busy { host: String, status: u16 },
    /// It answered something else.
    #[error("{host} answered {status}, and no file: check source.artifact.url")]
    Odd { host: String, status: u16 },
    /// It sends elsewhere, where credentials don't follow.
    #[error("{host} redirects ({status}), which is not followed with credentials: write the URL that it redirects to")]
    Moved { host: String, status: u16 },
    /// It sends to no address, to one with credentials in it, or from `https` to `http`.
    #[error("{host} redirects ({status}) to where nobody is sent: write another URL")]
    Lost { host: String, status: u16 },
    /// It sends on and on.
    #[error("{host} leads on through more than {redirects} redirects: write the URL where they end")]
    TooFar { host: String, redirects: usize },
}

impl Fault {
    /// Reads a status code that is neither a success nor a redirect. `known`: credentials were sent.
    pub(super) fn of(host: String, status: StatusCode, known: bool) -> Self {
        let code = status.as_u16();
        match code {
            401 | 403 if known => Self::Refused { host, status: code },
            401 | 403 => Self::Closed { host, status: code },
            404 | 410 => Self::Missing { host, status: code },
            408 | 425 | 429 | 500..=599 => Self::Busy { host, status: code },
            _ => Self::Odd { host, status: code },
        }
    }

    /// The same in the words of conditions.
    pub(super) fn into_trouble(self) -> Trouble {
        let message = format!("source.artifact: {self}");
        match self {
            Self::NotListed { .. } => Trouble::lasting(Reason::NotAuthorized, message),
            Self::Refused { .. } | Self::NotAToken | Self::Closed { .. } => {
                Trouble::lasting(Reason::AuthenticationFailed, message)
            }
            Self::Unreachable { .. } | Self::Silent { .. } | Self::Busy { .. } => {
                Trouble::passing(Reason::ArtifactFailed, message)
            }
            Self::Missing { .. } | Self::Odd { .. } | Self::Moved { .. } | Self::Lost { .. } | Self::TooFar { .. } => {
                Trouble::lasting(Reason::ArtifactFailed, message)
            }
        }
    }
}
