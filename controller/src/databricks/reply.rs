//! A reply is what came back: its bytes if the call succeeded, otherwise what can be read of the error, in whatever
//! shape it came. Pure; it never panics, whatever the bytes.

use std::time::Duration;

use bytes::Bytes;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::error::{Error, MAX_MESSAGE, UNREADABLE};

/// The longest pause taken from a `Retry-After` header.
const MAX_RETRY_AFTER: Duration = Duration::from_mins(10);

/// What a good answer is. A gateway's page comes with success too, and is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// JSON, or nothing.
    Json,
    /// A file that is no page of the web.
    File,
    /// A file that may be a page of the web itself: nothing tells it from a gateway's.
    Page,
}

/// What came back of one attempt, body bounded.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// What an error answer says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    code: Option<String>,
    message: String,
}

impl Reply {
    /// Turns everything that is not a success into an error, and with it a page where something else was promised.
    pub(super) fn check(self, operation: &'static str, promised: Answer) -> Result<Self, Error> {
        if self.status.is_redirection() {
            let fault = redirected(&self.headers);
            return Err(self.error(operation, fault));
        }
        if !self.status.is_success() {
            let fault = read_fault(&self.body, self.status);
            return Err(self.error(operation, fault));
        }
        match promised {
            Answer::Json if !looks_like_json(&self.body) => Err(self.surprise(operation, "not JSON")),
            Answer::File if is_page(&self.headers, &self.body) => Err(self.surprise(operation, "a page, not the file")),
            _ => Ok(self),
        }
    }

    /// Takes secrets out of what an error would show, as they are and as JSON writes them, before any of it is cut.
    pub(super) fn without(mut self, secrets: &[SecretString]) -> Self {
        if self.status.is_success() && looks_like_json(&self.body) {
            return self;
        }
        for secret in secrets.iter().map(ExposeSecret::expose_secret).filter(|secret| !secret.is_empty()) {
            let quoted = Value::from(secret).to_string();
            let inner = quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(&quoted);
            let text = String::from_utf8_lossy(&self.body);
            self.body = text.replace(secret, "***").replace(inner, "***").into_bytes().into();
        }
        self
    }

    /// The value of `Content-Length`, which a HEAD answer has without a body.
    pub(super) fn content_length(&self) -> Option<u64> {
        self.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
    }

    fn error(&self, operation: &'static str, fault: Fault) -> Error {
        let retry_after = read_retry_after(&self.headers);
        Error::Api { operation, status: self.status.as_u16(), code: fault.code, message: fault.message, retry_after }
    }

    pub(super) fn surprise(&self, operation: &'static str, what: &str) -> Error {
        let text = String::from_utf8_lossy(&self.body);
        if text.to_lowercase().contains("login") {
            return self.error(operation, login_page());
        }
        let message = format!("the answer is {what}: {}", bounded(&read_text(&text)));
        self.error(operation, Fault { code: Some(UNREADABLE.to_owned()), message })
    }
}

/// Cuts a text to what fits into a condition, on one line, without control characters.
pub(super) fn bounded(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut message: String = line.chars().filter(|c| !c.is_control()).take(MAX_MESSAGE).collect();
    if line.chars().count() > MAX_MESSAGE {
        message.pop();
        message.push('…');
    }
    message
}

fn login_page() -> Fault {
    let message = "answered with a login page: this is not a workspace's API, or it refuses the credentials";
    Fault { code: Some("LOGIN_PAGE".to_owned()), message: message.to_owned() }
}

/// Redirects are not followed, they would take the credentials elsewhere. Only the way to the login page has a meaning.
fn redirected(headers: &HeaderMap) -> Fault {
    let location = headers.get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if location.contains("private-link-validation-error") {
        let message = "the workspace is reached only over its private link";
        return Fault { code: Some("PRIVATE_LINK_REQUIRED".to_owned()), message: message.to_owned() };
    }
    if location.contains("login") {
        return login_page();
    }
    let to = location.split(['?', '#']).next().unwrap_or_default();
    Fault { code: None, message: bounded(&format!("redirected to {to}, which is not followed")) }
}

/// Seconds, or nothing: Databricks sends no dates.
fn read_retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
}

fn looks_like_json(body: &[u8]) -> bool {
    matches!(body.trim_ascii_start().first(), None | Some(b'{' | b'['))
}

/// Whether this is the beginning of a page of the web. Of an answer without a body its type tells.
pub(super) fn is_page(headers: &HeaderMap, body: &[u8]) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_ascii_lowercase();
    let text = body.trim_ascii_start();
    let begins = |with: &str| text.get(..with.len()).is_some_and(|front| front.eq_ignore_ascii_case(with.as_bytes()));
    let is_told = kind.contains("html") || kind.contains("xml");
    ["<!doctype", "<html", "<?xml"].into_iter().any(begins) || is_told && matches!(text.first(), None | Some(b'<'))
}

/// Reads an error answer: Databricks' JSON, OAuth's, SCIM's, that of API 1.2, `CODE: text`, a page, or nothing at all.
pub(super) fn read_fault(body: &[u8], status: StatusCode) -> Fault {
    let fault = match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(object)) => read_object(&object),
        _ => read_line(&String::from_utf8_lossy(body)),
    };
    if fault.message.is_empty() {
        return Fault { message: status.canonical_reason().unwrap_or("no reason given").to_owned(), ..fault };
    }
    fault
}

fn read_object(object: &serde_json::Map<String, Value>) -> Fault {
    let text = |key: &str| object.get(key).and_then(as_text).filter(|text| !text.is_empty());
    let oauth = object.contains_key("error_description");
    let code = text("error_code").or_else(|| text("scimType")).or_else(|| text("error").filter(|_| oauth));
    let message =
        text("message").or_else(|| text("error_description")).or_else(|| text("detail")).or_else(|| text("error"));
    Fault { code: code.map(|code| bounded(&code)), message: bounded(&message.unwrap_or_default()) }
}

/// Some answers have a number where others have a text, or an object with a `message`.
fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Object(object) => object.get("message")?.as_str().map(str::to_owned),
        _ => None,
    }
}

fn read_line(text: &str) -> Fault {
    let text = read_text(text);
    match text.split_once(':') {
        Some((code, message)) if is_code(code) => Fault { code: Some(code.to_owned()), message: bounded(message) },
        _ => Fault { code: None, message: bounded(&text) },
    }
}

fn is_code(word: &str) -> bool {
    let shape = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    (3..=100).contains(&word.len()) && word.starts_with(|c: char| c.is_ascii_uppercase()) && word.chars().all(shape)
}

/// Of a page, what stands in `<pre>` or `<title>`; other text as it is.
fn read_text(text: &str) -> String {
    let text = text.trim();
    if !text.starts_with('<') {
        return text.to_owned();
    }
    let inner = element(text, "pre").or_else(|| element(text, "title")).unwrap_or(text);
    crate::verdict::markup::to_text(inner).trim().to_owned()
}

fn element<'a>(page: &'a str, name: &str) -> Option<&'a str> {
    let lower = page.to_ascii_lowercase();
    let open = lower.find(&format!("<{name}"))?;
    let start = open + lower[open..].find('>')? + 1;
    let end = start + lower[start..].find(&format!("</{name}"))?;
    page.get(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case(
        r#"{"error_code":"INVALID_STATE","message":"Cluster is busy","details":[]}"#,
        Some("INVALID_STATE"),
        "Cluster is busy"
    )]
    #[case(r#"{"error_code":404,"message":"gone"}"#, Some("404"), "gone")]
    #[case(r#"{"error":"Exception: old API"}"#, None, "Exception: old API")]
    #[case(r#"{"error":{"message":"nested"}}"#, None, "nested")]
    #[case(
        r#"{"error":"invalid_client","error_description":"no such client"}"#,
        Some("invalid_client"),
        "no such client"
    )]
    #[case(
        r#"{"schemas":["x"],"detail":"not a member","status":"403","scimType":"invalidValue"}"#,
        Some("invalidValue"),
        "not a member"
    )]
    #[case(r#"{"error_code":"INTERNAL_ERROR","message":""}"#, Some("INTERNAL_ERROR"), "Bad Request")]
    #[case("", None, "Bad Request")]
    #[case("[]", None, "[]")]
    #[case("MALFORMED_REQUEST: no path", Some("MALFORMED_REQUEST"), "no path")]
    #[case("Error: no path", None, "Error: no path")]
    #[case("<html><title>Bad</title><body><pre>NOT_FOUND: a &lt;b&gt;</pre></body>", Some("NOT_FOUND"), "a <b>")]
    #[case("<html><TITLE>502 Bad Gateway</TITLE></html>", None, "502 Bad Gateway")]
    #[case("<Error><Message>xml</Message></Error>", None, "xml")]
    fn every_shape_of_error_is_read(#[case] body: &str, #[case] code: Option<&str>, #[case] message: &str) {
        let fault = read_fault(body.as_bytes(), StatusCode::BAD_REQUEST);
        assert_eq!((fault.code.as_deref(), fault.message.as_str()), (code, message));
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_bounded_fault(body in proptest::collection::vec(any::<u8>(), 0..2000), status in 400u16..600) {
            let fault = read_fault(&body, StatusCode::from_u16(status).expect("a status"));
            prop_assert!(!fault.message.is_empty());
            prop_assert!(fault.message.chars().count() <= MAX_MESSAGE);
        }

        #[test]
        fn any_page_or_json_gives_a_bounded_fault(text in r#"[<{]?"?(error_code|message|pre|title|[a-zß]*)"?[>:]\PC{0,2000}[<}]?"#) {
            let fault = read_fault(text.as_bytes(), StatusCode::BAD_REQUEST);
            prop_assert!(fault.message.chars().count() <= MAX_MESSAGE);
        }
    }
}
