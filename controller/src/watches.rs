//! What every replica knows without asking the API server: stores that watches fill.

use std::fmt::Debug;
use std::hash::Hash;

use futures::{StreamExt, TryStreamExt};
use kube::api::ObjectMeta;
use kube::runtime::reflector::{self, Store};
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Where watches run, and until when.
#[derive(Clone, Copy)]
pub(crate) struct Watching<'a> {
    pub(crate) kube: &'a Client,
    pub(crate) tasks: &'a TaskTracker,
    pub(crate) shutdown: &'a CancellationToken,
}

impl Watching<'_> {
    /// Keeps what `config` selects in all namespaces. What `trim` takes off is not kept. `told` hears each event when the
    /// store has it.
    pub(crate) fn keep<K>(
        self,
        config: watcher::Config,
        trim: fn(&mut K),
        told: impl Fn(&Event<K>) + Send + Sync + 'static,
    ) -> Store<K>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
        K::DynamicType: Eq + Hash,
    {
        let (store, writer) = reflector::store();
        let events = watch(Api::<K>::all(self.kube.clone()), config).default_backoff();
        let events = events.modify(trim).reflect(writer).inspect_ok(told);
        let stop = self.shutdown.clone();
        let kind = K::kind(&());
        self.tasks.spawn(async move {
            // A watch that breaks is an item of the stream; the watcher then lists anew.
            let watched = events.for_each(|event| async {
                if let Err(error) = event {
                    tracing::warn!(%kind, %error, "a watch broke and begins anew");
                }
            });
            tokio::select! {
                () = watched => tracing::error!(%kind, "a watch ended"),
                () = stop.cancelled() => {}
            }
        });
        store
    }
}

/// Takes off what nobody here reads and what makes most of an object's metadata.
pub(crate) fn trim(metadata: &mut ObjectMeta) {
    metadata.managed_fields = None;
    metadata.annotations = None;
}
