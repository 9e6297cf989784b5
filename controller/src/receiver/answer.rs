//! An answer: what the forge hears about its delivery, and what the metric counts. No detail of a fault is in it.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header::CONNECTION, header::RETRY_AFTER};
use serde_json::{Value, json};

use super::push::Malformed;
use crate::creation::Creation;

/// What the forge hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Releases exist for the push: those just created, and those that did already.
    Released { created: Vec<String>, duplicates: Vec<String> },
    /// A pull request was closed: its releases that are canceled now.
    Canceled(Vec<String>),
    /// Nothing to release, and why.
    Ignored(String),
    /// The signature is missing or wrong.
    Unauthenticated,
    /// The body is larger than is taken.
    TooLarge,
    /// The body did not arrive in time, or not whole.
    Incomplete,
    /// The signature is right, the body is not.
    Invalid(Malformed),
    /// No pipeline takes webhooks at this path.
    Unknown,
    /// The pipeline is suspended.
    Suspended,
    /// Too many deliveries at once.
    Overloaded,
    /// A fault on our side, told in the log only.
    Failed,
}

impl Answer {
    /// The answer's name in the metric.
    pub(super) fn outcome(&self) -> &'static str {
        match self {
            Self::Released { created, .. } if created.is_empty() => "duplicate",
            Self::Released { .. } => "created",
            Self::Canceled(_) => "canceled",
            Self::Ignored(_) => "ignored",
            Self::Unauthenticated => "unauthenticated",
            Self::TooLarge => "too_large",
            Self::Incomplete | Self::Invalid(_) => "invalid",
            Self::Unknown => "unknown",
            Self::Suspended => "suspended",
            Self::Overloaded => "overloaded",
            Self::Failed => "error",
        }
    }

    /// The answer for two pipelines together: what went wrong for one goes before what went well for the other,
    /// because a forge that sends again then reaches both.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (
                Self::Released { mut created, mut duplicates },
                Self::Released { created: also_created, duplicates: also_duplicates },
            ) => {
                created.extend(also_created);
                duplicates.extend(also_duplicates);
                Self::Released { created, duplicates }
            }
            (Self::Canceled(one), Self::Canceled(other)) => Self::Canceled([one, other].concat()),
            (one, other) if one.weight() >= other.weight() => one,
            (_, other) => other,
        }
    }

    fn weight(&self) -> u8 {
        match self {
            Self::Ignored(_) => 0,
            Self::Released { .. } | Self::Canceled(_) => 1,
            Self::Suspended => 2,
            Self::Failed => 4,
            _ => 3,
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Released { created, .. } if !created.is_empty() => StatusCode::ACCEPTED,
            Self::Canceled(_) => StatusCode::ACCEPTED,
            Self::Released { .. } | Self::Ignored(_) => StatusCode::OK,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Incomplete => StatusCode::REQUEST_TIMEOUT,
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::Unknown => StatusCode::NOT_FOUND,
            Self::Suspended | Self::Overloaded | Self::Failed => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Seconds after which sending again makes sense.
    fn retry_after(&self) -> Option<u16> {
        match self {
            Self::Overloaded => Some(5),
            Self::Failed => Some(10),
            Self::Suspended => Some(300),
            _ => None,
        }
    }

    fn body(&self) -> Value {
        match self {
            Self::Released { created, duplicates } => released(created, duplicates),
            Self::Canceled(releases) => json!({ "canceled": releases }),
            Self::Ignored(why) => json!({ "ignored": why }),
            Self::Unauthenticated => json!({ "error": "the signature is missing or wrong" }),
            Self::TooLarge => json!({ "error": "the body is larger than 3 MiB" }),
            Self::Incomplete => json!({ "error": "the body did not arrive" }),
            Self::Invalid(malformed) => json!({ "error": malformed.to_string() }),
            Self::Unknown => json!({ "error": "no pipeline takes webhooks here" }),
            Self::Suspended => json!({ "error": "the pipeline is suspended" }),
            Self::Overloaded => json!({ "error": "too many deliveries at once" }),
            Self::Failed => json!({ "error": "the delivery can't be taken now" }),
        }
    }
}

fn released(created: &[String], duplicates: &[String]) -> Value {
    let all: Vec<&String> = created.iter().chain(duplicates).collect();
    let mut body = json!({ "release": all.first() });
    if created.is_empty() {
        body["duplicate"] = json!(true);
    }
    if all.len() > 1 {
        body["releases"] = json!(all);
    }
    body
}

impl From<Creation> for Answer {
    fn from(creation: Creation) -> Self {
        match creation {
            Creation::Created(name) => Self::Released { created: vec![name], duplicates: Vec::new() },
            Creation::Duplicate(name) => Self::Released { created: Vec::new(), duplicates: vec![name] },
        }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = (self.status(), Json(self.body())).into_response();
        if let Some(seconds) = self.retry_after() {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if matches!(self, Self::TooLarge | Self::Incomplete | Self::Overloaded) {
            // The rest of the body is not read.
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn created(name: &str) -> Answer {
        Creation::Created(name.to_owned()).into()
    }

    #[test]
    fn releases_of_several_pipelines_are_told_together() {
        let both = created("a-1").and(Creation::Duplicate("b-2".to_owned()).into());
        assert_eq!(both.outcome(), "created");
        assert_eq!(both.body(), json!({"release": "a-1", "releases": ["a-1", "b-2"]}));
    }

    #[test]
    fn what_went_wrong_goes_first() {
        assert_eq!(created("a").and(Answer::Failed), Answer::Failed);
        assert_eq!(Answer::Suspended.and(created("a")), Answer::Suspended);
        assert_eq!(Answer::Ignored("branch".to_owned()).and(created("a")), created("a"));
    }
}
