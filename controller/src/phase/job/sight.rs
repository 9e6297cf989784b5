//! Our Jobs and their pods, as the watches last saw them: while work goes on nobody asks the API server for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use brickline_crds::{DatabricksRelease, labels};
use futures::{Stream, StreamExt, stream};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::runtime::reflector::store::WriterDropped;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::{self, Event};
use tokio::sync::broadcast::{self, error::RecvError};

use crate::watches::{Watching, trim};

/// Changes that wait for the reconciler; if more come at once, all releases with a Job are looked at.
const BACKLOG: usize = 1024;
/// How long a Job that was just created counts as being there although no watch has told of it.
const TRUST: Duration = Duration::from_secs(30);
/// The label by which Kubernetes marks a Job's pods.
pub(crate) const JOB_NAME: &str = "batch.kubernetes.io/job-name";

/// A release whose Job or pod changed; `None`: any may have.
type Change = Option<ObjectRef<DatabricksRelease>>;

/// The Jobs in sight. Cheap to clone; clones share them.
#[derive(Clone)]
pub(crate) struct Jobs {
    seen: Store<Job>,
    pods: Store<Pod>,
    /// Jobs that this process created and no watch has shown yet.
    created: Arc<Mutex<HashMap<ObjectRef<Job>, Instant>>>,
    changes: broadcast::Sender<Change>,
}

/// What is known of a Job.
#[derive(Clone, Debug)]
pub(super) enum Known {
    /// As the watch last saw it.
    Seen(Arc<Job>),
    /// Created a moment ago.
    New,
    /// Created, but no watch has shown it for too long.
    Unseen,
    /// Nothing.
    Unknown,
}

impl Jobs {
    /// Begins to watch.
    pub(crate) fn watch(watching: Watching) -> Self {
        let changes = broadcast::channel(BACKLOG).0;
        let ours = format!("{}=brickline,{}", labels::MANAGED_BY, labels::RELEASE);
        let config = watcher::Config::default().labels(&ours);
        let tell = changes.clone();
        let jobs = watching.keep(
            config.clone(),
            |job: &mut Job| {
                trim(&mut job.metadata);
                job.spec = None;
            },
            move |event| drop(change(event).map(|change| tell.send(change))),
        );
        let tell = changes.clone();
        let pods = watching.keep(
            config,
            |pod: &mut Pod| {
                trim(&mut pod.metadata);
                pod.spec = None;
            },
            move |event| drop(change(event).map(|change| tell.send(change))),
        );
        Self { seen: jobs, pods, created: Arc::default(), changes }
    }

    /// No watch has seen anything, and none ever will.
    #[cfg(test)]
    pub(crate) fn unseen() -> Self {
        let (jobs, pods) = (kube::runtime::reflector::store().0, kube::runtime::reflector::store().0);
        Self { seen: jobs, pods, created: Arc::default(), changes: broadcast::channel(1).0 }
    }

    /// Waits until everything there is has been seen once.
    pub(crate) async fn wait_until_ready(&self) -> Result<(), WriterDropped> {
        self.seen.wait_until_ready().await?;
        self.pods.wait_until_ready().await
    }

    /// The releases whose Job or pod changes from now on.
    pub(crate) fn woken(&self) -> impl Stream<Item = ObjectRef<DatabricksRelease>> + Send + 'static {
        let jobs = self.seen.clone();
        let changes = stream::unfold(self.changes.subscribe(), |mut changes| async move {
            match changes.recv().await {
                Ok(change) => Some((change, changes)),
                Err(RecvError::Lagged(_)) => Some((None, changes)),
                Err(RecvError::Closed) => None,
            }
        });
        changes.flat_map(move |change| {
            let woken = match change {
                Some(release) => vec![release],
                None => jobs.state().iter().filter_map(|job| release_of(&**job)).collect(),
            };
            stream::iter(woken)
        })
    }

    /// The Job, if a watch knows it.
    pub(crate) fn job(&self, namespace: &str, name: &str) -> Option<Arc<Job>> {
        self.seen.get(&ObjectRef::new(name).within(namespace))
    }

    /// The pod, if a watch knows it.
    pub(crate) fn pod(&self, namespace: &str, name: &str) -> Option<Arc<Pod>> {
        self.pods.get(&ObjectRef::new(name).within(namespace))
    }

    /// The pods of a Job that a watch knows.
    pub(crate) fn pods_of(&self, namespace: &str, job: &str) -> Vec<Arc<Pod>> {
        let is_its = |pod: &Pod| {
            pod.metadata.namespace.as_deref() == Some(namespace)
                && pod.labels().get(JOB_NAME).is_some_and(|of| of == job)
        };
        self.pods.state().into_iter().filter(|pod| is_its(pod)).collect()
    }

    /// Notes that the Job exists: the watch may tell of it only later.
    pub(super) fn created(&self, namespace: &str, name: &str) {
        let mut created = self.lock();
        // What no watch shows for an hour is over, or was taken away at once.
        created.retain(|_, since| since.elapsed() < Duration::from_hours(1));
        created.entry(ObjectRef::new(name).within(namespace)).or_insert_with(Instant::now);
    }

    /// What is known of a Job without asking.
    pub(super) fn known(&self, namespace: &str, name: &str) -> Known {
        let reference = ObjectRef::new(name).within(namespace);
        let seen = self.seen.get(&reference);
        let mut created = self.lock();
        match (seen, created.get(&reference)) {
            (Some(job), _) => {
                // From now on its deletion is seen too.
                created.remove(&reference);
                Known::Seen(job)
            }
            (None, Some(since)) if since.elapsed() < TRUST => Known::New,
            (None, Some(_)) => Known::Unseen,
            (None, None) => Known::Unknown,
        }
    }

    /// Forgets that the Job was created: it is gone.
    pub(super) fn gone(&self, namespace: &str, name: &str) {
        self.lock().remove(&ObjectRef::new(name).within(namespace));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ObjectRef<Job>, Instant>> {
        self.created.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whom an event concerns; none if nobody.
fn change<K: ResourceExt>(event: &Event<K>) -> Option<Change> {
    match event {
        Event::Apply(object) | Event::Delete(object) => release_of(object).map(Some),
        // A watch that broke may have missed anything.
        Event::InitDone => Some(None),
        Event::Init | Event::InitApply(_) => None,
    }
}

fn release_of<K: ResourceExt>(object: &K) -> Option<ObjectRef<DatabricksRelease>> {
    Some(ObjectRef::new(object.labels().get(labels::RELEASE)?).within(&object.namespace()?))
}

#[cfg(test)]
mod tests {
    use kube::api::ObjectMeta;
    use kube::runtime::reflector;

    use super::*;

    fn job() -> Job {
        let labels = [(labels::RELEASE.to_owned(), "dbxdemo-0123".to_owned())];
        let metadata = ObjectMeta {
            name: Some("dbxdemo-build-1".to_owned()),
            namespace: Some("data".to_owned()),
            labels: Some(labels.into()),
            ..ObjectMeta::default()
        };
        Job { metadata, ..Job::default() }
    }

    #[test]
    fn a_job_counts_as_there_from_its_creation_until_a_watch_says_that_it_is_gone() {
        let (jobs, mut watch) = reflector::store();
        let known_jobs =
            Jobs { seen: jobs, pods: reflector::store().0, created: Arc::default(), changes: broadcast::channel(1).0 };
        let known = || known_jobs.known("data", "dbxdemo-build-1");
        assert!(matches!(known(), Known::Unknown));
        known_jobs.created("data", "dbxdemo-build-1");
        assert!(matches!(known(), Known::New), "the watch lags behind what this process did");
        watch.apply_watcher_event(&Event::Apply(job()));
        assert!(matches!(known(), Known::Seen(_)));
        watch.apply_watcher_event(&Event::Delete(job()));
        assert!(matches!(known(), Known::Unknown), "it was seen, so that it is gone is no lag");
    }

    #[test]
    fn a_change_wakes_the_release_and_a_watch_that_begins_anew_wakes_all() {
        let release = ObjectRef::new("dbxdemo-0123").within("data");
        assert_eq!(change(&Event::Apply(job())), Some(Some(release.clone())));
        assert_eq!(change(&Event::Delete(job())), Some(Some(release)));
        assert_eq!(change::<Job>(&Event::InitDone), Some(None));
        assert_eq!(change(&Event::Apply(Job::default())), None, "nobody's");
    }
}
