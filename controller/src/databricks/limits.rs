//! Limits keep a process below what Databricks allows a workspace per second, over all clients of the same host.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Jitter, Quota};
use reqwest::Url;

/// API families with a limit of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Family {
    Submit,
    RunRead,
    Runs,
    Jobs,
    Import,
    Export,
    Workspace,
    Dbfs,
    Files,
    Libraries,
    Clusters,
    Identity,
}

impl Family {
    /// Requests per second: what Databricks publishes per workspace, or 20 where it publishes nothing.
    const fn per_second(self) -> NonZeroU32 {
        let rate = match self {
            Self::Submit => 35,
            Self::RunRead | Self::Files => 100,
            Self::Import | Self::Dbfs => 30,
            Self::Export => 60,
            Self::Runs | Self::Jobs | Self::Workspace | Self::Libraries | Self::Clusters | Self::Identity => 20,
        };
        match NonZeroU32::new(rate) {
            Some(rate) => rate,
            None => NonZeroU32::MIN,
        }
    }
}

/// What one limiter counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Scope {
    Family(Family),
    /// All requests, for workspaces that ask for this many per second.
    Total(NonZeroU32),
}

type Limiter = DefaultDirectRateLimiter;
type Registry = HashMap<(String, Scope), Weak<Limiter>>;

/// The limiters of one host, as one client sees them.
pub(super) struct HostLimits {
    host: String,
    families: Mutex<HashMap<Family, Arc<Limiter>>>,
    total: Option<Arc<Limiter>>,
}

impl HostLimits {
    /// Joins the limiters other clients of this process use for the same host.
    pub(super) fn shared(host: &Url, total: Option<NonZeroU32>) -> Self {
        let host = host.origin().ascii_serialization();
        let total = total.map(|rate| limiter(&host, Scope::Total(rate)));
        Self { host, families: Mutex::default(), total }
    }

    /// Waits until one more request of this family may be sent.
    pub(super) async fn admit(&self, family: Family) {
        let jitter = Jitter::up_to(Duration::from_millis(10));
        if let Some(total) = &self.total {
            total.until_ready_with_jitter(jitter).await;
        }
        self.family(family).until_ready_with_jitter(jitter).await;
    }

    fn family(&self, family: Family) -> Arc<Limiter> {
        let mut families = self.families.lock().unwrap_or_else(PoisonError::into_inner);
        families.entry(family).or_insert_with(|| limiter(&self.host, Scope::Family(family))).clone()
    }
}

/// Finds or makes a limiter; limiters without clients are dropped, so the registry is as large as what is in use.
fn limiter(host: &str, scope: Scope) -> Arc<Limiter> {
    static REGISTRY: OnceLock<Mutex<Registry>> = OnceLock::new();
    let mut registry = REGISTRY.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    let key = (host.to_owned(), scope);
    if let Some(found) = registry.get(&key).and_then(Weak::upgrade) {
        return found;
    }
    registry.retain(|_, limiter| limiter.strong_count() > 0);
    let made = Arc::new(Limiter::direct(quota(scope)));
    registry.insert(key, Arc::downgrade(&made));
    made
}

fn quota(scope: Scope) -> Quota {
    Quota::per_second(match scope {
        Scope::Family(family) => family.per_second(),
        Scope::Total(rate) => rate,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str) -> Url {
        Url::parse(&format!("https://{name}.example.com")).expect("a valid address")
    }

    #[test]
    fn clients_of_one_host_share_a_limiter_and_others_do_not() {
        let (one, two) = (HostLimits::shared(&host("one"), None), HostLimits::shared(&host("one"), None));
        let other = HostLimits::shared(&host("other"), None);
        assert!(Arc::ptr_eq(&one.family(Family::Dbfs), &two.family(Family::Dbfs)));
        assert!(!Arc::ptr_eq(&one.family(Family::Dbfs), &one.family(Family::Files)));
        assert!(!Arc::ptr_eq(&one.family(Family::Dbfs), &other.family(Family::Dbfs)));
    }

    #[tokio::test]
    async fn a_workspace_limit_spreads_requests_over_time() {
        let limits = HostLimits::shared(&host("slow"), NonZeroU32::new(10));
        let start = std::time::Instant::now();
        for _ in 0..13 {
            limits.admit(Family::RunRead).await;
        }
        // Ten at once, then one each tenth of a second.
        assert!(start.elapsed() >= Duration::from_millis(250), "{:?}", start.elapsed());
    }
}
