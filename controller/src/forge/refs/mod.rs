//! The newest commits of branches, asked of the forge as `git ls-remote` does: git's smart HTTP, two requests at most.
//!
//! Protocol 2 lets the caller name the branches, so the answer is short; a server without it answers with every ref.
//! Both requests only read, so they may be repeated. Sources: git's documents gitprotocol-http, -v2 and -pack.

#[cfg(test)]
mod tests;
mod wire;

use std::collections::BTreeMap;
use std::time::Duration;

use brickline_crds::{Reason, Repository};
use http::header::{ACCEPT, CONTENT_TYPE, PRAGMA, USER_AGENT};
use reqwest::{RequestBuilder, Response, Url};
use secrecy::ExposeSecret;

use super::credentials::{self, Credentials, Proof};
use super::errand::Errand;
use super::fault::Fault;
use crate::context::Context;
use crate::forge::branch::Wanted;
use crate::trouble::Trouble;
use wire::{Advertisement, Unread};

/// Commits by full ref: `refs/heads/release` → 40 hex characters, or 64 in a SHA-256 repository.
pub(crate) type Refs = BTreeMap<String, String>;

/// The longest answer that is read.
const BYTES: usize = 10 << 20;
/// The longest time for both requests together: a reconcile waits for it.
const PATIENCE: Duration = Duration::from_secs(30);
/// The user name that goes with a token, as at the checkout; forges look at the token alone.
const TOKEN_USER: &str = "x-access-token";
/// Some forges answer git clients alone.
const AGENT: &str = concat!("git/2.0 (brickline ", env!("CARGO_PKG_VERSION"), ")");
const SERVICE: &str = "git-upload-pack";

/// The newest commits of the branches that `branches` means (names or globs), with the credentials of the repository's
/// `credentialsRef`. A branch that is gone is missing in the answer.
///
/// # Errors
/// `InvalidSpec` for a URL that isn't HTTP's, a server that doesn't speak git's smart HTTP or has too many branches;
/// `AuthenticationFailed`; `DependencyNotReady` for what is missing or can't be reached.
pub(crate) async fn ls_remote(
    repository: &Repository,
    branches: &[String],
    namespace: &str,
    context: &Context,
) -> Result<Refs, Trouble> {
    let url = address(&repository.url)?;
    let credentials = match &repository.credentials_ref {
        Some(reference) => Some(credentials::load(&context.kube, namespace, &reference.name, Errand::Branches).await?),
        None => None,
    };
    let http = match &credentials {
        Some(credentials) => super::connection(&context.http, &context.settings, credentials, Errand::Branches)?,
        None => context.http.clone(),
    };
    Remote { http, url, credentials }.list(branches, PATIENCE).await
}

/// The repository's URL, if refs can be asked for there.
fn address(url: &str) -> Result<Url, Trouble> {
    let url = url.trim();
    if url.starts_with("ssh://") || !url.contains("://") {
        let message = "poll and schedules need an https repository URL: write repository.url as https://..., and a user \
                       name and password, or a token, into the Secret of repository.credentialsRef";
        return Err(Trouble::lasting(Reason::InvalidSpec, message));
    }
    let read = Url::parse(url).ok().filter(|url| {
        matches!(url.scheme(), "https" | "http") && url.has_host() && url.query().is_none() && url.fragment().is_none()
    });
    let mut read = read.ok_or_else(|| Fault::NotAnAddress.trouble(Errand::Branches))?;
    // Credentials come from the Secret alone. Neither call fails on a URL with a host.
    let _ = (read.set_username(""), read.set_password(None));
    Ok(read)
}

/// A repository on a forge.
struct Remote {
    http: reqwest::Client,
    url: Url,
    credentials: Option<Credentials>,
}

impl Remote {
    async fn list(&self, branches: &[String], patience: Duration) -> Result<Refs, Trouble> {
        let late = Fault::Late { host: self.host(), after: patience };
        let listed = tokio::time::timeout(patience, self.ask(branches)).await.unwrap_or(Err(late));
        listed.map_err(|fault| fault.trouble(Errand::Branches))
    }

    async fn ask(&self, branches: &[String]) -> Result<Refs, Fault> {
        let wanted = Wanted::read(branches);
        let body = self.advertisement().await?;
        match wire::advertisement(&body, &wanted).map_err(|unread| self.fault(unread))? {
            Advertisement::Refs(refs) => Ok(refs),
            Advertisement::Version2 { object_format } => {
                let body = self.command(wire::ls_refs(branches, object_format.as_deref())).await?;
                wire::refs(&body, &wanted).map_err(|unread| self.fault(unread))
            }
        }
    }

    async fn advertisement(&self) -> Result<Vec<u8>, Fault> {
        let mut url = self.endpoint("info/refs");
        url.set_query(Some("service=git-upload-pack"));
        self.exchange(self.http.get(url), "advertisement").await
    }

    async fn command(&self, command: Vec<u8>) -> Result<Vec<u8>, Fault> {
        let request = self.http.post(self.endpoint(SERVICE)).body(command);
        self.exchange(request.header(CONTENT_TYPE, "application/x-git-upload-pack-request"), "result").await
    }

    /// One request: its answer's body, if git itself has answered with what was asked for.
    async fn exchange(&self, request: RequestBuilder, kind: &str) -> Result<Vec<u8>, Fault> {
        let expected = format!("application/x-{SERVICE}-{kind}");
        let request = request
            .header("git-protocol", "version=2")
            .header(ACCEPT, &expected)
            .header(PRAGMA, "no-cache")
            .header(USER_AGENT, AGENT);
        let response = self.authenticate(request).send().await.map_err(|error| self.unreachable(error))?;
        if !response.status().is_success() {
            return Err(Fault::of(&self.host(), response.status(), response.headers()));
        }
        // A page to log in, or a server of plain files.
        let said = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if said.split(';').next().unwrap_or_default().trim() != expected {
            return Err(self.foreign());
        }
        self.body(response).await
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, Fault> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(error))? {
            if body.len() + chunk.len() > BYTES {
                return Err(Fault::Excessive { host: self.host(), limit: "10 MiB of refs" });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn authenticate(&self, request: RequestBuilder) -> RequestBuilder {
        match self.credentials.as_ref().map(|credentials| &credentials.proof) {
            Some(Proof::Password { username, password }) => {
                request.basic_auth(username, Some(password.expose_secret()))
            }
            Some(Proof::Token(token)) => request.basic_auth(TOKEN_USER, Some(token.expose_secret())),
            None => request,
        }
    }

    /// `<url>/<path>`, as git makes it: `.git` stays where it is.
    fn endpoint(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        url.set_path(&format!("{}/{path}", self.url.path().trim_end_matches('/')));
        url
    }

    fn host(&self) -> String {
        self.url.host_str().unwrap_or_default().to_owned()
    }

    fn unreachable(&self, error: reqwest::Error) -> Fault {
        Fault::unreachable(&self.host(), error)
    }

    fn foreign(&self) -> Fault {
        Fault::Foreign { host: self.host(), kind: "git server with smart HTTP" }
    }

    fn fault(&self, unread: Unread) -> Fault {
        match unread {
            Unread::NotGit => self.foreign(),
            Unread::Complaint => Fault::Unlisted { host: self.host() },
            Unread::TooMany => {
                Fault::Excessive { host: self.host(), limit: "10,000 branches that trigger.branches means" }
            }
        }
    }
}
