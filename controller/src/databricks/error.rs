//! An error says which call failed, how, and what Databricks said about it, in words fit for a condition.

use std::time::Duration;

use super::auth::{ENTRA_TOKEN, OIDC_TOKEN};
use super::reply::bounded;

/// The calls that ask for tokens.
const TOKENS: [&str; 2] = [OIDC_TOKEN, ENTRA_TOKEN];

/// Longest message taken from an answer, in characters.
pub const MAX_MESSAGE: usize = 500;

/// A call that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Databricks answered with an error.
    #[error("{operation}: {}{message}", Label(*status, code.as_deref()))]
    Api {
        /// The API's name, such as `jobs/runs/get`.
        operation: &'static str,
        /// The answer's HTTP status.
        status: u16,
        /// Databricks' `error_code`, if it gave one.
        code: Option<String>,
        /// Databricks' own words, at most [`MAX_MESSAGE`] characters.
        message: String,
        /// What the `Retry-After` header asked for.
        retry_after: Option<Duration>,
    },
    /// No connection, or it broke.
    #[error("{operation}: can't reach {host}: {message}")]
    Unreachable {
        /// The API's name.
        operation: &'static str,
        /// The machine that was called.
        host: String,
        /// What the connection reported.
        message: String,
    },
    /// Not sent: Databricks has asked not to be called for longer than the caller can wait.
    #[error("{operation}: Databricks asked for a pause of its callers, {} s of it are left", left.as_secs())]
    Held {
        /// The API's name.
        operation: &'static str,
        /// What is left of the pause.
        left: Duration,
    },
    /// Not sent: too many calls to the workspace were before it.
    #[error("{operation}: not sent, its turn among the calls to this workspace did not come within {} s", after.as_secs_f64())]
    Queued {
        /// The API's name.
        operation: &'static str,
        /// How long it waited.
        after: Duration,
    },
    /// No complete answer in time.
    #[error("{operation}: no answer within {} s", after.as_secs_f64())]
    Timeout {
        /// The API's name.
        operation: &'static str,
        /// How long the client waited.
        after: Duration,
    },
    /// The answer is not what the API promises, or the request can't be made.
    #[error("{operation}: {message}")]
    Protocol {
        /// The API's name.
        operation: &'static str,
        /// What is wrong.
        message: String,
    },
    /// The token that says who the client is could not be had from whoever makes it.
    #[error("{message}")]
    Identity {
        /// What is wrong, and what to do about it.
        message: String,
        /// What kind of failure it is.
        category: Category,
    },
    /// The file to send could not be read.
    #[error("{operation}: the file to send can't be read: {message}")]
    Source {
        /// The API's name.
        operation: &'static str,
        /// What the reader reported.
        message: String,
    },
}

/// Our own `error_code` for a page of something between: a proxy or a gateway answered with success, but not Databricks.
pub(super) const UNREADABLE: &str = "UNREADABLE_ANSWER";
/// Databricks gave the call up since another one changed the same thing at the same time: the next try meets no other.
const ABORTED: &str = "ABORTED";

/// What kind of failure it is: the few that callers tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Category {
    /// The credentials are wrong, expired or missing.
    Authentication,
    /// The identity is known but may not do this.
    Permission,
    /// What was named doesn't exist.
    NotFound,
    /// It exists already.
    Conflict,
    /// The cluster or run is in a state that doesn't allow it.
    InvalidState,
    /// Databricks refuses the request as it is; repeating won't help.
    Invalid,
    /// Too many requests.
    RateLimited,
    /// Not reachable, or the service has a fault of its own.
    Unavailable,
    /// No answer in time.
    Timeout,
    /// The answer can't be understood.
    Protocol,
}

impl Category {
    /// The category's name for metrics: `not_found`, `rate_limited` and so on.
    #[must_use]
    pub fn label(self) -> &'static str {
        self.into()
    }
}

impl Error {
    /// What kind of failure it is. Databricks' `error_code` counts more than the HTTP status.
    #[must_use]
    pub fn category(&self) -> Category {
        match self {
            // A wrong or expired token is answered 403 with these words, as if only a right were missing.
            Self::Api { status: 403, message, .. } if message.contains("access token") => Category::Authentication,
            // Whatever is refused where tokens are asked for, it is the credentials.
            Self::Api { operation, status: 400..=407 | 409..=428 | 430..=499, .. } if TOKENS.contains(operation) => {
                Category::Authentication
            }
            Self::Api { status, code, message, .. } => {
                code.as_deref().and_then(|code| by_code(code, message)).unwrap_or_else(|| by_status(*status))
            }
            Self::Identity { category, .. } => *category,
            Self::Held { .. } | Self::Queued { .. } => Category::RateLimited,
            Self::Unreachable { .. } => Category::Unavailable,
            Self::Timeout { .. } => Category::Timeout,
            Self::Protocol { .. } | Self::Source { .. } => Category::Protocol,
        }
    }

    /// Whether the same call may well succeed later: the caller should come again, not give up.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self.category(), Category::RateLimited | Category::Unavailable | Category::Timeout)
            || self.says_come_again()
    }

    /// Whether what was named doesn't exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.category() == Category::NotFound
    }

    /// The name of the call that failed.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        match self {
            Self::Api { operation, .. }
            | Self::Held { operation, .. }
            | Self::Queued { operation, .. }
            | Self::Unreachable { operation, .. }
            | Self::Timeout { operation, .. }
            | Self::Protocol { operation, .. }
            | Self::Source { operation, .. } => operation,
            Self::Identity { .. } => "identity",
        }
    }

    /// How long Databricks asked to wait, if it did.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Api { retry_after, .. } => *retry_after,
            Self::Held { left, .. } => Some(*left),
            _ => None,
        }
    }

    /// With words on what was refused.
    pub(super) fn with_hint(self, hint: &str) -> Self {
        match self {
            Self::Api { operation, status, code, message, retry_after } => {
                let message = bounded(&format!("{message} ({hint})"));
                Self::Api { operation, status, code, message, retry_after }
            }
            other => other,
        }
    }

    /// Whether the client itself may try again within the same call. An internal error (500) is left to the caller: Databricks
    /// answers it also where it is final, such as the output of a deleted run.
    pub(super) fn is_worth_repeating(&self) -> bool {
        match self {
            Self::Api { status, code, .. } => {
                let passing = matches!(status, 502..=504) || matches!(code.as_deref(), Some(UNREADABLE | ABORTED));
                passing || self.category() == Category::RateLimited || self.says_come_again()
            }
            Self::Unreachable { .. } | Self::Timeout { .. } => true,
            Self::Identity { .. }
            | Self::Held { .. }
            | Self::Queued { .. }
            | Self::Protocol { .. }
            | Self::Source { .. } => false,
        }
    }

    /// Databricks reports some passing faults only by their text (the lists are those of its own clients).
    fn says_come_again(&self) -> bool {
        const PASSING: [&str; 10] = [
            "Timed out after ",
            "deadline exceeded",
            "UnknownWorkerEnvironmentException",
            "does not have any associated worker environments",
            "There is no worker environment with id",
            "Unknown worker environment",
            "ClusterNotReadyException",
            "Unexpected error",
            "Please try again later or try a faster operation.",
            "RPC token bucket limit has been exceeded",
        ];
        match self {
            Self::Api { message, .. } => PASSING.iter().any(|words| message.contains(words)),
            _ => false,
        }
    }
}

/// `403 PERMISSION_DENIED: `, the front of an API error's message.
struct Label<'a>(u16, Option<&'a str>);

impl std::fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.1 {
            Some(code) => write!(f, "{} {code}: ", self.0),
            None => write!(f, "{}: ", self.0),
        }
    }
}

fn by_code(code: &str, message: &str) -> Option<Category> {
    Some(match code {
        "UNAUTHENTICATED"
        | "LOGIN_PAGE"
        | "INVALID_TOKEN"
        | "invalid_client"
        | "invalid_grant"
        | "unauthorized_client"
        | "invalid_token" => Category::Authentication,
        "PERMISSION_DENIED"
        | "CUSTOMER_UNAUTHORIZED"
        | "UNAUTHORIZED"
        | "FEATURE_DISABLED"
        | "PRIVATE_LINK_REQUIRED" => Category::Permission,
        "RESOURCE_DOES_NOT_EXIST" | "NOT_FOUND" | "FILE_NOT_FOUND" | "DIRECTORY_NOT_FOUND" => Category::NotFound,
        // Clusters and runs that are gone are reported as a bad parameter.
        "INVALID_PARAMETER_VALUE" if message.contains("does not exist") => Category::NotFound,
        "ALREADY_EXISTS" | "RESOURCE_ALREADY_EXISTS" | "RESOURCE_CONFLICT" | "FILE_ALREADY_EXISTS" => {
            Category::Conflict
        }
        "INVALID_STATE" => Category::InvalidState,
        "RESOURCE_EXHAUSTED" | "REQUEST_LIMIT_EXCEEDED" => Category::RateLimited,
        "TEMPORARILY_UNAVAILABLE" | UNREADABLE | ABORTED | "INTERNAL_ERROR" | "INTERNAL_SERVER_ERROR" | "DATA_LOSS" => {
            Category::Unavailable
        }
        "DEADLINE_EXCEEDED" => Category::Timeout,
        "ENDPOINT_NOT_FOUND" => Category::Protocol,
        "INVALID_PARAMETER_VALUE"
        | "MALFORMED_REQUEST"
        | "BAD_REQUEST"
        | "MAX_NOTEBOOK_SIZE_EXCEEDED"
        | "MAX_BLOCK_SIZE_EXCEEDED" => Category::Invalid,
        _ => return None,
    })
}

fn by_status(status: u16) -> Category {
    match status {
        401 => Category::Authentication,
        403 => Category::Permission,
        404 => Category::NotFound,
        409 => Category::Conflict,
        429 => Category::RateLimited,
        408 | 504 => Category::Timeout,
        400..=499 => Category::Invalid,
        500..=599 => Category::Unavailable,
        _ => Category::Protocol,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn api(status: u16, code: Option<&str>, message: &str) -> Error {
        let code = code.map(str::to_owned);
        Error::Api { operation: "clusters/get", status, code, message: message.to_owned(), retry_after: None }
    }

    #[rstest]
    #[case(403, Some("403"), "Invalid access token.", Category::Authentication)]
    #[case(403, None, "User can't manage the cluster", Category::Permission)]
    #[case(400, Some("INVALID_PARAMETER_VALUE"), "Cluster 1 does not exist", Category::NotFound)]
    #[case(400, Some("INVALID_PARAMETER_VALUE"), "num_workers must be positive", Category::Invalid)]
    #[case(400, Some("RESOURCE_ALREADY_EXISTS"), "", Category::Conflict)]
    #[case(400, Some("INVALID_STATE"), "Cluster is terminating", Category::InvalidState)]
    #[case(403, Some("RESOURCE_EXHAUSTED"), "", Category::RateLimited)]
    #[case(404, Some("SOMETHING_NEW"), "", Category::NotFound)]
    #[case(404, Some("ENDPOINT_NOT_FOUND"), "", Category::Protocol)]
    #[case(401, None, "", Category::Authentication)]
    #[case(403, None, "", Category::Permission)]
    #[case(409, None, "", Category::Conflict)]
    #[case(418, None, "", Category::Invalid)]
    #[case(500, Some("INTERNAL_ERROR"), "", Category::Unavailable)]
    #[case(302, None, "", Category::Protocol)]
    fn the_code_counts_more_than_the_status(
        #[case] status: u16,
        #[case] code: Option<&str>,
        #[case] message: &str,
        #[case] category: Category,
    ) {
        assert_eq!(api(status, code, message).category(), category);
    }

    #[rstest]
    #[case(400, Some("invalid_request"), "AADSTS90002: Tenant not found", Category::Authentication)]
    #[case(404, None, "no such principal", Category::Authentication)]
    #[case(403, Some("access_denied"), "no policy", Category::Authentication)]
    #[case(429, None, "", Category::RateLimited)]
    #[case(408, None, "", Category::Timeout)]
    #[case(503, None, "", Category::Unavailable)]
    fn what_is_refused_where_tokens_are_asked_for_is_the_credentials(
        #[case] status: u16,
        #[case] code: Option<&str>,
        #[case] message: &str,
        #[case] category: Category,
    ) {
        for operation in TOKENS {
            let (code, message) = (code.map(str::to_owned), message.to_owned());
            assert_eq!(Error::Api { operation, status, code, message, retry_after: None }.category(), category);
        }
    }

    #[rstest]
    #[case(api(429, None, ""), true, true)]
    #[case(api(503, Some("TEMPORARILY_UNAVAILABLE"), ""), true, true)]
    #[case(api(500, Some("INTERNAL_ERROR"), ""), true, false)]
    #[case(api(409, Some("ABORTED"), "concurrent modification"), true, true)]
    #[case(Error::Queued { operation: "x", after: Duration::ZERO }, true, false)]
    #[case(api(400, Some("INVALID_STATE"), "ClusterNotReadyException: wait"), true, true)]
    #[case(api(400, Some("INVALID_STATE"), ""), false, false)]
    #[case(api(401, None, ""), false, false)]
    #[case(Error::Timeout { operation: "x", after: Duration::ZERO }, true, true)]
    #[case(Error::Protocol { operation: "x", message: String::new() }, false, false)]
    #[case(Error::Held { operation: "x", left: Duration::ZERO }, true, false)]
    fn passing_faults_are_told_from_final_ones(#[case] error: Error, #[case] later: bool, #[case] now: bool) {
        assert_eq!((error.is_transient(), error.is_worth_repeating()), (later, now), "{error}");
    }

    #[test]
    fn the_message_names_the_call_the_code_and_the_words() {
        let error = api(403, Some("PERMISSION_DENIED"), "sp-release can't restart it");
        assert_eq!(error.to_string(), "clusters/get: 403 PERMISSION_DENIED: sp-release can't restart it");
        assert_eq!(Category::NotFound.label(), "not_found");
    }
}
