//! One Secret kept in sight: a watch of its metadata alone, by its name, that begins where somebody has read it.
//!
//! A reflector would list first. A watch needs no right to list, and its request names the Secret, so that a Role may
//! grant it by `resourceNames` too. What the Secret holds is not part of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use futures::{StreamExt, pin_mut};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{WatchEvent, WatchParams};
use kube::{Api, ResourceExt};

/// How long one watch lasts before the next one takes over. It also bounds how long a dead connection goes unnoticed.
const LIFE: u32 = 290;

/// The version of a Secret, as its watch knows it; `None` while it is absent or out of sight.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen(Arc<Mutex<Option<String>>>);

impl Seen {
    pub(super) fn new(version: Option<String>) -> Self {
        Self(Arc::new(Mutex::new(version)))
    }

    pub(super) fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, version: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = version;
    }
}

/// How long to wait after a fault: missing rights and an API server that is away are asked about rarely.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub(super) first: Duration,
    pub(super) longest: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { first: Duration::from_secs(2), longest: Duration::from_mins(1) }
    }
}

impl Patience {
    fn pauses(self) -> ExponentialBackoff {
        let pauses = ExponentialBuilder::default().with_min_delay(self.first).with_max_delay(self.longest);
        pauses.without_max_times().with_jitter().build()
    }
}

/// A Secret to keep in sight.
pub(super) struct Sight<F> {
    pub(super) secrets: Api<Secret>,
    pub(super) name: String,
    pub(super) seen: Seen,
    pub(super) patience: Patience,
    /// Called for each change, and when it can be read again after it could not.
    pub(super) changed: F,
}

impl<F: Fn() + Send + Sync> Sight<F> {
    /// Keeps it in sight until the future is dropped.
    pub(super) async fn keep(self) {
        let mut known = self.seen.get();
        let mut from = known.clone();
        let mut pauses = self.patience.pauses();
        // Whoever follows it could not read it, or found nothing: the first look tells them.
        let mut lost = known.is_none();
        loop {
            let begun = Instant::now();
            let ended = match self.look(&mut known, &mut from, lost).await {
                Ok(()) => self.watch(&mut known, from.as_deref()).await,
                Err(error) => Err(error),
            };
            lost = match ended {
                Ok(Some(version)) => {
                    from = Some(version);
                    false
                }
                Ok(None) => true,
                Err(error) => {
                    tracing::debug!(secret = %self.name, %error, "a secret is out of sight");
                    // Its followers were told that they may not read it, so they hear when they may.
                    known = known.filter(|_| !is_forbidden(&error));
                    true
                }
            };
            if lost {
                self.seen.set(None);
            } else if begun.elapsed() >= self.patience.longest {
                pauses = self.patience.pauses();
            }
            tokio::time::sleep(pauses.next().unwrap_or(self.patience.longest)).await;
        }
    }

    /// Reads its version if that is unknown.
    async fn look(&self, known: &mut Option<String>, from: &mut Option<String>, lost: bool) -> Result<(), kube::Error> {
        if !lost {
            return Ok(());
        }
        let found = self.secrets.get_metadata_opt(&self.name).await?;
        let version = found.and_then(|secret| secret.resource_version());
        from.clone_from(&version);
        let same = version.is_some() && version == *known;
        self.note(known, version);
        if !same {
            (self.changed)();
        }
        Ok(())
    }

    /// Watches it for a while. `from` is the version to begin after; without one it begins with what there is. Answers
    /// where the next watch may go on; `None` if something may have been missed.
    async fn watch(&self, known: &mut Option<String>, from: Option<&str>) -> Result<Option<String>, kube::Error> {
        let only = WatchParams::default().fields(&format!("metadata.name={}", self.name)).timeout(LIFE);
        // "0" is whatever the API server has at hand: an absent Secret has no version to begin after.
        let mut last = from.unwrap_or("0").to_owned();
        let events = self.secrets.watch_metadata(&only, &last).await?;
        pin_mut!(events);
        while let Some(event) = events.next().await {
            match event? {
                WatchEvent::Added(secret) | WatchEvent::Modified(secret) => {
                    let version = secret.resource_version();
                    last = version.clone().unwrap_or(last);
                    if version != *known {
                        self.note(known, version);
                        (self.changed)();
                    }
                }
                WatchEvent::Deleted(secret) => {
                    last = secret.resource_version().unwrap_or(last);
                    self.note(known, None);
                    (self.changed)();
                }
                WatchEvent::Bookmark(mark) => last = mark.metadata.resource_version,
                // The version is older than what the API server remembers.
                WatchEvent::Error(status) if status.code == 410 => return Ok(None),
                WatchEvent::Error(status) => return Err(kube::Error::Api(status)),
            }
        }
        Ok(Some(last))
    }

    fn note(&self, known: &mut Option<String>, version: Option<String>) {
        self.seen.set(version.clone());
        *known = version;
    }
}

fn is_forbidden(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_forbidden())
}
