//! The forge: a real Git host that holds the example repository and sends signed webhooks.
//!
//! Reading order: [`program`] builds Gitea; [`settings`] configures it; [`server`] runs it; [`api`] and [`session`] talk to
//! it; [`git`] pushes; [`repository`] is what scenarios use, with the changes of [`change`].

mod account;
mod api;
mod change;
mod git;
mod program;
mod repository;
mod server;
mod session;
mod settings;

use std::{
    fs, io,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use thiserror::Error;

pub use self::{
    account::Account,
    api::CommitStatus,
    change::Change,
    program::REQUIREMENTS,
    repository::{Merged, Repository, Webhook},
    session::Delivery,
};
use self::{
    api::Api,
    program::Program,
    server::{Running, Server},
};
use crate::{
    cache::{Cache, CacheError},
    command::CommandError,
    go::GoError,
    progress::Progress,
    requirements::RequirementError,
};

/// Why the forge did not do what it was asked for. No variant ever holds a secret.
#[derive(Debug, Error)]
pub enum ForgeError {
    /// A program failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The cache could not be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// A program is missing and could not be installed.
    #[error(transparent)]
    Requirement(#[from] RequirementError),
    /// Gitea could not be built.
    #[error(transparent)]
    Go(#[from] GoError),
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The address that the forge shall listen on is not one of this machine's.
    #[error("the forge can't listen on {ip}: {source}")]
    Address {
        /// The address.
        ip: IpAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The server ended or stayed silent instead of answering.
    #[error("the forge did not become ready; its log ends:\n{tail}")]
    NotReady {
        /// The log's last lines.
        tail: String,
    },
    /// The server could not be reached or broke the connection.
    #[error("the forge could not be asked: {0}")]
    Connection(#[from] reqwest::Error),
    /// The server said no.
    #[error("the forge refused {call}: {status} {message}")]
    Refused {
        /// The method and path.
        call: String,
        /// The HTTP status.
        status: u16,
        /// The server's words.
        message: String,
    },
    /// The server said something that this version of it should not say.
    #[error("the forge gave {0}, which was not expected")]
    Unexpected(&'static str),
    /// An answer was no JSON, or another JSON than expected.
    #[error("the forge's answer could not be read: {0}")]
    Answer(#[from] serde_json::Error),
    /// Something that the forge does in the background did not happen in half a minute.
    #[error("the forge did not {0} in time")]
    Late(&'static str),
}

impl ForgeError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

/// A running forge. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Forge {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    running: Running,
    account: Account,
    api: Api,
    folder: PathBuf,
}

impl Forge {
    /// Brings a forge up on `ip`, which pods must be able to reach: the one that is there already if it listens on that
    /// address and answers, else a new and empty one.
    pub async fn up(cache: &Cache, progress: &Progress, ip: IpAddr) -> Result<Self, ForgeError> {
        let _lock = cache.lock("forge").await?;
        let folder = cache.folder("forge")?;
        if let Some(running) = Running::find(&folder)
            && running.address.ip() == ip
            && running.answers().await
            && let Some(account) = noted_account(&folder)
        {
            return Self::new(running, account, folder);
        }
        let server = Server::new(folder.clone(), Program::build(cache, progress).await?);
        let (running, account) = progress.step("Start the forge", server.start(ip)).await?;
        Self::new(running, account, folder)
    }

    /// Stops the forge and removes its content.
    pub async fn down(&self) -> Result<(), ForgeError> {
        server::stop(&self.inner.folder).await
    }

    /// Stops the forge that an earlier process left running, if there is one.
    pub async fn down_any(cache: &Cache) -> Result<(), ForgeError> {
        let _lock = cache.lock("forge").await?;
        server::stop(&cache.folder("forge")?).await
    }

    /// The forge's address without a slash at the end, the same for pods and for this machine.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.inner.running.address)
    }

    /// The account that owns the repositories; its token also clones and reports commit statuses.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.inner.account
    }

    /// Makes a private repository with the example's content; an older one of the same name is replaced.
    pub async fn repository(&self, name: &str) -> Result<Repository, ForgeError> {
        Repository::create(self.clone(), name).await
    }

    fn new(running: Running, account: Account, folder: PathBuf) -> Result<Self, ForgeError> {
        let api = Api::new(&format!("http://{}", running.address), &account.token)?;
        Ok(Self { inner: Arc::new(Inner { running, account, api, folder }) })
    }

    fn api(&self) -> &Api {
        &self.inner.api
    }
}

fn noted_account(folder: &Path) -> Option<Account> {
    serde_json::from_str(&fs::read_to_string(folder.join("account.json")).ok()?).ok()
}

#[cfg(test)]
mod tests;
