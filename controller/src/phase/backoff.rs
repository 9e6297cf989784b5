//! The pause before what was tried in vain is tried again: pure.

use std::time::Duration;

use brickline_crds::DatabricksRelease;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use sha2::{Digest, Sha256};

/// The pause after so many tries of `what` in vain: from `initial`, `factor` times longer with each up to `max`, and up to a
/// fifth more by a hash of the release, so that releases that failed together don't come back together.
pub(crate) fn backoff(release: &DatabricksRelease, what: &str, tries: u32) -> Duration {
    let backoff = &release.spec.retries.backoff;
    let grown = backoff.initial.get().saturating_mul(backoff.factor.saturating_pow(tries.saturating_sub(1)));
    let capped = grown.min(backoff.max.get());
    let hash = Sha256::digest(format!("{}/{what}/{tries}", release.uid().unwrap_or_default()));
    capped + capped.mul_f64(f64::from(hash[0]) / f64::from(u8::MAX) / 5.0)
}

/// When it is tried again.
pub(crate) fn after(now: Timestamp, pause: Duration) -> Option<Time> {
    now.checked_add(pause).ok().map(Time)
}

/// How long is left until then; none if that is over.
pub(crate) fn left(until: Option<&Time>, now: Timestamp) -> Option<Duration> {
    Duration::try_from(until?.0.duration_since(now)).ok().filter(|pause| !pause.is_zero())
}
