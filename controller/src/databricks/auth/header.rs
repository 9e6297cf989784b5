//! What a request carries to say who sends it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use crate::databricks::Error;

const MANAGEMENT_TOKEN: HeaderName = HeaderName::from_static("x-databricks-azure-sp-management-token");
const RESOURCE_ID: HeaderName = HeaderName::from_static("x-databricks-azure-workspace-resource-id");

/// The headers of one attempt.
#[derive(Clone, Default)]
pub(in crate::databricks) struct Authorization {
    headers: Vec<(HeaderName, SecretString)>,
    secrets: Vec<SecretString>,
}

impl Authorization {
    /// A request that nobody has to sign.
    pub(super) fn none() -> Self {
        Self::default()
    }

    pub(super) fn bearer(token: &SecretString) -> Self {
        let header = format!("Bearer {}", token.expose_secret());
        Self { headers: vec![(AUTHORIZATION, header.into())], secrets: vec![token.clone()] }
    }

    pub(super) fn basic(user: &str, password: &SecretString) -> Self {
        let pair = BASE64_STANDARD.encode(format!("{user}:{}", password.expose_secret()));
        Self { headers: vec![(AUTHORIZATION, format!("Basic {pair}").into())], secrets: vec![password.clone()] }
    }

    /// With what tells Databricks that a service principal of Azure, though no member, may manage the workspace.
    pub(super) fn managing(mut self, token: &SecretString, resource_id: &str) -> Self {
        self.headers.push((MANAGEMENT_TOKEN, token.clone()));
        self.headers.push((RESOURCE_ID, resource_id.into()));
        self.secrets.push(token.clone());
        self
    }

    /// The headers, marked as sensitive. One that can't be a header is left out: the call is then refused as
    /// unauthenticated.
    pub(in crate::databricks) fn headers(&self) -> HeaderMap {
        let value = |text: &SecretString| {
            let mut value = HeaderValue::from_str(text.expose_secret()).ok()?;
            value.set_sensitive(true);
            Some(value)
        };
        self.headers.iter().filter_map(|(name, text)| Some((name.clone(), value(text)?))).collect()
    }

    /// Whether both are the same.
    pub(super) fn is(&self, other: &Self) -> bool {
        let texts = |one: &Self| -> Vec<String> {
            one.secrets.iter().map(|secret| secret.expose_secret().to_owned()).collect()
        };
        texts(self) == texts(other)
    }

    /// Takes the secrets out of an error, should an answer repeat them.
    pub(in crate::databricks) fn redact(&self, error: Error) -> Error {
        let clean = |text: String| {
            let secrets = self.secrets.iter().map(ExposeSecret::expose_secret).filter(|secret| !secret.is_empty());
            secrets.fold(text, |text, secret| text.replace(secret, "***"))
        };
        match error {
            Error::Api { operation, status, code, message, retry_after } => {
                Error::Api { operation, status, code, message: clean(message), retry_after }
            }
            Error::Protocol { operation, message } => Error::Protocol { operation, message: clean(message) },
            other => other,
        }
    }
}
