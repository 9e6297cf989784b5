//! Limits keep the process below what Databricks allows a workspace per second: one line for each API family of a host,
//! in which all workspaces, releases and clients of this process stand.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use reqwest::Url;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Category;
use super::error::Error;
use super::pace::{Pace, Rate};

/// API families with a limit of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Family {
    /// `jobs/runs/submit`.
    Submit,
    /// `jobs/runs/get`.
    RunRead,
    /// Other calls about runs.
    Runs,
    /// Saved jobs.
    Jobs,
    /// `workspace/import`.
    Import,
    /// `workspace/export`.
    Export,
    /// Other calls about the workspace's folders.
    Workspace,
    /// The DBFS.
    Dbfs,
    /// The Files API, for volumes.
    Files,
    /// Libraries of clusters.
    Libraries,
    /// Clusters.
    Clusters,
    /// Tokens, and who one is.
    Identity,
}

impl Family {
    /// What Databricks publishes as the limit of a workspace, in calls per second; `None` where it publishes nothing.
    /// <https://learn.microsoft.com/azure/databricks/resources/limits>
    const fn published(self) -> Option<u32> {
        match self {
            Self::Submit => Some(35),
            Self::RunRead | Self::Files => Some(100),
            Self::Import | Self::Dbfs => Some(30),
            Self::Export => Some(60),
            Self::Runs | Self::Jobs | Self::Workspace | Self::Libraries | Self::Clusters | Self::Identity => None,
        }
    }

    fn rate(self, limits: &Limits) -> Rate {
        let lifted = limits.families.get(&self).copied();
        // A release makes few calls of the families without a published limit: some at once cost it no time.
        lifted.or(self.published().and_then(NonZeroU32::new)).map_or_else(|| Rate::new(20.0, 10.0), Rate::below)
    }
}

/// What one workspace may be asked.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    /// Calls per second, over all families; `None`: only the families' own limits.
    pub total: Option<NonZeroU32>,
    /// Calls per second of families whose limit is another than the published one.
    pub families: BTreeMap<Family, NonZeroU32>,
}

/// The most calls of the Files API at the same time, and how many of them may move files: short ones find a place between
/// long ones. Databricks' own command line tells of ten.
const FILES: usize = 10;
const TRANSFERS: usize = 8;
/// The part of a call's time that it may wait for its turn: after the rest there would be no answer in time.
const WAITING: f64 = 0.9;

/// A place among the calls that run at the same time; free when it is dropped.
pub(super) struct Place {
    _permits: Vec<OwnedSemaphorePermit>,
}

/// The lines of one host, as one client stands in them.
pub(super) struct HostLimits {
    limits: Limits,
    lines: Arc<Lines>,
}

impl HostLimits {
    /// Joins the lines in which other clients of this process stand for the same host.
    pub(super) fn shared(host: &Url, limits: Limits) -> Self {
        Self { limits, lines: lines(&host.origin().ascii_serialization()) }
    }

    /// Waits until one more call of this family may be sent; true with the family if it moves a file. The call has its
    /// place until it was answered. `deadline` is the time for all of it.
    ///
    /// # Errors
    /// [`Error::Held`] at once if Databricks has asked for a longer pause than `deadline`; [`Error::Queued`] if its turn
    /// does not come soon enough.
    pub(super) async fn admit(
        &self,
        operation: &'static str,
        (family, transfer): (Family, bool),
        deadline: Duration,
    ) -> Result<Option<Place>, Error> {
        let after = deadline.mul_f64(WAITING);
        let admitted = async {
            let place = if family == Family::Files { Some(self.lines.place(transfer).await) } else { None };
            let held = |left| Error::Held { operation, left };
            self.lines.of(Some(family)).admit(&family.rate(&self.limits), deadline).await.map_err(held)?;
            if let Some(total) = self.limits.total {
                self.lines.of(None).admit(&Rate::below(total), deadline).await.map_err(held)?;
            }
            Ok(place)
        };
        tokio::time::timeout(after, admitted).await.unwrap_or(Err(Error::Queued { operation, after }))
    }

    /// A call that was sent at `sent` was answered: "too many" slows the family down for everybody.
    pub(super) fn answered(&self, family: Family, sent: Instant, error: Option<&Error>) {
        let line = self.lines.of(Some(family));
        match error {
            Some(error) if error.category() == Category::RateLimited => {
                line.pace().throttled(sent, Instant::now(), error.retry_after());
            }
            _ => line.pace().answered(),
        }
    }
}

/// All lines of a host; the one without a family counts the calls of all of them.
struct Lines {
    by_family: Mutex<HashMap<Option<Family>, Arc<Line>>>,
    /// Places for calls of the Files API.
    files: Arc<Semaphore>,
    transfers: Arc<Semaphore>,
}

impl Default for Lines {
    fn default() -> Self {
        let places = |count| Arc::new(Semaphore::new(count));
        Self { by_family: Mutex::default(), files: places(FILES), transfers: places(TRANSFERS) }
    }
}

impl Lines {
    fn of(&self, family: Option<Family>) -> Arc<Line> {
        self.by_family.lock().unwrap_or_else(PoisonError::into_inner).entry(family).or_default().clone()
    }

    async fn place(&self, transfer: bool) -> Place {
        let mut permits = Vec::new();
        for places in [transfer.then_some(&self.transfers), Some(&self.files)].into_iter().flatten() {
            // They are never closed.
            permits.extend(Arc::clone(places).acquire_owned().await.ok());
        }
        Place { _permits: permits }
    }
}

/// Callers, served in the order in which they came.
struct Line {
    turn: tokio::sync::Mutex<()>,
    pace: Mutex<Pace>,
}

impl Default for Line {
    fn default() -> Self {
        Self { turn: tokio::sync::Mutex::default(), pace: Mutex::new(Pace::new(Instant::now())) }
    }
}

impl Line {
    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for its turn; gives up with the time that is left if a pause is longer than `patience`.
    async fn admit(&self, rate: &Rate, patience: Duration) -> Result<(), Duration> {
        let until = Instant::now() + patience;
        let patient = || match self.pace().held(Instant::now()) {
            left if Instant::now() + left > until => Err(left),
            _ => Ok(()),
        };
        patient()?;
        let _turn = self.turn.lock().await;
        loop {
            patient()?;
            let wait = {
                let (mut pace, now) = (self.pace(), Instant::now());
                let wait = pace.wait(rate, now);
                if wait.is_zero() {
                    pace.take(rate, now);
                    return Ok(());
                }
                wait
            };
            tokio::time::sleep(wait).await;
        }
    }
}

/// Finds or makes a host's lines; those without clients are dropped, so the registry is as large as what is in use.
fn lines(host: &str) -> Arc<Lines> {
    static REGISTRY: OnceLock<Mutex<HashMap<String, Weak<Lines>>>> = OnceLock::new();
    let mut registry = REGISTRY.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = registry.get(host).and_then(Weak::upgrade) {
        return found;
    }
    registry.retain(|_, lines| lines.strong_count() > 0);
    let made = Arc::<Lines>::default();
    registry.insert(host.to_owned(), Arc::downgrade(&made));
    made
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn host(name: &str) -> HostLimits {
        HostLimits::shared(&Url::parse(&format!("https://{name}.example.com")).expect("an address"), Limits::default())
    }

    fn too_many(retry_after: Duration) -> Error {
        let (operation, message) = ("x", String::new());
        Error::Api { operation, status: 429, code: None, message, retry_after: Some(retry_after) }
    }

    const LONG: Duration = Duration::from_secs(100);

    #[tokio::test]
    async fn too_many_for_one_client_holds_all_of_that_host_and_family() {
        let (one, two, other) = (host("one"), host("one"), host("other"));
        one.answered(Family::Dbfs, Instant::now(), Some(&too_many(LONG)));
        let error = two.admit("dbfs/put", (Family::Dbfs, false), LONG / 2).await.err().expect("held");
        assert_eq!((error.category(), error.retry_after() > Some(LONG / 2)), (Category::RateLimited, true));
        assert!(two.admit("fs/files", (Family::Files, false), LONG / 2).await.is_ok());
        assert!(other.admit("dbfs/put", (Family::Dbfs, false), LONG / 2).await.is_ok());
    }

    #[tokio::test]
    async fn callers_are_served_in_their_order() {
        let limits = host("ordered");
        let served = Mutex::new(Vec::new());
        let calls = (0..12).map(|caller| {
            let (limits, served) = (&limits, &served);
            async move {
                limits.admit("runs/submit", (Family::Submit, false), LONG).await.expect("served");
                served.lock().expect("unpoisoned").push(caller);
            }
        });
        futures::future::join_all(calls).await;
        assert_eq!(served.into_inner().expect("unpoisoned"), (0..12).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn whoever_leaves_the_line_lets_the_next_one_in() {
        let limits = host("impatient");
        let call = || limits.admit("workspace/import", (Family::Import, false), LONG);
        for _ in 0..3 {
            call().await.expect("at once");
        }
        assert!(call().now_or_never().is_none(), "the fourth has to wait, and is dropped");
        assert!(call().await.is_ok());
    }

    /// Each release alone would keep below ten.
    #[tokio::test]
    async fn ten_calls_of_the_files_api_run_at_the_same_time_whoever_makes_them() {
        let (one, two) = (host("volumes"), host("volumes"));
        let call = |limits: &HostLimits, transfer| {
            limits.admit("fs/files/put", (Family::Files, transfer), Duration::from_millis(50)).now_or_never()
        };
        let mut places: Vec<_> = (0..TRANSFERS / 2).flat_map(|_| [call(&one, true), call(&two, true)]).collect();
        assert!(places.iter().all(|place| matches!(place, Some(Ok(Some(_))))));
        assert!(call(&one, true).is_none(), "another transfer waits");
        places.extend((TRANSFERS..FILES).map(|_| call(&two, false)));
        assert!(places.iter().all(|place| matches!(place, Some(Ok(Some(_))))), "short calls find a place");
        assert!(call(&one, false).is_none());
        let late = one.admit("fs/files/head", (Family::Files, false), Duration::from_millis(50)).await;
        let error = late.err().expect("not sent");
        assert_eq!(error.category(), Category::RateLimited);
        assert!(error.to_string().contains("not sent"), "{error}");
        places.pop();
        assert!(matches!(call(&one, false), Some(Ok(_))), "the next one comes in");
    }

    #[test]
    fn a_workspace_may_say_that_a_limit_is_lifted() {
        let lifted = |per_second| Limits {
            families: NonZeroU32::new(per_second).map(|rate| (Family::Import, rate)).into_iter().collect(),
            ..Limits::default()
        };
        let published = NonZeroU32::new(30).expect("a rate");
        assert_eq!(Family::Import.rate(&Limits::default()), Rate::below(published));
        assert_eq!(Family::Import.rate(&lifted(200)), Rate::below(NonZeroU32::new(200).expect("a rate")));
        assert_eq!(Family::Dbfs.rate(&lifted(200)), Rate::below(published));
    }
}
