//! An answer of the API server, with the warnings that `kubectl` would print.

use anyhow::{bail, ensure};
use http::{Response, header::WARNING};
use serde_json::{Value, json};

/// What the API server said to one request.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The texts of its `Warning` headers.
    pub warnings: Vec<String>,
    /// Its body: the object, or a `Status` that says why not.
    pub body: Value,
}

impl Answer {
    /// Reads a response whose body was collected already.
    pub(crate) fn read(response: &Response<Vec<u8>>) -> Self {
        let warnings = response.headers().get_all(WARNING).iter();
        let warnings = warnings.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect();
        // A path that is not served is answered in plain text.
        let text = || json!({"message": String::from_utf8_lossy(response.body()).trim()});
        let body = serde_json::from_slice(response.body()).unwrap_or_else(|_| text());
        Self { status: response.status().as_u16(), warnings, body }
    }

    /// The object, if the request was granted without any warning.
    pub fn accepted(self) -> anyhow::Result<Value> {
        ensure!((200..300).contains(&self.status), "refused with {}: {}", self.status, self.message());
        ensure!(self.warnings.is_empty(), "accepted with warnings: {:?}", self.warnings);
        Ok(self.body)
    }

    /// Whether it was refused with this status in these words.
    pub fn refused(&self, status: u16, words: &str) -> anyhow::Result<()> {
        if self.status < 300 {
            bail!("accepted, but expected: {words}");
        }
        ensure!(self.message().contains(words), "expected: {words}\n     but got: {}", self.message());
        ensure!(self.status == status, "refused with {} instead of {status}: {}", self.status, self.message());
        Ok(())
    }

    /// The sentence that a user reads.
    #[must_use]
    pub fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }

    /// The paths of the fields that the refusal is about, such as `spec.deploy.items.0.to`; empty for the object as a whole.
    #[must_use]
    pub fn fields(&self) -> Vec<String> {
        self.causes().into_iter().map(|(field, _)| field).collect()
    }

    /// The same with what is said of each.
    #[must_use]
    pub fn causes(&self) -> Vec<(String, &str)> {
        let causes = self.body["details"]["causes"].as_array().into_iter().flatten();
        let causes = causes.filter_map(|cause| cause["field"].as_str().zip(cause["message"].as_str()));
        // The API server writes `items[0].to` and `clusters[main].id`.
        causes.map(|(field, said)| (field.replace("<nil>", "").replace('[', ".").replace(']', ""), said)).collect()
    }
}
