//! Locks against a small API server in memory that keeps versions as Kubernetes does: it passes the same contract.

mod contract;
mod fake;
mod free;
mod interleavings;
mod names;
mod take;
mod watch;
mod work;

use std::collections::BTreeSet;

use url::Url;

use super::{Holder, Lock, Witness, Work, locks_of};
use crate::trouble::Trouble;

const HOST: &str = "https://adb-1.2.azuredatabricks.net";

/// A lock for each cluster.
fn clusters(ids: &[&str]) -> BTreeSet<Lock> {
    locks_of(&Url::parse(HOST).unwrap(), ids.iter().copied(), []).unwrap()
}

fn only(locks: &BTreeSet<Lock>) -> &Lock {
    locks.first().unwrap()
}

/// A release of namespace `data`, with the uid `uid-<name>`.
fn holder(name: &str) -> Holder {
    Holder { uid: format!("uid-{name}"), namespace: "data".to_owned(), name: name.to_owned(), inherits_from: None }
}

fn work(runs: &[&str], job: Option<&str>) -> Work {
    Work { runs: runs.iter().map(|run| (*run).to_owned()).collect(), job: job.map(str::to_owned) }
}

/// Says the same of all work.
struct Says(Result<Vec<String>, Trouble>);

impl Says {
    fn over() -> Self {
        Self(Ok(Vec::new()))
    }
}

impl Witness for Says {
    async fn still_alive(&self, _namespace: &str, _work: &Work) -> Result<Vec<String>, Trouble> {
        self.0.clone()
    }
}
