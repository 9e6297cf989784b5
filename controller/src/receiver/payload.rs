//! What Gitea, Forgejo and GitHub write alike: the shape of a push, of a repository and of a person. Fields that don't matter
//! here are passed over; a typed library would refuse a delivery for any of them, and a push must not be lost for a field
//! nobody reads.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::push::{Claim, Event, MAX_URLS, Malformed, is_usable};

/// Reads the body of an authenticated delivery.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Malformed> {
    // The error's text may quote the body.
    serde_json::from_slice(body).map_err(|_| Malformed::Json)
}

/// Reads a push.
pub(super) fn push(body: &[u8]) -> Result<Event, Malformed> {
    read::<Push>(body)?.claim().check()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Push {
    #[serde(rename = "ref")]
    reference: Option<String>,
    before: Option<String>,
    after: Option<String>,
    deleted: Option<bool>,
    repository: Option<Repository>,
    pusher: Option<Person>,
    sender: Option<Person>,
}

impl Push {
    fn claim(self) -> Claim {
        let (pusher, sender) = (self.pusher.unwrap_or_default(), self.sender.unwrap_or_default());
        Claim {
            repository_urls: self.repository.unwrap_or_default().urls(),
            reference: self.reference,
            before: self.before,
            after: self.after,
            deleted: self.deleted.unwrap_or_default(),
            pushers: [pusher.names(), sender.names()].concat(),
        }
    }
}

/// A repository.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Repository {
    pub(super) id: Option<u64>,
    #[serde(rename = "clone_url")]
    clone: Option<String>,
    #[serde(rename = "ssh_url")]
    ssh: Option<String>,
    #[serde(rename = "html_url")]
    page: Option<String>,
}

impl Repository {
    /// The forms of its address that may be a clone URL.
    pub(super) fn urls(self) -> Vec<String> {
        let urls = [self.clone, self.ssh, self.page].into_iter().flatten();
        urls.filter(|url| is_usable(url)).take(MAX_URLS).collect()
    }
}

/// Somebody with an account, or what a commit says of its author.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Person {
    email: Option<String>,
    login: Option<String>,
    /// GitHub's word for a pusher's login.
    name: Option<String>,
}

impl Person {
    /// What they are known by, the best first.
    pub(super) fn names(self) -> Vec<String> {
        [self.email, self.login, self.name].into_iter().flatten().collect()
    }
}
