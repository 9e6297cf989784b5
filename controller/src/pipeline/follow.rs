//! What wakes a pipeline, and when it must look at its releases again.
//!
//! A pipeline derives everything from its releases, but finished releases are not watched: a thousand of them cost
//! nothing. So a release says when it changes something for its pipeline, and the pipeline looks if that happened since it
//! last did, if its own spec changed, if a release grows too old, or if this process has never looked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use brickline_crds::{DatabricksRelease, ReleasePipeline, annotations, labels};
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::reflector::{ObjectRef, Store};

use crate::trouble::Trouble;

type Ref = ObjectRef<ReleasePipeline>;

/// Pipelines that have to look at releases, one by one.
pub(crate) type Followers = UnboundedReceiver<Ref>;

/// Shared by the reconcilers of releases and of pipelines.
#[derive(Clone)]
pub(crate) struct Follow(Arc<State>);

struct State {
    pipelines: Store<ReleasePipeline>,
    wake: UnboundedSender<Ref>,
    known: Mutex<HashMap<Ref, Known>>,
}

/// What is known of one pipeline.
#[derive(Clone, Debug, Default)]
struct Known {
    /// How often its releases had news.
    news: u64,
    memory: Option<Memory>,
    asked: Option<Asked>,
}

/// When the repository was last asked for its branches, and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Asked {
    /// When it may be asked again.
    pub(super) next: Timestamp,
    /// Why it did not answer.
    pub(super) trouble: Option<Trouble>,
}

/// What a pipeline remembers of its last look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Memory {
    news: u64,
    uid: String,
    generation: i64,
    requested_at: String,
    /// When a release will be too old.
    pub(super) next: Option<Timestamp>,
}

impl Follow {
    /// The stream wakes pipelines.
    pub(crate) fn new(pipelines: Store<ReleasePipeline>) -> (Self, Followers) {
        let (wake, woken) = unbounded();
        (Self(Arc::new(State { pipelines, wake, known: Mutex::default() })), woken)
    }

    /// A release has ended, or begins to change its workspace: its pipeline, and those that follow it, look again.
    pub(crate) fn note(&self, release: &DatabricksRelease) {
        let Some(name) = release.labels().get(labels::PIPELINE) else { return };
        let namespace = release.namespace().unwrap_or_default();
        for pipeline in followers(&self.0.pipelines.state(), &namespace, name) {
            self.known().entry(pipeline.clone()).or_default().news += 1;
            // Closed only while the process ends.
            let _ = self.0.wake.unbounded_send(pipeline);
        }
    }

    /// The pipeline called `name`, as it was last seen.
    pub(super) fn pipeline(&self, namespace: &str, name: &str) -> Option<Arc<ReleasePipeline>> {
        self.0.pipelines.get(&Ref::new(name).within(namespace))
    }

    /// What to remember of a look that begins now.
    pub(super) fn look(&self, pipeline: &ReleasePipeline) -> Memory {
        Memory {
            news: self.known().get(&Ref::from_obj(pipeline)).map_or(0, |known| known.news),
            uid: pipeline.uid().unwrap_or_default(),
            generation: pipeline.metadata.generation.unwrap_or_default(),
            requested_at: annotations::requested_at(pipeline.annotations()).unwrap_or_default(),
            next: None,
        }
    }

    /// The last look, if nothing has happened since; `look` is the one that would begin now.
    pub(super) fn memory(&self, pipeline: &ReleasePipeline, look: &Memory, now: Timestamp) -> Option<Memory> {
        let known = self.known();
        let memory = known.get(&Ref::from_obj(pipeline))?.memory.clone()?;
        let same = Memory { next: None, ..memory.clone() } == *look;
        (same && memory.next.is_none_or(|next| next > now)).then_some(memory)
    }

    /// Keeps a look that was completed, and drops those of pipelines that are gone.
    pub(super) fn remember(&self, pipeline: &ReleasePipeline, memory: Memory) {
        let mut known = self.known();
        known.retain(|pipeline, _| self.0.pipelines.get(pipeline).is_some());
        known.entry(Ref::from_obj(pipeline)).or_default().memory = Some(memory);
    }

    /// When and how the repository last answered.
    pub(super) fn asked(&self, pipeline: &ReleasePipeline) -> Option<Asked> {
        self.known().get(&Ref::from_obj(pipeline))?.asked.clone()
    }

    /// Keeps that; nothing once it is not asked any more.
    pub(super) fn ask(&self, pipeline: &ReleasePipeline, asked: Option<Asked>) {
        self.known().entry(Ref::from_obj(pipeline)).or_default().asked = asked;
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Ref, Known>> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pipeline called `name`, and those that its releases start releases of.
fn followers(pipelines: &[Arc<ReleasePipeline>], namespace: &str, name: &str) -> Vec<Ref> {
    let follows = |pipeline: &&Arc<ReleasePipeline>| {
        let names = |other: &&str| *other == name;
        let own = pipeline.metadata.name.as_deref();
        let others = pipeline.spec.trigger.artifacts.iter().map(|trigger| trigger.pipeline.as_str());
        pipeline.metadata.namespace.as_deref() == Some(namespace) && own.into_iter().chain(others).any(|n| names(&n))
    };
    pipelines.iter().filter(follows).map(|pipeline| Ref::from_obj(pipeline)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receiver::samples;
    use brickline_crds::ArtifactTrigger;
    use futures::StreamExt;
    use kube::runtime::{reflector, watcher};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn follow(pipelines: Vec<ReleasePipeline>) -> (Follow, UnboundedReceiver<Ref>) {
        let (store, mut writer) = reflector::store();
        for pipeline in pipelines {
            writer.apply_watcher_event(&watcher::Event::Apply(pipeline));
        }
        Follow::new(store)
    }

    fn release_of(pipeline: &str) -> DatabricksRelease {
        let mut release = DatabricksRelease::new("x", brickline_crds::DatabricksReleaseSpec::default());
        release.metadata.namespace = Some("data".to_owned());
        release.metadata.labels = Some([(labels::PIPELINE.to_owned(), pipeline.to_owned())].into());
        release
    }

    #[tokio::test]
    async fn a_release_wakes_its_pipeline_and_those_that_take_its_artifacts() {
        let mut follower = samples::pipeline_named("app");
        follower.spec.trigger.artifacts =
            vec![ArtifactTrigger { pipeline: "dbxdemo".to_owned(), ..ArtifactTrigger::default() }];
        let mut elsewhere = follower.clone();
        elsewhere.metadata.namespace = Some("other".to_owned());
        let (follow, woken) =
            follow(vec![samples::pipeline(), follower, elsewhere, samples::pipeline_named("stranger")]);
        follow.note(&release_of("dbxdemo"));
        let mut names: Vec<String> = woken.take(2).map(|pipeline| pipeline.name).collect().await;
        names.sort();
        assert_eq!(names, ["app", "dbxdemo"]);
    }

    #[test]
    fn a_look_is_kept_until_something_happens() {
        let mut pipeline = samples::pipeline();
        let (follow, _woken) = follow(vec![pipeline.clone()]);
        let look = follow.look(&pipeline);
        assert_eq!(follow.memory(&pipeline, &look, at(1)), None, "a new process has never looked");
        follow.remember(&pipeline, Memory { next: Some(at(10)), ..look.clone() });
        assert!(follow.memory(&pipeline, &look, at(9)).is_some());
        assert_eq!(follow.memory(&pipeline, &look, at(10)), None, "a release is too old");
        follow.note(&release_of("dbxdemo"));
        assert_eq!(follow.memory(&pipeline, &follow.look(&pipeline), at(1)), None, "a release has ended");
        follow.remember(&pipeline, look.clone());
        assert_eq!(follow.memory(&pipeline, &follow.look(&pipeline), at(1)), None, "and did so after that look began");
        follow.remember(&pipeline, follow.look(&pipeline));
        pipeline.metadata.generation = Some(7);
        assert_eq!(follow.memory(&pipeline, &follow.look(&pipeline), at(1)), None, "the spec is another one");
    }
}
