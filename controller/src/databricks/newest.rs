//! The newest runs of a host, listed once a second for all who wait for some of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use reqwest::Url;

use super::error::Error;
use super::runs::Run;

/// How long a list is news.
const FRESH: Duration = Duration::from_secs(1);
/// How long the list that somebody else asked for is waited for: their credentials may be the ones that hang.
const PATIENCE: Duration = Duration::from_secs(2);

/// The last list of one host. Whose credentials it was asked with doesn't matter: everybody looks for runs of their own in
/// it, and asks by its id for one that is not there.
#[derive(Default)]
pub(super) struct Newest(tokio::sync::Mutex<Option<(Instant, Arc<[Run]>)>>);

impl Newest {
    /// The list of this host, as all clients of this process know it.
    pub(super) fn shared(host: &Url) -> Arc<Self> {
        static REGISTRY: OnceLock<Mutex<HashMap<String, Weak<Newest>>>> = OnceLock::new();
        let mut registry = REGISTRY.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
        let name = host.origin().ascii_serialization();
        if let Some(found) = registry.get(&name).and_then(Weak::upgrade) {
            return found;
        }
        registry.retain(|_, newest| newest.strong_count() > 0);
        let made = Arc::<Self>::default();
        registry.insert(name, Arc::downgrade(&made));
        made
    }

    /// The list, asked for at most a second before `now`. `list` asks for it, and is dropped unasked if that is not needed.
    pub(super) async fn get(
        &self,
        now: Instant,
        list: impl Future<Output = Result<Vec<Run>, Error>>,
    ) -> Result<Arc<[Run]>, Error> {
        let Ok(mut known) = tokio::time::timeout(PATIENCE, self.0.lock()).await else { return Ok(list.await?.into()) };
        if let Some((at, runs)) = &*known
            && now.saturating_duration_since(*at) < FRESH
        {
            return Ok(Arc::clone(runs));
        }
        let runs: Arc<[Run]> = list.await?.into();
        *known = Some((now, Arc::clone(&runs)));
        Ok(runs)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use futures::future::join_all;

    use super::*;

    fn host(name: &str) -> Url {
        Url::parse(&format!("https://{name}.newest.example.com")).expect("an address")
    }

    /// What a release sees, and how often the host was asked so far.
    async fn look(newest: &Newest, now: Instant, asked: &AtomicI64) -> i64 {
        let list = async {
            let run_id = asked.fetch_add(1, Ordering::Relaxed) + 1;
            tokio::task::yield_now().await;
            Ok(vec![Run { run_id, ..Run::default() }])
        };
        newest.get(now, list).await.expect("a list")[0].run_id
    }

    #[tokio::test]
    async fn releases_that_test_at_one_host_cost_one_list_a_second() {
        let (clients, asked) = ([(); 5].map(|()| Newest::shared(&host("one"))), AtomicI64::new(0));
        let start = Instant::now();
        for second in 0..3 {
            let now = start + FRESH * second;
            for at in [now, now + FRESH / 2] {
                let seen = join_all(clients.iter().map(|newest| look(newest, at, &asked))).await;
                assert_eq!(seen, [i64::from(second) + 1; 5]);
            }
        }
        assert_eq!(look(&Newest::shared(&host("other")), start, &asked).await, 4, "another host has its own");
    }

    #[tokio::test]
    async fn a_list_that_hangs_for_one_holds_nobody_else() {
        let (newest, asked, now) = (Newest::shared(&host("hangs")), AtomicI64::new(0), Instant::now());
        let hangs = newest.get(now, std::future::pending());
        let other = look(&newest, now, &asked);
        tokio::select! {
            biased;
            _ = hangs => panic!("it hangs"),
            seen = other => assert_eq!(seen, 1),
        }
    }

    #[tokio::test]
    async fn a_fault_is_not_kept() {
        let (newest, asked, now) = (Newest::shared(&host("fault")), AtomicI64::new(0), Instant::now());
        let fault = Error::Timeout { operation: "jobs/runs/list", after: FRESH };
        let told = newest.get(now, async { Err(fault.clone()) }).await;
        assert_eq!(told.map(|_| ()), Err(fault));
        assert_eq!(look(&newest, now, &asked).await, 1);
    }
}
