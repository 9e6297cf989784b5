//! Which locks became free, without asking: one watch for all that wait.

use std::collections::BTreeMap;

use brickline_crds::labels;
use futures::{Stream, StreamExt, stream};
use k8s_openapi::api::coordination::v1::Lease;
use kube::ResourceExt;
use kube::runtime::reflector::{self, Store};
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};

use super::Locks;
use super::lease::{LOCK, MANAGER, tenant};

impl Locks {
    /// Every lock's Lease, and the names of the locks that changed hands or became free, as it happens. Both live only
    /// while the stream is polled; the Leases are up to date before a name comes out.
    ///
    /// What was freed before the first list is not told: whoever starts to watch looks at every waiting release once.
    pub(crate) fn watch(&self) -> (Store<Lease>, impl Stream<Item = String> + Send + 'static + use<>) {
        let (store, writer) = reflector::store();
        let locks = watcher::Config::default().labels(&format!("{}={MANAGER},{LOCK}", labels::MANAGED_BY));
        let events = watch(self.leases(), locks).default_backoff().reflect(writer);
        let mut holders = Holders::default();
        let freed = events.flat_map(move |event| {
            let broken = |error: watcher::Error| {
                tracing::warn!(%error, "the watch of locks broke and begins anew");
                Vec::new()
            };
            stream::iter(event.map_or_else(broken, |event| holders.note(&event)))
        });
        (store, freed)
    }
}

/// Who held each lock when it was last heard of.
#[derive(Default)]
pub(super) struct Holders {
    known: BTreeMap<String, String>,
    /// What the list under way has shown so far.
    listed: BTreeMap<String, String>,
}

impl Holders {
    /// Takes an event in; answers the names of locks whose holder is not the holder any more.
    pub(super) fn note(&mut self, event: &Event<Lease>) -> Vec<String> {
        match event {
            Event::Init => self.listed.clear(),
            Event::InitApply(lease) => {
                self.listed.insert(lease.name_any(), uid(lease));
            }
            // A watch that broke may have missed changes and deletions: they show in what the new list holds.
            Event::InitDone => {
                let before = std::mem::replace(&mut self.known, std::mem::take(&mut self.listed));
                let moved = before.into_iter().filter(|(name, uid)| self.known.get(name) != Some(uid));
                return moved.map(|(name, _)| name).collect();
            }
            Event::Apply(lease) => {
                let (name, uid) = (lease.name_any(), uid(lease));
                let before = self.known.insert(name.clone(), uid.clone());
                return before.filter(|before| *before != uid).map(|_| name).into_iter().collect();
            }
            Event::Delete(lease) => {
                self.known.remove(&lease.name_any());
                return vec![lease.name_any()];
            }
        }
        Vec::new()
    }
}

fn uid(lease: &Lease) -> String {
    tenant(lease).map(|tenant| tenant.uid).unwrap_or_default()
}
