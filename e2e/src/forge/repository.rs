//! A repository on the forge: its branches, its pull requests, its webhooks, and what is said of its commits.

use std::time::Duration;

use reqwest::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use tokio::time::sleep;

use super::{
    Change, CommitStatus, Delivery, Forge, ForgeError,
    api::{Commit, Hook, PullRequest},
    change::first_content,
    git::WorkingCopy,
    session::Session,
    settings,
};

/// The branch that pull requests are merged into.
const RELEASE: &str = "release";
/// How often the forge is asked again for what it does in the background: for 30 seconds.
const TRIES: u32 = 300;
const PAUSE: Duration = Duration::from_millis(100);

/// A repository that belongs to the forge's account.
#[derive(Clone, Debug)]
pub struct Repository {
    forge: Forge,
    name: String,
}

/// A pull request that was merged.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Merged {
    /// The pull request's number.
    pub number: u64,
    /// The merge commit: what the branch points at now, and what the webhook names as `after`.
    pub commit: String,
}

/// A webhook of a repository.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Webhook {
    id: u64,
}

impl Repository {
    /// Makes the repository anew with the example's content on the branches `main` and `release`.
    pub(super) async fn create(forge: Forge, name: &str) -> Result<Self, ForgeError> {
        let repository = Self { forge, name: name.to_owned() };
        match repository.call(Method::DELETE, "").await {
            Ok(_) | Err(ForgeError::Refused { status: 404, .. }) => {}
            Err(error) => return Err(error),
        }
        let body = json!({ "name": name, "private": true, "default_branch": "main" });
        repository.forge.api().call(Method::POST, "/user/repos", Some(&body)).await?;
        repository.begin().await?;
        Ok(repository)
    }

    /// Pushes the first content, and waits until the forge is through with it: it looks at pushes in the background, calls
    /// the repository empty until then, and would send the first push to a webhook that was added after it. A webhook to
    /// nowhere shows when that is done.
    async fn begin(&self) -> Result<(), ForgeError> {
        let branches = ["main", RELEASE];
        let nowhere = format!("{}/api/healthz", self.forge.url());
        let sentinel = self.add_webhook(&nowhere, &settings::secret().into()).await?;
        let copy = WorkingCopy::begin(self.forge.account(), &first_content()).await?;
        copy.push(&self.clone_url(), &branches).await?;
        let mut session = self.session().await?;
        for _ in 0..TRIES {
            if session.deliveries(&self.page(sentinel)).await?.len() == branches.len() {
                self.call(Method::DELETE, &format!("/hooks/{}", sentinel.id)).await?;
                return Ok(());
            }
            sleep(PAUSE).await;
        }
        Err(ForgeError::Late("notice the first push"))
    }

    /// The address to clone from, without credentials; reachable from pods and from this machine.
    #[must_use]
    pub fn clone_url(&self) -> String {
        format!("{}/{}/{}.git", self.forge.url(), self.forge.account().name, self.name)
    }

    /// The commit that a branch points at.
    pub async fn head(&self, branch: &str) -> Result<String, ForgeError> {
        // Read from Git itself: the forge's own list of branches lags behind a push.
        let path = format!("/git/commits/{}?stat=false&files=false", branch.replace('/', "%2F"));
        let commit: Commit = self.forge.api().get(&self.path(&path)).await?;
        Ok(commit.sha)
    }

    /// Pushes a change to a branch of its own, opens a pull request into `release`, and merges it.
    pub async fn merge(&self, change: &Change) -> Result<Merged, ForgeError> {
        let title = change.title();
        let branch = format!("change-{:08x}", rand::random::<u32>());
        let copy = WorkingCopy::clone(self.forge.account(), &self.clone_url(), RELEASE).await?;
        change.make(&copy).await?;
        copy.commit(&title).await?;
        copy.push(&self.clone_url(), &[&branch]).await?;
        let number = self.open(&branch, RELEASE).await?;
        self.merge_when_ready(number).await?;
        Ok(Merged { number, commit: self.head(RELEASE).await? })
    }

    /// Opens a pull request from one branch into another, and returns its number.
    pub async fn open(&self, from: &str, into: &str) -> Result<u64, ForgeError> {
        let body = json!({ "head": from, "base": into, "title": from });
        let PullRequest { number } = self.forge.api().post(&self.path("/pulls"), &body).await?;
        Ok(number)
    }

    /// Closes a pull request without merging it.
    pub async fn close(&self, number: u64) -> Result<(), ForgeError> {
        let path = self.path(&format!("/pulls/{number}"));
        self.forge.api().call(Method::PATCH, &path, Some(&json!({ "state": "closed" }))).await.map(drop)
    }

    /// Pushes a change to a branch, without any pull request, and returns the commit; a new branch begins at `release`.
    pub async fn push(&self, branch: &str, change: &Change) -> Result<String, ForgeError> {
        let exists = match self.head(branch).await {
            Ok(_) => true,
            Err(ForgeError::Refused { status: 404, .. }) => false,
            Err(error) => return Err(error),
        };
        let from = if exists { branch } else { RELEASE };
        let copy = WorkingCopy::clone(self.forge.account(), &self.clone_url(), from).await?;
        change.make(&copy).await?;
        let commit = copy.commit(&change.title()).await?;
        copy.push(&self.clone_url(), &[branch]).await?;
        Ok(commit)
    }

    /// The forge works out in the background whether a new pull request can be merged, and asks to be patient until then.
    async fn merge_when_ready(&self, number: u64) -> Result<(), ForgeError> {
        let path = self.path(&format!("/pulls/{number}/merge"));
        let body = json!({ "Do": "merge" });
        for _ in 0..TRIES {
            match self.forge.api().call(Method::POST, &path, Some(&body)).await {
                Err(ForgeError::Refused { status: 405, message, .. }) if message.contains("try again later") => {
                    sleep(PAUSE).await;
                }
                answer => return answer.map(|_| ()),
            }
        }
        Err(ForgeError::Late("find the pull request mergeable"))
    }

    /// Makes the forge send every push to `url`, signed with `secret`; pushes to other branches too, as forges do.
    pub async fn add_webhook(&self, url: &str, secret: &SecretString) -> Result<Webhook, ForgeError> {
        self.tell(url, secret, &["push"]).await
    }

    /// The same for pull requests: that they were opened or closed, and their new commits.
    pub async fn add_pull_webhook(&self, url: &str, secret: &SecretString) -> Result<Webhook, ForgeError> {
        self.tell(url, secret, &["pull_request", "pull_request_sync"]).await
    }

    async fn tell(&self, url: &str, secret: &SecretString, events: &[&str]) -> Result<Webhook, ForgeError> {
        let config = json!({ "url": url, "content_type": "json", "secret": secret.expose_secret() });
        let body = json!({ "type": "gitea", "active": true, "events": events, "config": config });
        let Hook { id } = self.forge.api().post(&self.path("/hooks"), &body).await?;
        Ok(Webhook { id })
    }

    /// The webhook's last deliveries, newest first.
    pub async fn deliveries(&self, webhook: Webhook) -> Result<Vec<Delivery>, ForgeError> {
        self.session().await?.deliveries(&self.page(webhook)).await
    }

    /// Sends a delivery once more, as a person does by the button on the webhook's page.
    pub async fn redeliver(&self, webhook: Webhook, delivery: &Delivery) -> Result<(), ForgeError> {
        self.session().await?.redeliver(&self.page(webhook), &delivery.id).await
    }

    /// What was said of a commit, newest first.
    pub async fn statuses(&self, commit: &str) -> Result<Vec<CommitStatus>, ForgeError> {
        self.forge.api().get(&self.path(&format!("/commits/{commit}/statuses"))).await
    }

    async fn session(&self) -> Result<Session, ForgeError> {
        Session::sign_in(&self.forge.url(), self.forge.account()).await
    }

    async fn call(&self, method: Method, path: &str) -> Result<Vec<u8>, ForgeError> {
        self.forge.api().call(method, &self.path(path), None).await
    }

    fn path(&self, rest: &str) -> String {
        format!("/repos/{}/{}{rest}", self.forge.account().name, self.name)
    }

    fn page(&self, webhook: Webhook) -> String {
        format!("/{}/{}/settings/hooks/{}", self.forge.account().name, self.name, webhook.id)
    }
}
