//! Who follows which Secret. Each Secret that an object names is watched once, however many name it, until none does.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::{Stream, StreamExt, stream};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Secret;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Client, Resource, ResourceExt};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::task::AbortOnDropHandle;

use super::sight::{Patience, Seen, Sight};

/// The most Secrets that are watched: each is a connection to the API server. Those beyond are looked at by the clock.
const MOST: usize = 200;
/// Changes that wait for a reconciler; if more come at once, all of its objects are looked at.
const BACKLOG: usize = 256;

/// A Secret, by namespace and name.
type SecretName = (String, String);

/// An object that names Secrets of its namespace: kind, namespace, name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Follower {
    kind: String,
    namespace: String,
    name: String,
}

struct Watched {
    followers: HashSet<Follower>,
    seen: Seen,
    /// The names of the keys with text in the version that was read last.
    keys: Option<(String, BTreeSet<String>)>,
    _watch: AbortOnDropHandle<()>,
}

/// The Secrets in sight. Cheap to clone; clones share them.
#[derive(Clone)]
pub(crate) struct Watches {
    kube: Client,
    patience: Patience,
    watched: Arc<Mutex<HashMap<SecretName, Watched>>>,
    changes: broadcast::Sender<SecretName>,
}

impl Watches {
    /// Watches nothing yet.
    pub(crate) fn new(kube: Client) -> Self {
        Self { kube, patience: Patience::default(), watched: Arc::default(), changes: broadcast::channel(BACKLOG).0 }
    }

    #[cfg(test)]
    pub(super) fn with_patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// Says which Secrets the object names now, and in which version it has just read each; `None` if it could not, or
    /// there is none. Those it no longer names are let go. Answers whether each of them is in sight, so that nobody need
    /// ask again by the clock.
    pub(crate) fn follow<K>(&self, object: &K, secrets: &BTreeMap<String, Option<String>>) -> bool
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        let namespace = object.namespace().unwrap_or_default();
        let follower = Follower { kind: K::kind(&()).into(), namespace: namespace.clone(), name: object.name_any() };
        let mut watched = self.lock();
        watched.retain(|(place, name), one| {
            if *place != namespace || !secrets.contains_key(name) {
                one.followers.remove(&follower);
            }
            !one.followers.is_empty()
        });
        let mut all = true;
        for (name, version) in secrets {
            let secret = (namespace.clone(), name.clone());
            if !watched.contains_key(&secret) && watched.len() >= MOST {
                all = false;
                continue;
            }
            let one = watched.entry(secret.clone()).or_insert_with(|| self.watch(secret, version.clone()));
            one.followers.insert(follower.clone());
        }
        all
    }

    /// Lets go of what an object named that is gone.
    pub(crate) fn forget(&self, kind: &str, namespace: &str, name: &str) {
        let gone = Follower { kind: kind.to_owned(), namespace: namespace.to_owned(), name: name.to_owned() };
        self.lock().retain(|_, one| {
            one.followers.remove(&gone);
            !one.followers.is_empty()
        });
    }

    /// The version of a Secret that is in sight. `None` says nothing of it: read it.
    pub(crate) fn version(&self, namespace: &str, name: &str) -> Option<String> {
        self.lock().get(&(namespace.to_owned(), name.to_owned())).and_then(|one| one.seen.get())
    }

    /// Notes the names of the keys that have text in a Secret that was read.
    pub(crate) fn learn(&self, namespace: &str, secret: &Secret) {
        let Some(version) = secret.resource_version() else { return };
        if let Some(one) = self.lock().get_mut(&(namespace.to_owned(), secret.name_any())) {
            let has_text = |bytes: &[u8]| std::str::from_utf8(bytes).is_ok_and(|text| !text.trim().is_empty());
            let keys = secret.data.iter().flatten().filter(|(_, value)| has_text(&value.0));
            one.keys = Some((version, keys.map(|(key, _)| key.clone()).collect()));
        }
    }

    /// The version of a Secret in sight that is known to have text under this key. `None` says nothing of it: read it.
    pub(crate) fn with_text(&self, namespace: &str, name: &str, key: &str) -> Option<String> {
        let watched = self.lock();
        let one = watched.get(&(namespace.to_owned(), name.to_owned()))?;
        let (version, keys) = one.keys.as_ref()?;
        (one.seen.get().as_ref() == Some(version) && keys.contains(key)).then(|| version.clone())
    }

    /// The objects of a kind whose Secrets change from now on.
    pub(crate) fn woken<K>(&self) -> impl Stream<Item = ObjectRef<K>> + Send + 'static
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + 'static,
    {
        let watched = Arc::clone(&self.watched);
        let changes = stream::unfold(self.changes.subscribe(), |mut changes| async move {
            match changes.recv().await {
                Ok(secret) => Some((Some(secret), changes)),
                Err(RecvError::Lagged(_)) => Some((None, changes)),
                Err(RecvError::Closed) => None,
            }
        });
        changes.flat_map(move |changed| stream::iter(followers::<K>(&lock(&watched), changed.as_ref())))
    }

    fn watch(&self, secret: SecretName, version: Option<String>) -> Watched {
        let seen = Seen::new(version);
        let changes = self.changes.clone();
        let sight = Sight {
            secrets: Api::<Secret>::namespaced(self.kube.clone(), &secret.0),
            name: secret.1.clone(),
            seen: seen.clone(),
            patience: self.patience,
            // Nobody listens while no reconciler runs: then nobody needs to know.
            changed: move || drop(changes.send(secret.clone())),
        };
        let watch = AbortOnDropHandle::new(tokio::spawn(sight.keep()));
        Watched { followers: HashSet::new(), seen, keys: None, _watch: watch }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SecretName, Watched>> {
        lock(&self.watched)
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }
}

fn lock(watched: &Mutex<HashMap<SecretName, Watched>>) -> MutexGuard<'_, HashMap<SecretName, Watched>> {
    watched.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The objects of a kind that follow one Secret, or any.
fn followers<K>(watched: &HashMap<SecretName, Watched>, changed: Option<&SecretName>) -> Vec<ObjectRef<K>>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
{
    let kind = K::kind(&());
    let chosen = watched.iter().filter(|(secret, _)| changed.is_none_or(|changed| changed == *secret));
    let all: HashSet<&Follower> = chosen.flat_map(|(_, one)| &one.followers).collect();
    let ours = all.into_iter().filter(|follower| follower.kind == kind);
    ours.map(|follower| ObjectRef::new(&follower.name).within(&follower.namespace)).collect()
}
