//! What somebody changed that releases wait for: a workspace's windows, rules or suspension, a pipeline's concurrency. Who
//! waits is woken by the change.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use brickline_crds::{DatabricksRelease, DatabricksWorkspace, ReleasePipeline, labels};
use kube::runtime::watcher::Event;
use kube::{Resource, ResourceExt};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// An object with another spec than before, or that came or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Changed {
    kind: String,
    namespace: String,
    name: String,
}

impl Changed {
    /// Whether the release may wait for it.
    pub(crate) fn concerns(&self, release: &DatabricksRelease) -> bool {
        let workspace = release.spec.workspace_ref.as_ref().map(|reference| reference.name.as_str());
        let pipeline = release.labels().get(labels::PIPELINE).map(String::as_str);
        let meant = [(DatabricksWorkspace::kind(&()), workspace), (ReleasePipeline::kind(&()), pipeline)];
        let is_this = |(kind, name): &(_, Option<&str>)| *kind == self.kind && *name == Some(self.name.as_str());
        release.namespace().as_ref() == Some(&self.namespace) && meant.iter().any(is_this)
    }
}

/// Where changes are told, and where they are heard.
pub(crate) fn channel() -> (Changes, UnboundedReceiver<Changed>) {
    let (tell, heard) = unbounded_channel();
    (Changes { generations: Mutex::default(), tell }, heard)
}

/// The generations that were seen last. A status alone is no change.
pub(crate) struct Changes {
    generations: Mutex<BTreeMap<(String, String, String), Option<i64>>>,
    tell: UnboundedSender<Changed>,
}

impl Changes {
    /// Takes an event of a watch in, and tells if it is a change.
    pub(crate) fn note<K: Resource<DynamicType = ()>>(&self, event: &Event<K>) {
        let (object, generation) = match event {
            Event::Apply(object) | Event::InitApply(object) => (object, Some(object.meta().generation)),
            Event::Delete(object) => (object, None),
            Event::Init | Event::InitDone => return,
        };
        let (kind, namespace, name) =
            (K::kind(&()).into_owned(), object.namespace().unwrap_or_default(), object.name_any());
        let key = (kind.clone(), namespace.clone(), name.clone());
        let mut known = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match generation {
            Some(generation) => known.insert(key, generation),
            None => known.remove(&key),
        };
        if before != generation {
            // Nobody listens only when the process is about to leave.
            let _ = self.tell.send(Changed { kind, namespace, name });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use brickline_crds::{DatabricksReleaseSpec, LocalRef};
    use serde_json::json;

    fn workspace(name: &str, generation: i64) -> DatabricksWorkspace {
        serde_json::from_value(json!({
            "apiVersion": "brickline.dev/v1alpha1", "kind": "DatabricksWorkspace",
            "metadata": {"name": name, "namespace": "data", "generation": generation},
            "spec": {"host": "https://adb-1.2.azuredatabricks.net", "auth": {}},
        }))
        .unwrap()
    }

    #[test]
    fn a_new_spec_is_told_and_a_new_status_is_not() {
        let (changes, mut heard) = channel();
        let mut told = |event: Event<DatabricksWorkspace>| {
            changes.note(&event);
            heard.try_recv().ok().map(|changed| changed.name)
        };
        assert_eq!(told(Event::InitApply(workspace("staging", 1))).as_deref(), Some("staging"));
        assert_eq!(told(Event::Apply(workspace("staging", 1))), None);
        assert_eq!(told(Event::Apply(workspace("staging", 2))).as_deref(), Some("staging"));
        assert_eq!(told(Event::InitApply(workspace("staging", 2))), None, "a watch that began anew");
        assert_eq!(told(Event::Delete(workspace("staging", 2))).as_deref(), Some("staging"));
        assert_eq!(told(Event::Apply(workspace("staging", 2))).as_deref(), Some("staging"), "it came again");
    }

    #[test]
    fn it_concerns_the_releases_to_the_workspace_and_those_of_the_pipeline() {
        let spec =
            DatabricksReleaseSpec { workspace_ref: Some(LocalRef::new("staging")), ..DatabricksReleaseSpec::default() };
        let mut release = DatabricksRelease::new("one", spec);
        release.metadata.namespace = Some("data".to_owned());
        release.labels_mut().insert(labels::PIPELINE.to_owned(), "dbxdemo".to_owned());
        let concerns = |kind: &str, namespace: &str, name: &str| {
            let [kind, namespace, name] = [kind, namespace, name].map(str::to_owned);
            Changed { kind, namespace, name }.concerns(&release)
        };
        assert!(concerns("DatabricksWorkspace", "data", "staging"));
        assert!(concerns("ReleasePipeline", "data", "dbxdemo"));
        assert!(!concerns("DatabricksWorkspace", "data", "dbxdemo"));
        assert!(!concerns("DatabricksWorkspace", "ml", "staging"));
        assert!(!concerns("ReleasePipeline", "data", "staging"));
    }
}
