//! Auth is whom the client speaks as, and how the tokens for it are got, kept and renewed.

mod credentials;
mod entra;
mod header;
mod oidc;
mod refusal;
mod token;

use std::sync::Arc;

use futures::future::BoxFuture;
use reqwest::Url;
use secrecy::SecretString;

use super::error::Error;

pub(super) use credentials::Credentials;
pub(super) use entra::TOKEN as ENTRA_TOKEN;
pub(super) use header::Authorization;
pub(super) use oidc::TOKEN as OIDC_TOKEN;

/// Whom a client speaks as.
#[derive(Clone)]
#[non_exhaustive]
pub enum Auth {
    /// A personal access token (or any bearer token that somebody else renews).
    Token(SecretString),
    /// A service principal with a secret: OAuth machine-to-machine.
    /// <https://docs.databricks.com/aws/en/dev-tools/auth/oauth-m2m>
    OAuth {
        /// The service principal's application id.
        client_id: String,
        /// Its OAuth secret.
        client_secret: SecretString,
    },
    /// A service principal that trusts somebody else's tokens: workload identity federation.
    /// <https://docs.databricks.com/aws/en/dev-tools/auth/oauth-federation>
    Federation {
        /// The service principal's application id; `None`: the account's own policy says who it is.
        client_id: Option<String>,
        /// Who makes the tokens.
        identity: Arc<dyn Identity>,
    },
    /// A service principal of Microsoft Entra.
    Azure(Azure),
}

/// A service principal of Microsoft Entra.
/// <https://learn.microsoft.com/azure/databricks/dev-tools/auth/azure-sp>
#[derive(Clone)]
pub struct Azure {
    /// Where it logs in, such as `https://login.microsoftonline.com`; `None`: where the cloud of the workspace's host does.
    pub login: Option<Url>,
    /// The directory's id or domain.
    pub tenant_id: String,
    /// The service principal's application id.
    pub client_id: String,
    /// How it proves who it is.
    pub proof: Proof,
    /// The workspace's resource id, for a service principal that is no member of the workspace.
    pub resource_id: Option<String>,
}

/// How a service principal proves to Entra who it is.
#[derive(Clone)]
#[non_exhaustive]
pub enum Proof {
    /// By a secret.
    Secret(SecretString),
    /// By a token that it trusts.
    Assertion(Arc<dyn Identity>),
}

/// Somebody who makes short-lived tokens (JWT) that say who the client is.
pub trait Identity: Send + Sync {
    /// A new token. Never used twice.
    ///
    /// # Errors
    /// [`Error::Identity`] if it can't be had.
    fn token(&self) -> BoxFuture<'_, Result<SecretString, Error>>;

    /// Whom the token names and for whom it is meant, for the message when it is refused.
    fn describe(&self) -> String;
}
