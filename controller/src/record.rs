//! Writing a status: server-side apply that carries the version it was decided on.

use brickline_crds::FIELD_MANAGER;
use k8s_openapi::NamespaceResourceScope;
use kube::api::{Patch, PatchParams};
use kube::{Api, Resource, ResourceExt};
use serde::{Serialize, de::DeserializeOwned};

use crate::context::Context;

/// Applies `status` to `object` and returns the object as it then is.
///
/// Without `metadata.resourceVersion` a forced apply from a stale reader answers 200 and wipes newer fields; with it the
/// API server answers 409, and the caller looks again.
pub(crate) async fn status<K>(object: &K, status: &impl Serialize, context: &Context) -> Result<K, kube::Error>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(context.kube.clone(), &object.namespace().unwrap_or_default());
    let patch = serde_json::json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": {"name": object.name_any(), "resourceVersion": object.resource_version()},
        "status": status,
    });
    api.patch_status(&object.name_any(), &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(patch)).await
}
