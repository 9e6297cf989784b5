//! The newest versions of releases that this process knows of.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use brickline_crds::DatabricksRelease;
use kube::ResourceExt;
use kube::api::ObjectMeta;

/// The metadata of unfinished releases as this process last wrote it, or read it past every cache. A cached release of
/// that version is not behind, and need not be read again before something is done for it.
#[derive(Clone, Default)]
pub(crate) struct Versions(Arc<Mutex<HashMap<String, ObjectMeta>>>);

impl Versions {
    /// Notes what the API server answered.
    pub(crate) fn note(&self, metadata: &ObjectMeta) {
        let Some(uid) = metadata.uid.clone() else { return };
        self.lock().insert(uid, ObjectMeta { managed_fields: None, ..metadata.clone() });
    }

    /// What is stored is not known, or no longer matters.
    pub(crate) fn forget(&self, release: &DatabricksRelease) {
        self.lock().remove(&release.uid().unwrap_or_default());
    }

    /// The release's newest metadata, if it is known.
    pub(crate) fn newest(&self, release: &DatabricksRelease) -> Option<ObjectMeta> {
        self.lock().get(&release.uid()?).cloned()
    }

    /// Whether this is the newest version.
    pub(crate) fn is_newest(&self, release: &DatabricksRelease) -> bool {
        self.newest(release).is_some_and(|known| known.resource_version == release.resource_version())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, ObjectMeta>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
