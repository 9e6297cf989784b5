//! What holders that have ended left behind, so that looking for it again costs Kubernetes nothing.
//!
//! Who waits for such work may wait for hours, and only Databricks knows when it is over. That the holder has ended is
//! final, so only its Lease could change: the watch of all locks tells that.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::api::coordination::v1::Lease;
use kube::ResourceExt;
use kube::runtime::reflector::{ObjectRef, Store};

use super::lease::Tenant;
use super::work::Work;

/// The work of one holder that has ended.
#[derive(Clone, Debug)]
pub(super) struct Leftover {
    pub(super) tenant: Tenant,
    /// All of it, also what the Lease doesn't name.
    pub(super) work: Work,
    /// The Lease's version when its holder was found to have ended.
    version: Option<String>,
}

/// Shared by all who wait.
#[derive(Clone, Default)]
pub(crate) struct Leftovers(Arc<Mutex<Inside>>);

#[derive(Default)]
struct Inside {
    leases: Option<Store<Lease>>,
    by_lock: BTreeMap<String, Leftover>,
}

impl Leftovers {
    /// From now on the watch's Leases tell what is out of date.
    pub(crate) fn watch(&self, leases: Store<Lease>) {
        let mut inside = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (inside.leases, inside.by_lock) = (Some(leases), BTreeMap::new());
    }

    /// What the holder of a lock left, unless the Lease was changed or deleted since, or nobody watches.
    pub(super) fn known(&self, namespace: &str, lock: &str) -> Option<Leftover> {
        let mut inside = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lease = inside.leases.as_ref()?.get(&ObjectRef::new(lock).within(namespace));
        let version = lease.and_then(|lease| lease.resource_version());
        let left = inside.by_lock.get(lock).filter(|left| version.is_some() && left.version == version).cloned();
        if left.is_none() {
            inside.by_lock.remove(lock);
        }
        left
    }

    /// The holder of this Lease has ended, and this is its work.
    pub(super) fn note(&self, lease: &Lease, tenant: &Tenant, work: &Work) {
        let left = Leftover { tenant: tenant.clone(), work: work.clone(), version: lease.resource_version() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).by_lock.insert(lease.name_any(), left);
    }
}
