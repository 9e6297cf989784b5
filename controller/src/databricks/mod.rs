//! The Databricks client: a thin, typed speaker of the workspace REST API, one file per API family.
//!
//! Every call says in its documentation which kind of "once" it is, and carries the same word in [`Once`] so that the
//! transport can obey it: repeated only where a repetition can't do the work twice.

pub mod auth;
pub mod clusters;
pub mod compute;
pub mod dbfs;
pub mod error;
pub mod files;
pub mod git;
pub mod jobs;
pub mod libraries;
pub mod limits;
mod newest;
mod pace;
mod reply;
pub mod runs;
pub mod scim;
pub mod storage;
pub mod tasks;
#[cfg(test)]
mod tests;
mod timings;
mod tls;
mod tolerant;
mod transport;
mod upload;
pub mod workspace;

use std::sync::Arc;

use reqwest::Url;

pub use auth::{Auth, Azure, Identity, Proof};
pub use error::{Category, Error};
pub use limits::{Family, Limits};
pub use reply::Answer;
pub use timings::Timings;
pub use tls::{HttpConfig, HttpError, connect};
pub use upload::{Parts, Upload};

use auth::Credentials;
use limits::HostLimits;
use newest::Newest;

/// What a call does when it is sent twice (the three ways an outside call may be crash-proof).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Once {
    /// The request carries a token by which Databricks recognises the repetition: repeated on a fault.
    Token,
    /// Whether it happened is seen by looking at a state recorded before: never repeated by the client.
    Observation,
    /// The second time changes nothing: repeated on a fault.
    Harmless,
}

/// Told of every attempt to reach Databricks; the controller's metrics implement it.
pub trait Observer: Send + Sync {
    /// One attempt has ended: `operation` is the API's name (`jobs/runs/get`), `outcome` is `ok` or the label of the
    /// error's [`Category`], `seconds` the time from the first byte sent to the last byte read.
    fn request(&self, operation: &'static str, outcome: &'static str, seconds: f64);
}

/// The observer of those who don't measure.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn request(&self, _operation: &'static str, _outcome: &'static str, _seconds: f64) {}
}

/// What a [`Client`] is made of.
pub struct ClientConfig {
    /// The workspace's address, `https://...` without a path.
    pub host: Url,
    /// Whom the client speaks as.
    pub auth: Auth,
    /// Connections, shared by all clients of a process; made by [`connect`], which follows no redirects.
    pub http: reqwest::Client,
    /// How long a call may take and how often it is repeated.
    pub timings: Timings,
    /// How many calls per second the workspace may be sent.
    pub limits: Limits,
    /// Told of every attempt.
    pub observer: Arc<dyn Observer>,
}

/// A workspace that can be called. Cheap to clone; clones share connections, tokens and limits.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    host: Url,
    credentials: Credentials,
    http: reqwest::Client,
    timings: Timings,
    limits: HostLimits,
    newest: Arc<Newest>,
    observer: Arc<dyn Observer>,
}

impl Client {
    /// Makes a client; does no I/O.
    ///
    /// # Errors
    /// [`Error::Protocol`] if the host is not an `http(s)` address of a machine, has a path, a query or embedded credentials.
    pub fn new(config: ClientConfig) -> Result<Self, Error> {
        let host = check_host(config.host)?;
        let newest = Newest::shared(&host);
        let limits = HostLimits::shared(&host, config.limits);
        let credentials = Credentials::new(config.auth);
        let inner = Inner {
            host,
            credentials,
            http: config.http,
            timings: config.timings,
            limits,
            newest,
            observer: config.observer,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Forgets that the credentials were refused: somebody says that they are good now.
    pub fn try_credentials_again(&self) {
        self.inner.credentials.try_again();
    }

    /// The workspace's address.
    #[must_use]
    pub fn host(&self) -> &Url {
        &self.inner.host
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("host", &self.inner.host.as_str()).finish_non_exhaustive()
    }
}

/// Credentials are attached to every request, so the address must name a machine and nothing else.
fn check_host(host: Url) -> Result<Url, Error> {
    let plain = host.username().is_empty() && host.password().is_none() && host.query().is_none();
    let known = matches!(host.scheme(), "http" | "https") && host.has_host();
    if plain && known && host.path() == "/" && host.fragment().is_none() {
        return Ok(host);
    }
    let message = "the workspace's host must be an https address without path, query or credentials".to_owned();
    Err(Error::Protocol { operation: "client", message })
}
