//! A chronicle: what happened to releases, and when this program first saw it by its own clock, in milliseconds. Times in
//! statuses have whole seconds, which is too coarse.

use std::{collections::BTreeMap, pin::pin, sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use brickline_crds::{DatabricksRelease, Phase, PhaseState, ReleaseState, labels};
use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::api::{batch::v1::Job, core::v1::Pod};
use kube::{
    Api, Resource, ResourceExt as _,
    runtime::{WatchStreamExt as _, watcher},
};
use serde::de::DeserializeOwned;
use tokio::{sync::watch, task::JoinSet, time::timeout};

use crate::scenario::Stage;

/// Something that happens once in a release.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Mark {
    /// Every container of the build's pod has ended.
    PodOver,
    /// The build's Job has the condition `Complete`.
    JobComplete,
    /// A phase is under way.
    Began(Phase),
    /// The phases are over, and what is owed to others is being done.
    Finishing,
    /// Nothing more will happen.
    Finished,
}

/// What happened to one release so far.
pub(super) type Marks = BTreeMap<Mark, Timestamp>;

type Pages = BTreeMap<String, Marks>;

/// Keeps watch until it is dropped.
pub(super) struct Chronicle {
    pages: watch::Receiver<Pages>,
    _watches: JoinSet<()>,
}

impl Chronicle {
    /// Watches the releases, Jobs and pods on a stage from now on.
    pub(super) fn begin(stage: &Stage) -> Self {
        let (writer, pages) = watch::channel(Pages::new());
        let writer = Arc::new(writer);
        let mut watches = JoinSet::new();
        watches.spawn(follow(stage.api::<DatabricksRelease>(), marks_of_release, Arc::clone(&writer)));
        watches.spawn(follow(stage.api::<Job>(), marks_of_job, Arc::clone(&writer)));
        watches.spawn(follow(stage.api::<Pod>(), marks_of_pod, writer));
        Self { pages, _watches: watches }
    }

    /// Waits until a release has come to this mark. One that ends without it is an error.
    pub(super) async fn until(&self, release: &str, mark: Mark, patience: Duration) -> anyhow::Result<()> {
        let mut pages = self.pages.clone();
        let come = |pages: &Pages| {
            pages.get(release).is_some_and(|marks| marks.contains_key(&mark) || marks.contains_key(&Mark::Finished))
        };
        let pages = timeout(patience, pages.wait_for(come)).await;
        let pages = pages.with_context(|| format!("{release} is not at {mark:?} after {} s", patience.as_secs()))??;
        let marks = pages.get(release);
        ensure!(marks.is_some_and(|marks| marks.contains_key(&mark)), "{release} ended without {mark:?}");
        Ok(())
    }

    /// Everything that happened to a release so far.
    pub(super) fn of(&self, release: &str) -> Marks {
        self.pages.borrow().get(release).cloned().unwrap_or_default()
    }
}

/// Writes down what each change of an object shows, at the moment it arrives.
async fn follow<K>(api: Api<K>, read: fn(&K) -> Vec<Mark>, writer: Arc<watch::Sender<Pages>>)
where
    K: Resource + Clone + std::fmt::Debug + DeserializeOwned + Send + 'static,
{
    let mut changes = pin!(watcher(api, watcher::Config::default()).default_backoff().applied_objects());
    while let Some(change) = changes.next().await {
        let now = Timestamp::now();
        // The watcher heals by itself; what can't be measured for want of it is missed in the end.
        let Ok(object) = change else { continue };
        let name = object.labels().get(labels::RELEASE).cloned().unwrap_or_else(|| object.name_any());
        writer.send_modify(|pages| {
            let marks = pages.entry(name).or_default();
            for mark in read(&object) {
                marks.entry(mark).or_insert(now);
            }
        });
    }
}

fn marks_of_release(release: &DatabricksRelease) -> Vec<Mark> {
    let Some(status) = &release.status else { return Vec::new() };
    let begun = status.phases.iter().filter(|phase| phase.state == PhaseState::Running);
    let end = match status.state {
        ReleaseState::Finishing => Some(Mark::Finishing),
        ReleaseState::Finished => Some(Mark::Finished),
        _ => None,
    };
    begun.map(|phase| Mark::Began(phase.name)).chain(end).collect()
}

fn marks_of_job(job: &Job) -> Vec<Mark> {
    let conditions = job.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let complete = conditions.filter(|one| one.type_ == "Complete" && one.status == "True");
    complete.map(|_| Mark::JobComplete).collect()
}

fn marks_of_pod(pod: &Pod) -> Vec<Mark> {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    phase.filter(|phase| *phase == "Succeeded").map(|_| Mark::PodOver).into_iter().collect()
}
