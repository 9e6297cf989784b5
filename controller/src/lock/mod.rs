//! Locks: one writer for each cluster, each target root and each stage's jobs, from Deploy through Operate.
//!
//! A lock is a Lease in the controller's namespace that never expires. Whoever created it holds it until it is deleted.
//! It changes hands by `resourceVersion` only, and only when its holder has ended and nothing that the holder started
//! may still be alive. An operator frees a lock by deleting its Lease; what waits for it says so.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `name.rs` | what is locked, and the name of its Lease |
//! | `root.rs` | the folder that stands for all files below it |
//! | `lease.rs` | a Lease, written and read |
//! | `work.rs` | whether recorded runs and Jobs may still be alive |
//! | `take.rs` | taking locks, also from a holder that has ended |
//! | `leftover.rs` | what holders that have ended left, looked for without asking Kubernetes |
//! | `free.rs` | giving them back, or keeping them for work that did not stop |
//! | `watch.rs` | which locks became free, without asking |

mod free;
mod lease;
mod leftover;
mod name;
mod root;
mod take;
#[cfg(test)]
mod tests;
mod watch;
mod work;

use brickline_crds::Reason;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;

pub(crate) use lease::Holder;
pub(crate) use leftover::Leftovers;
pub(crate) use name::{Lock, lock_of_bundle, lock_of_jobs, locks_of};
pub(crate) use take::Taken;
#[cfg(test)]
pub(crate) use take::{Held, is_for_rollback};
#[cfg(test)]
pub(crate) use work::Witness;
pub(crate) use work::{Outside, UNKNOWN, Work};

use crate::context::Context;
use crate::trouble::Trouble;

/// How often one lock is tried when others change it at the same moment.
const TRIES: usize = 5;

/// The locks of this controller.
#[derive(Clone)]
pub(crate) struct Locks {
    kube: kube::Client,
    /// Where the Leases are: the controller's own namespace.
    namespace: String,
    leftovers: Leftovers,
}

impl Locks {
    /// The locks that the controller's settings name.
    pub(crate) fn of(context: &Context) -> Self {
        let leftovers = context.leftovers.clone();
        Self { kube: context.kube.clone(), namespace: context.settings.args.namespace.clone(), leftovers }
    }

    fn leases(&self) -> Api<Lease> {
        Api::namespaced(self.kube.clone(), &self.namespace)
    }
}

/// Others changed the Lease each time it was tried.
fn restless(name: &str) -> Trouble {
    let message = format!("Lease {name} changed under each of {TRIES} attempts; it is tried again");
    Trouble::passing(Reason::InternalError, message)
}
