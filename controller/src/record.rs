//! Writing to objects: a status by server-side apply that carries the version it was decided on, and the labels and the
//! finalizer of a release.

use std::collections::BTreeMap;

use brickline_crds::{DatabricksRelease, FIELD_MANAGER, labels::FINALIZER};
use k8s_openapi::NamespaceResourceScope;
use kube::api::{Patch, PatchParams};
use kube::{Api, Resource, ResourceExt};
use serde::{Serialize, de::DeserializeOwned};

use crate::context::Context;
use crate::trouble::Trouble;

/// Applies `status` to `object` and returns the object as it then is.
///
/// Without `metadata.resourceVersion` a forced apply from a stale reader answers 200 and wipes newer fields; with it the
/// API server answers 409, and the caller looks again.
pub(crate) async fn status<K>(object: &K, status: &impl Serialize, kube: &kube::Client) -> Result<K, kube::Error>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(kube.clone(), &object.namespace().unwrap_or_default());
    let patch = serde_json::json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": {"name": object.name_any(), "resourceVersion": object.resource_version()},
        "status": status,
    });
    api.patch_status(&object.name_any(), &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(patch)).await
}

/// Applies the labels of a release, and its finalizer or none, over the version that `release` has. A manager of its own:
/// the status has another writer's fields. A release that is gone has nothing to write to; one that somebody else has
/// changed is looked at again.
pub(crate) async fn ownership(
    release: &DatabricksRelease,
    labels: BTreeMap<String, String>,
    ours: bool,
    context: &Context,
) -> Result<(), Trouble> {
    let releases: Api<DatabricksRelease> =
        Api::namespaced(context.kube.clone(), &release.namespace().unwrap_or_default());
    let patch = serde_json::json!({
        "apiVersion": DatabricksRelease::api_version(&()),
        "kind": DatabricksRelease::kind(&()),
        // With its uid, so that a release made anew under this name is not touched.
        "metadata": {
            "uid": release.uid(),
            "resourceVersion": release.resource_version(),
            "labels": labels,
            "finalizers": if ours { vec![FINALIZER] } else { Vec::new() },
        },
    });
    let manager = PatchParams::apply(&format!("{FIELD_MANAGER}-labels")).force();
    let applied = releases.patch_metadata(&release.name_any(), &manager, &Patch::Apply(patch)).await;
    match &applied {
        Ok(newer) => context.versions.note(&newer.metadata),
        Err(_) => context.versions.forget(release),
    }
    match applied {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(()),
        Err(error) => Err(error.into()),
    }
}
