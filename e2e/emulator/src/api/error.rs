//! Errors in the shape that Databricks' clients expect: `{"error_code": ..., "message": ...}`.

use crate::state::Refusal;
use axum::{
    Json,
    http::{Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, code) = kind(&self);
        if status.is_server_error() {
            tracing::error!(error = %self, "a request failed");
        }
        let message = self.to_string();
        let reason = message.parse().ok();
        let mut response = (status, Json(json!({ "error_code": code, "message": message }))).into_response();
        if let Some(reason) = reason {
            response.headers_mut().insert("x-databricks-reason-phrase", reason);
        }
        response
    }
}

fn kind(refusal: &Refusal) -> (StatusCode, Value) {
    let (status, code) = match refusal {
        Refusal::NotFound(_) => (StatusCode::NOT_FOUND, "RESOURCE_DOES_NOT_EXIST"),
        Refusal::NotebookExists(_) | Refusal::DbfsExists(_) => (StatusCode::BAD_REQUEST, "RESOURCE_ALREADY_EXISTS"),
        Refusal::NotebookInTheWay(_) => (StatusCode::BAD_REQUEST, ""),
        Refusal::FileExists(_) => (StatusCode::CONFLICT, "RESOURCE_ALREADY_EXISTS"),
        Refusal::Invalid(_) => (StatusCode::BAD_REQUEST, "INVALID_PARAMETER_VALUE"),
        Refusal::InvalidState(_) => (StatusCode::BAD_REQUEST, "INVALID_STATE"),
        Refusal::Malformed(_) => (StatusCode::BAD_REQUEST, "MALFORMED_REQUEST"),
        Refusal::Unsupported(_) => (StatusCode::BAD_REQUEST, "FEATURE_DISABLED"),
        Refusal::NotebookTooLarge(_) => (StatusCode::BAD_REQUEST, "MAX_NOTEBOOK_SIZE_EXCEEDED"),
        Refusal::BodyTooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "MALFORMED_REQUEST"),
        Refusal::BlockTooLarge(_) => (StatusCode::BAD_REQUEST, "MAX_BLOCK_SIZE_EXCEEDED"),
        Refusal::NotEmpty(_) => (StatusCode::BAD_REQUEST, "DIRECTORY_NOT_EMPTY"),
        Refusal::QuotaExceeded(_) => (StatusCode::BAD_REQUEST, "QUOTA_EXCEEDED"),
        Refusal::GitCredential(code @ "CREDENTIAL_NOT_FOUND", _) => (StatusCode::NOT_FOUND, *code),
        Refusal::GitCredential(code, _) => (StatusCode::BAD_REQUEST, *code),
        Refusal::TooManyRuns(_) => (StatusCode::TOO_MANY_REQUESTS, "REQUEST_LIMIT_EXCEEDED"),
        // These two carry a number, as the real service does: a client that insists on a string is found out.
        Refusal::NoCredential | Refusal::Expired => return (StatusCode::UNAUTHORIZED, 401.into()),
        Refusal::BadCredential | Refusal::NotMember => return (StatusCode::FORBIDDEN, 403.into()),
        Refusal::Storage(_) => (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR"),
    };
    (status, code.into())
}

/// The framework says in plain text what it refuses by itself; clients expect JSON of everything.
pub(crate) async fn shape(response: Response) -> Response {
    const MAX: usize = 64 * 1024;
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let is_plain = kind.is_none_or(|kind| kind.starts_with("text/plain"));
    if !response.status().is_client_error() || !is_plain {
        return response;
    }
    let (status, body) = (response.status(), response.into_body());
    let text = axum::body::to_bytes(body, MAX).await.unwrap_or_default();
    let message = String::from_utf8_lossy(&text);
    (status, Json(json!({ "error_code": "MALFORMED_REQUEST", "message": message }))).into_response()
}

/// Answers what no route knows.
pub(crate) async fn unknown(method: Method, uri: Uri) -> Response {
    let message = format!("No API found for '{method} {}'", uri.path());
    (StatusCode::NOT_FOUND, Json(json!({ "error_code": "ENDPOINT_NOT_FOUND", "message": message }))).into_response()
}
