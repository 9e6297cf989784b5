//! Arguments of a request: query and JSON body in one, whatever the content type says; the old clients send none.

use crate::state::Refusal;
use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, Request},
};
use futures::StreamExt;
use serde::{Deserialize, Deserializer, de, de::DeserializeOwned};
use serde_json::{Map, Value};

/// Room for a 10 MB notebook in base64 with its JSON.
pub(crate) const MAX_BODY: usize = 16 * 1024 * 1024;

/// The arguments of a request, read into `T`.
pub(crate) struct Arguments<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Arguments<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let (parts, body) = request.into_parts();
        let mut values = Map::new();
        for (name, value) in form(parts.uri.query().unwrap_or_default()) {
            values.insert(name, Value::String(value));
        }
        let bytes = read(body, MAX_BODY).await?.ok_or(Refusal::BodyTooLarge(MAX_BODY))?;
        values.extend(parse(&bytes)?);
        let value = T::deserialize(Value::Object(values)).map_err(|error| Refusal::Malformed(error.to_string()))?;
        Ok(Self(value))
    }
}

/// The pairs of a query or a form.
pub(crate) fn form(text: &str) -> impl Iterator<Item = (String, String)> {
    let decode = |text: &str| {
        let text = text.replace('+', " ");
        percent_encoding::percent_decode_str(&text).decode_utf8_lossy().into_owned()
    };
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs.map(move |pair| {
        pair.split_once('=').map_or_else(|| (decode(pair), String::new()), |(a, b)| (decode(a), decode(b)))
    })
}

/// The whole body, or `None` if it is longer than `limit`.
pub(crate) async fn read(body: Body, limit: usize) -> Result<Option<Bytes>, Refusal> {
    let mut data = body.into_data_stream();
    let mut whole = Vec::new();
    while let Some(part) = data.next().await {
        let part = part.map_err(|error| Refusal::Malformed(error.to_string()))?;
        if whole.len() + part.len() > limit {
            return Ok(None);
        }
        whole.extend_from_slice(&part);
    }
    Ok(Some(whole.into()))
}

/// A JSON object; an empty body is an empty one.
fn parse(bytes: &[u8]) -> Result<Map<String, Value>, Refusal> {
    if bytes.trim_ascii().is_empty() {
        return Ok(Map::new());
    }
    serde_json::from_slice(bytes).map_err(|error| Refusal::Malformed(error.to_string()))
}

/// A whole number, also as a string: the old clients send ids so.
pub(crate) fn number<'de, D: Deserializer<'de>, T: TryFrom<i64>>(deserializer: D) -> Result<T, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let number = value.as_i64().or_else(|| value.as_str()?.parse().ok());
    let number = number.and_then(|number| T::try_from(number).ok());
    number.ok_or_else(|| de::Error::custom(format!("{value} is not a whole number in range")))
}

/// The same for one that may be absent.
pub(crate) fn maybe_number<'de, D: Deserializer<'de>, T: TryFrom<i64>>(deserializer: D) -> Result<Option<T>, D::Error> {
    number(deserializer).map(Some)
}

/// A boolean, also as a string: queries and forms have nothing else.
pub(crate) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Bool(flag) => Ok(flag),
        Value::Null => Ok(false),
        // The old command line writes Python's `True`.
        Value::String(text) => match text.to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" | "" => Ok(false),
            _ => Err(de::Error::custom(format!("{text} is neither true nor false"))),
        },
        other => Err(de::Error::custom(format!("{other} is neither true nor false"))),
    }
}

/// Decodes base64 that may have been wrapped into lines.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, Refusal> {
    use base64::Engine;
    let compact: String = text.split_ascii_whitespace().collect();
    let decoded = base64::engine::general_purpose::STANDARD.decode(compact);
    decoded.map_err(|error| Refusal::Invalid(format!("The content is not base64: {error}")))
}

/// Encodes to base64.
pub(crate) fn encode(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
