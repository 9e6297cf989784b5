//! Auth is whom the client speaks as, and how the tokens for it are got, kept and renewed.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::Method;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::error::Error;
use super::limits::Family;
use super::transport::{Call, protocol};
use super::{Client, Once};

/// A token with less than this left is refused by some workspaces.
const LEAST_LEFT: Duration = Duration::from_secs(40);
/// A token is renewed at the latest when this is left, if half of its life is not shorter.
const RENEW_LEFT: Duration = Duration::from_mins(20);

/// Whom a client speaks as.
#[derive(Clone)]
#[non_exhaustive]
pub enum Auth {
    /// A personal access token (or any bearer token that somebody else renews).
    Token(SecretString),
    /// A service principal with a secret: OAuth machine-to-machine, `POST /oidc/v1/token`.
    OAuth {
        /// The service principal's application id.
        client_id: String,
        /// Its OAuth secret.
        client_secret: SecretString,
    },
}

/// The value of the `Authorization` header of one attempt.
#[derive(Clone)]
pub(super) struct Authorization {
    header: SecretString,
    secret: SecretString,
}

impl Authorization {
    fn bearer(token: &SecretString) -> Self {
        Self { header: format!("Bearer {}", token.expose_secret()).into(), secret: token.clone() }
    }

    fn basic(user: &str, password: &SecretString) -> Self {
        let pair = BASE64_STANDARD.encode(format!("{user}:{}", password.expose_secret()));
        Self { header: format!("Basic {pair}").into(), secret: password.clone() }
    }

    /// The header, marked as sensitive; `None` if the secret can't stand in a header: the call is then refused as unauthenticated.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(self.header.expose_secret()).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// Takes the secret out of an error, should an answer repeat it.
    pub(super) fn redact(&self, error: Error) -> Error {
        let secret = self.secret.expose_secret();
        match error {
            Error::Api { operation, status, code, message, retry_after } if !secret.is_empty() => {
                Error::Api { operation, status, code, message: message.replace(secret, "***"), retry_after }
            }
            Error::Protocol { operation, message } if !secret.is_empty() => {
                Error::Protocol { operation, message: message.replace(secret, "***") }
            }
            other => other,
        }
    }
}

/// An [`Auth`] with the token it currently holds.
pub(super) struct Credentials {
    auth: Auth,
    /// Held while a token is fetched, so that many callers make one request.
    held: Mutex<Option<Held>>,
}

struct Held {
    authorization: Authorization,
    renew_at: Instant,
    useless_at: Instant,
}

impl Credentials {
    pub(super) fn new(auth: Auth) -> Self {
        Self { auth, held: Mutex::new(None) }
    }

    /// What to send with a request now.
    pub(super) async fn authorization(&self, client: &Client) -> Result<Authorization, Error> {
        match &self.auth {
            Auth::Token(token) => Ok(Authorization::bearer(token)),
            Auth::OAuth { client_id, client_secret } => self.exchanged(client, client_id, client_secret).await,
        }
    }

    /// Drops a token Databricks refused; true if a new one can be fetched in its place.
    pub(super) async fn forget(&self, refused: &Authorization) -> bool {
        let mut held = self.held.lock().await;
        let same = |held: &Held| held.authorization.secret.expose_secret() == refused.secret.expose_secret();
        if held.as_ref().is_some_and(same) {
            *held = None;
        }
        !matches!(self.auth, Auth::Token(_))
    }

    async fn exchanged(&self, client: &Client, id: &str, secret: &SecretString) -> Result<Authorization, Error> {
        let mut held = self.held.lock().await;
        let now = Instant::now();
        if let Some(fresh) = held.as_ref().filter(|held| now < held.renew_at) {
            return Ok(fresh.authorization.clone());
        }
        match (fetch(client, id, secret).await, held.as_ref()) {
            (Ok(new), _) => Ok(held.insert(new).authorization.clone()),
            // Renewal is early: while the old token still holds, a passing fault of the token service is none of ours.
            (Err(error), Some(old)) if error.is_transient() && now < old.useless_at => Ok(old.authorization.clone()),
            (Err(error), _) => Err(error),
        }
    }
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: SecretString,
    #[serde(default)]
    expires_in: u64,
}

/// `POST /oidc/v1/token`, grant `client_credentials`. Harmless when repeated: each answer is a token of its own.
async fn fetch(client: &Client, id: &str, secret: &SecretString) -> Result<Held, Error> {
    const OPERATION: &str = "oidc/token";
    let call = Call::new(OPERATION, Family::Identity, Method::POST, "/oidc/v1/token", Once::Harmless)
        .body("application/x-www-form-urlencoded", "grant_type=client_credentials&scope=all-apis");
    let reply = client.exchange(&call, None, &Authorization::basic(id, secret)).await?;
    let answer: TokenAnswer = serde_json::from_slice(&reply.body)
        // The answer holds a token: say only that it can't be read.
        .map_err(|_| protocol(OPERATION, &"the answer holds no access_token"))?;
    Ok(hold(&answer, Instant::now()))
}

fn hold(answer: &TokenAnswer, now: Instant) -> Held {
    let life = Duration::from_secs(answer.expires_in.min(86_400));
    let renew_at = now + life.saturating_sub((life / 2).min(RENEW_LEFT));
    let useless_at = now + life.saturating_sub(LEAST_LEFT);
    Held { authorization: Authorization::bearer(&answer.access_token), renew_at, useless_at }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(3600, 2400, 3560)]
    #[case(600, 300, 560)]
    #[case(0, 0, 0)]
    fn tokens_are_renewed_early(#[case] life: u64, #[case] renew: u64, #[case] useless: u64) {
        let now = Instant::now();
        let held = hold(&TokenAnswer { access_token: "t".into(), expires_in: life }, now);
        assert_eq!(((held.renew_at - now).as_secs(), (held.useless_at - now).as_secs()), (renew, useless));
    }
}
