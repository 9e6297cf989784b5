//! An [`Auth`] with the token it currently holds, and how it was last refused.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

use super::header::Authorization;
use super::refusal::Refusal;
use super::token::Held;
use super::{Auth, entra, oidc};
use crate::databricks::{Category, Client, Error};

/// How long a token counts as fresh that nobody can renew.
const A_DAY: Duration = Duration::from_hours(24);

/// An [`Auth`] with what it holds.
pub(in crate::databricks) struct Credentials {
    auth: Auth,
    /// Held while a token is fetched, so that many callers make one request.
    held: tokio::sync::Mutex<Option<Held>>,
    refusal: Mutex<Refusal>,
    /// The path of the workspace's token endpoint.
    endpoint: OnceCell<String>,
}

/// Fetches another token beside the calls that go on with the old one; the next ones have it. A failed renewal is tried
/// again after a while.
fn renew(client: Client) {
    tokio::spawn(async move {
        let credentials = &client.inner.credentials;
        match credentials.fetch(&client).await {
            Ok(new) => *credentials.held.lock().await = Some(new),
            Err(error) => tracing::info!(%error, "the token is not renewed yet: the old one is used on"),
        }
    });
}

impl Credentials {
    pub(in crate::databricks) fn new(auth: Auth) -> Self {
        let (held, refusal) = (tokio::sync::Mutex::default(), Mutex::default());
        Self { auth, held, refusal, endpoint: OnceCell::new() }
    }

    /// What to send with a request now.
    ///
    /// # Errors
    /// The last refusal, without a request, while its pause lasts.
    pub(in crate::databricks) async fn authorization(&self, client: &Client) -> Result<Authorization, Error> {
        let mut held = self.held.lock().await;
        // After the lock: whoever had it before may have been refused, and that answer is for all who waited.
        self.refusal().admit(Instant::now())?;
        if let Some(old) = held.as_mut() {
            if old.is_fresh(Instant::now()) {
                return Ok(old.authorization.clone());
            }
            // Renewal is early: while the old token still holds, a slow or faulty token service is none of ours.
            if let Some(kept) = old.keep_on(Instant::now()) {
                renew(client.clone());
                return Ok(kept);
            }
        }
        match self.fetch(client).await {
            Ok(new) => Ok(held.insert(new).authorization.clone()),
            Err(error) => {
                self.refused(&error);
                Err(error)
            }
        }
    }

    /// The token that is held has to be renewed, and still holds.
    #[cfg(test)]
    pub(in crate::databricks) async fn grow_old(&self) {
        if let Some(held) = self.held.lock().await.as_mut() {
            held.grow_old(Instant::now());
        }
    }

    /// Databricks answered a call with this authorization. True if it was refused and another can be fetched in its place.
    pub(in crate::databricks) async fn answered(&self, with: &Authorization, error: Option<&Error>) -> bool {
        match error {
            Some(error) if error.category() == Category::Authentication => {}
            // It was looked at, and taken.
            None | Some(Error::Api { status: ..500, .. }) => {
                self.refusal().clear();
                return false;
            }
            Some(_) => return false,
        }
        let mut held = self.held.lock().await;
        if held.as_ref().is_some_and(|held| held.authorization.is(with)) {
            *held = None;
        }
        !matches!(self.auth, Auth::Token(_))
    }

    /// Databricks refused them, and there are no others.
    pub(in crate::databricks) fn refused(&self, error: &Error) {
        if error.category() == Category::Authentication {
            self.refusal().refused(error, Instant::now());
        }
    }

    /// Somebody says that they are good now.
    pub(in crate::databricks) fn try_again(&self) {
        self.refusal().clear();
    }

    fn refusal(&self) -> MutexGuard<'_, Refusal> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fetch(&self, client: &Client) -> Result<Held, Error> {
        let endpoint = || self.endpoint.get_or_try_init(|| oidc::discover(client));
        match &self.auth {
            Auth::Token(token) => Ok(Held::new(Authorization::bearer(token), A_DAY, Instant::now())),
            Auth::OAuth { client_id, client_secret } => {
                oidc::by_secret(client, endpoint().await?, client_id, client_secret).await
            }
            Auth::Federation { client_id, identity } => {
                oidc::by_trust(client, endpoint().await?, client_id.as_deref(), identity.as_ref()).await
            }
            Auth::Azure(azure) => entra::fetch(client, azure).await,
        }
    }
}
