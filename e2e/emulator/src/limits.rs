//! Limits: how many calls the service takes of each family of endpoints, a second and at once, and how long each call is
//! on its way.

use crate::state::{Refusal, lock};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// Tasks that run at the same time in one workspace, as documented.
const MAX_TASKS: usize = 2000;
/// The longest that every call may be delayed, milliseconds.
const MAX_LATENCY: u64 = 60_000;

/// Endpoints that share a limit. `path` is what follows the version; with a `/` at its end all below it.
struct Family {
    name: &'static str,
    method: Option<&'static str>,
    path: &'static str,
    /// Calls a second and workspace, as documented.
    rate: f64,
    /// Calls under way at the same time; none: as many as come.
    at_once: Option<usize>,
}

const fn family(name: &'static str, method: Option<&'static str>, path: &'static str, rate: f64) -> Family {
    Family { name, method, path, rate, at_once: None }
}

const FAMILIES: [Family; 9] = [
    family("submit", Some("POST"), "jobs/runs/submit", 35.0),
    family("runs-get", Some("GET"), "jobs/runs/get", 100.0),
    family("jobs-create", Some("POST"), "jobs/create", 20.0),
    family("run-now", Some("POST"), "jobs/run-now", 20.0),
    family("import", Some("POST"), "workspace/import", 30.0),
    family("import", Some("POST"), "workspace-files/", 30.0),
    family("export", Some("GET"), "workspace/export", 60.0),
    family("dbfs", None, "dbfs/", 30.0),
    // Both numbers are from Databricks' own command line.
    Family { at_once: Some(10), ..family("files", None, "fs/", 100.0) },
];

/// Whether limits hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RateLimits {
    /// Those that Databricks documents for one workspace.
    Documented,
    /// None.
    #[default]
    Off,
}

/// What a client changes; what it leaves out stays.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Change {
    mode: Option<RateLimits>,
    latency_ms: Option<u64>,
    /// Whether a refusal says when to come again.
    retry_after: Option<bool>,
    /// Other rates than the documented ones, by family.
    rates: Option<BTreeMap<String, f64>>,
    /// Other numbers of calls at once than the documented ones, by family; only for families that have such a limit.
    at_once: Option<BTreeMap<String, usize>>,
    /// Another number of tasks that run at the same time.
    task_runs: Option<usize>,
}

/// Calls that may still come at once: a second's worth at most.
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Bucket {
    /// Takes one, or tells how long to wait for it.
    fn take(&mut self, rate: f64, now: Instant) -> Result<(), Duration> {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + passed * rate).min(rate.max(1.0));
        self.at = now;
        if self.tokens < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - self.tokens) / rate));
        }
        self.tokens -= 1.0;
        Ok(())
    }
}

struct State {
    mode: RateLimits,
    latency: Duration,
    retry_after: bool,
    rates: BTreeMap<&'static str, f64>,
    at_once: BTreeMap<&'static str, usize>,
    under_way: BTreeMap<&'static str, usize>,
    task_runs: usize,
    buckets: BTreeMap<&'static str, Bucket>,
    passed: BTreeMap<&'static str, u64>,
    throttled: BTreeMap<&'static str, u64>,
}

impl State {
    /// Takes one call of a family, or tells why not, and how long to wait.
    fn take(&mut self, family: &'static str, now: Instant) -> Result<(), (&'static str, Duration)> {
        if self.mode == RateLimits::Off {
            return Ok(());
        }
        let under_way = self.under_way.get(family).copied().unwrap_or(0);
        if self.at_once.get(family).is_some_and(|most| under_way >= *most) {
            return Err(("RESOURCE_EXHAUSTED", Duration::ZERO));
        }
        let Some(rate) = self.rates.get(family).copied() else { return Ok(()) };
        let full = Bucket { tokens: rate.max(1.0), at: now };
        let taken = self.buckets.entry(family).or_insert(full).take(rate, now);
        taken.map_err(|wait| ("REQUEST_LIMIT_EXCEEDED", wait))
    }
}

/// The limits of one workspace.
pub(crate) struct Limits(Mutex<State>);

/// A call that came too early.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Throttled {
    /// What the refusal calls it.
    pub(crate) code: &'static str,
    /// The seconds for `Retry-After`, if it is to be sent.
    pub(crate) retry_after: Option<u64>,
}

/// A call that is under way, until this is dropped.
pub(crate) struct Pass {
    limits: Arc<Limits>,
    family: &'static str,
}

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some(count) = lock(&self.limits.0).under_way.get_mut(self.family) {
            *count = count.saturating_sub(1);
        }
    }
}

impl Limits {
    /// Limits as the command line wants them.
    pub(crate) fn new(mode: RateLimits, latency_ms: u64) -> Self {
        Self(Mutex::new(State {
            mode,
            latency: Duration::from_millis(latency_ms),
            retry_after: true,
            rates: FAMILIES.iter().map(|family| (family.name, family.rate)).collect(),
            at_once: FAMILIES.iter().filter_map(|family| Some((family.name, family.at_once?))).collect(),
            under_way: BTreeMap::new(),
            task_runs: MAX_TASKS,
            buckets: BTreeMap::new(),
            passed: BTreeMap::new(),
            throttled: BTreeMap::new(),
        }))
    }

    /// Changes what is given, or nothing.
    pub(crate) fn change(&self, change: Change) -> Result<(), Refusal> {
        let mut state = lock(&self.0);
        let (rates, at_once) = (change.rates.unwrap_or_default(), change.at_once.unwrap_or_default());
        let fine = |rate: &f64| rate.is_finite() && *rate > 0.0;
        if !rates.keys().all(|name| state.rates.contains_key(name.as_str()))
            || !at_once.keys().all(|name| state.at_once.contains_key(name.as_str()))
            || !rates.values().all(fine)
            || change.latency_ms.is_some_and(|ms| ms > MAX_LATENCY)
        {
            return Err(Refusal::Invalid("a limit is out of bounds, or of an unknown family".to_owned()));
        }
        state.mode = change.mode.unwrap_or(state.mode);
        state.latency = change.latency_ms.map_or(state.latency, Duration::from_millis);
        state.task_runs = change.task_runs.unwrap_or(state.task_runs);
        state.retry_after = change.retry_after.unwrap_or(state.retry_after);
        for (name, rate) in &mut state.rates {
            *rate = rates.get(*name).copied().unwrap_or(*rate);
        }
        for (name, most) in &mut state.at_once {
            *most = at_once.get(*name).copied().unwrap_or(*most);
        }
        state.buckets.clear();
        Ok(())
    }

    /// Settings and counts.
    pub(crate) fn show(&self) -> Value {
        let state = lock(&self.0);
        json!({
            "mode": state.mode,
            "latency_ms": u64::try_from(state.latency.as_millis()).unwrap_or(u64::MAX),
            "retry_after": state.retry_after,
            "rates": state.rates,
            "at_once": state.at_once,
            "task_runs": state.task_runs,
            "passed": state.passed,
            "throttled": state.throttled,
            "throttled_total": state.throttled.values().sum::<u64>(),
        })
    }

    /// Counts from zero again.
    pub(crate) fn forget(&self) {
        let mut state = lock(&self.0);
        state.passed.clear();
        state.throttled.clear();
    }

    /// How many tasks may run at the same time, if that is limited.
    pub(crate) fn task_runs(&self) -> Option<usize> {
        let state = lock(&self.0);
        (state.mode == RateLimits::Documented).then_some(state.task_runs)
    }

    /// How long every call is on its way.
    pub(crate) fn latency(&self) -> Duration {
        lock(&self.0).latency
    }

    /// Lets a call pass, or not. Where only so many are under way at once, it counts as such until the pass is dropped.
    pub(crate) fn admit(self: &Arc<Self>, method: &str, path: &str, now: Instant) -> Result<Option<Pass>, Throttled> {
        let mut state = lock(&self.0);
        let Some(family) = family_of(method, path) else { return Ok(None) };
        let taken = state.take(family, now);
        let counts = if taken.is_ok() { &mut state.passed } else { &mut state.throttled };
        *counts.entry(family).or_default() += 1;
        match taken {
            Ok(()) if state.at_once.contains_key(family) => {
                *state.under_way.entry(family).or_default() += 1;
                Ok(Some(Pass { limits: Arc::clone(self), family }))
            }
            Ok(()) => Ok(None),
            // Whole seconds, and never none.
            Err((code, wait)) => Err(Throttled { code, retry_after: state.retry_after.then_some(wait.as_secs() + 1) }),
        }
    }
}

fn family_of(method: &str, path: &str) -> Option<&'static str> {
    let rest = path.strip_prefix("/api/")?.split_once('/')?.1;
    let fits = |family: &&Family| {
        let below = family.path.ends_with('/') && rest.starts_with(family.path);
        (below || rest == family.path) && family.method.is_none_or(|wanted| wanted == method)
    };
    FAMILIES.iter().find(fits).map(|family| family.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("POST", "/api/2.1/jobs/runs/submit", Some("submit"))]
    #[case("GET", "/api/2.2/jobs/runs/get", Some("runs-get"))]
    #[case("GET", "/api/2.2/jobs/runs/get-output", None)]
    #[case("POST", "/api/2.0/workspace/import", Some("import"))]
    #[case("POST", "/api/2.0/workspace-files/import-file/a%2Fb", Some("import"))]
    #[case("POST", "/api/2.0/dbfs/add-block", Some("dbfs"))]
    #[case("PUT", "/api/2.0/fs/files/Volumes/a/b/c", Some("files"))]
    #[case("GET", "/api/2.0/clusters/get", None)]
    #[case("GET", "/oidc/v1/token", None)]
    fn endpoints_have_families(#[case] method: &str, #[case] path: &str, #[case] want: Option<&str>) {
        assert_eq!(family_of(method, path), want);
    }

    #[test]
    fn a_second_takes_as_many_as_documented() {
        let limits = Arc::new(Limits::new(RateLimits::Documented, 0));
        let start = Instant::now();
        let call = |at: f64| limits.admit("POST", "/api/2.0/workspace/import", start + Duration::from_secs_f64(at));
        let passed = |at: f64, tries: usize| (0..tries).filter(|_| call(at).is_ok()).count();
        assert_eq!(passed(0.0, 40), 30, "a second's worth at once");
        assert_eq!(passed(0.5, 40), 15, "then as they come");
        assert_eq!(passed(60.0, 40), 30, "no more is saved up");
        let throttled =
            |call: Result<_, Throttled>| call.err().map(|throttled| (throttled.code, throttled.retry_after));
        assert_eq!(throttled(call(60.0)), Some(("REQUEST_LIMIT_EXCEEDED", Some(1))));
        assert_eq!(limits.show()["throttled_total"], 10 + 25 + 10 + 1);
        limits
            .change(serde_json::from_value(json!({ "retry_after": false, "rates": { "import": 1.0 } })).unwrap())
            .unwrap();
        assert_eq!((throttled(call(70.0)), throttled(call(70.0))), (None, Some(("REQUEST_LIMIT_EXCEEDED", None))));
        limits.change(serde_json::from_value(json!({ "mode": "off" })).unwrap()).unwrap();
        assert_eq!(passed(70.0, 100), 100);
    }

    #[test]
    fn only_so_many_files_are_under_way_at_once() {
        let limits = Arc::new(Limits::new(RateLimits::Documented, 0));
        let now = Instant::now();
        let call = || limits.admit("PUT", "/api/2.0/fs/files/Volumes/a/b/c/d", now);
        let mut passes: Vec<_> = (0..10).map(|_| call().unwrap()).collect();
        assert_eq!(call().err().map(|throttled| throttled.code), Some("RESOURCE_EXHAUSTED"));
        passes.pop();
        passes.push(call().unwrap());
        assert!(call().is_err());
        limits.change(serde_json::from_value(json!({ "at_once": { "files": 11 } })).unwrap()).unwrap();
        assert!(call().is_ok());
    }

    #[test]
    fn only_known_families_have_rates() {
        let limits = Limits::new(RateLimits::Off, 0);
        for change in [
            json!({ "rates": { "none": 1.0 } }),
            json!({ "rates": { "dbfs": 0.0 } }),
            json!({ "latency_ms": 1_000_000 }),
            json!({ "at_once": { "import": 3 } }),
        ] {
            assert!(limits.change(serde_json::from_value(change).unwrap()).is_err());
        }
    }
}
