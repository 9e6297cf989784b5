//! A lock's Lease, written and read: pure.

use std::collections::BTreeMap;

use brickline_crds::labels;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::ResourceExt;
use kube::api::ObjectMeta;

use super::name::Lock;
use super::work::Work;

/// Label: `cluster`, `target` or `jobs`. It keeps locks apart from the controller's other Leases.
pub(super) const LOCK: &str = "brickline.dev/lock";
/// Label: the holder's uid, to find all of its locks.
pub(super) const RELEASE_UID: &str = "brickline.dev/release-uid";
/// Annotation: what is locked, for people.
const TARGET: &str = "brickline.dev/target";
/// Annotation: `namespace/name` of the release that holds it.
const HOLDER: &str = "brickline.dev/holder";
/// Annotation: ids of Databricks' runs that may still be alive, with commas between.
const RUNS: &str = "brickline.dev/runs";
/// Annotation: the Job, in the holder's namespace, that may still be alive.
const JOB: &str = "brickline.dev/job";
/// The value of Kubernetes' own label for who manages an object.
pub(super) const MANAGER: &str = "brickline";

/// A release that holds locks or wants them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) uid: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// The uid of the release whose failure this one rolls back: its locks are taken over without asking whether it has
    /// ended. Only for rollbacks that the controller made: a user's word must not move a lock.
    pub(crate) inherits_from: Option<String>,
}

/// Who holds a Lease, as it says itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tenant {
    pub(super) uid: String,
    /// Namespace and name; `None` if the Lease doesn't say.
    pub(super) release: Option<(String, String)>,
    pub(super) work: Work,
}

/// A new Lease of `holder`. It has no duration: time alone frees no lock.
pub(super) fn lease(lock: &Lock, holder: &Holder, now: Timestamp) -> Lease {
    let labels =
        [(labels::MANAGED_BY, MANAGER.to_owned()), (LOCK, lock.kind().to_string()), (RELEASE_UID, holder.uid.clone())];
    let annotations = [(TARGET, lock.to_string()), (HOLDER, format!("{}/{}", holder.namespace, holder.name))];
    Lease {
        metadata: ObjectMeta {
            name: Some(lock.name().to_owned()),
            labels: Some(labels.map(owned).into()),
            annotations: Some(annotations.map(owned).into()),
            ..ObjectMeta::default()
        },
        spec: Some(LeaseSpec {
            holder_identity: Some(holder.uid.clone()),
            acquire_time: Some(MicroTime(now)),
            ..LeaseSpec::default()
        }),
    }
}

/// The Lease of a new holder in the place of `old`: written only if nothing has changed it since.
pub(super) fn successor(old: &Lease, lock: &Lock, holder: &Holder, now: Timestamp) -> Lease {
    let mut new = lease(lock, holder, now);
    new.metadata.uid.clone_from(&old.metadata.uid);
    new.metadata.resource_version.clone_from(&old.metadata.resource_version);
    new
}

/// The same Lease with `work` in it.
pub(super) fn recording(mut lease: Lease, work: &Work) -> Lease {
    let annotations = lease.annotations_mut();
    annotations.remove(RUNS);
    annotations.remove(JOB);
    if !work.runs.is_empty() {
        let runs: Vec<&str> = work.runs.iter().map(String::as_str).collect();
        annotations.insert(RUNS.to_owned(), runs.join(","));
    }
    annotations.extend(work.job.clone().map(|job| (JOB.to_owned(), job)));
    lease
}

/// Who holds it; `None`: nobody.
pub(super) fn tenant(lease: &Lease) -> Option<Tenant> {
    let uid = lease.spec.as_ref()?.holder_identity.clone().filter(|uid| !uid.is_empty())?;
    let annotations = lease.annotations();
    let release = annotations.get(HOLDER).and_then(|holder| holder.split_once('/'));
    let release = release.map(|(namespace, name)| (namespace.to_owned(), name.to_owned()));
    Some(Tenant { uid, release, work: work(annotations) })
}

fn work(annotations: &BTreeMap<String, String>) -> Work {
    let runs = annotations.get(RUNS).map(String::as_str).unwrap_or_default();
    let runs = runs.split(',').map(str::trim).filter(|run| !run.is_empty()).map(str::to_owned).collect();
    Work { runs, job: annotations.get(JOB).cloned().filter(|job| !job.is_empty()) }
}

fn owned((key, value): (&str, String)) -> (String, String) {
    (key.to_owned(), value)
}
