//! Creates a Job, stops it, and looks whether it is gone. All harmless when repeated: a Job's name is derived.

use std::time::Duration;

use brickline_crds::{DatabricksRelease, FIELD_MANAGER, Reason};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};

use super::parts::{CA_CONFIG_MAP, CA_KEY};
use super::sight::JOB_NAME;
use crate::context::Context;
use crate::trouble::Trouble;

/// Creates a Job. `refused` is the reason if Kubernetes takes none like it.
pub(crate) async fn create(job: &Job, refused: Reason, context: &Context) -> Result<(), Trouble> {
    let (namespace, name) = (job.namespace().unwrap_or_default(), job.name_any());
    let jobs: Api<Job> = Api::namespaced(context.kube.clone(), &namespace);
    match jobs.create(&PostParams::default(), job).await {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if status.is_already_exists() => {}
        // An admission policy's refusal is forbidden too, but says something else.
        Err(kube::Error::Api(status)) if status.is_forbidden() && status.message.contains("cannot create resource") => {
            return Err(Trouble::not_a_tenant(&namespace));
        }
        Err(kube::Error::Api(status)) if status.is_forbidden() || status.is_invalid() => {
            let message = format!("Kubernetes refused the Job {name}: {}", status.message);
            return Err(Trouble::lasting(refused, message));
        }
        Err(error) => return Err(error.into()),
    }
    context.jobs.created(&namespace, &name);
    Ok(())
}

/// Deletes a Job after its pod, which gets `grace` to end: the Job must still be there to vouch for it.
pub(crate) async fn stop(namespace: &str, name: &str, grace: Duration, context: &Context) -> Result<(), Trouble> {
    let jobs: Api<Job> = Api::namespaced(context.kube.clone(), namespace);
    gone(jobs.delete(name, &DeleteParams::foreground()).await.map(drop), namespace)?;
    let quickly = DeleteParams {
        grace_period_seconds: Some(u32::try_from(grace.as_secs()).unwrap_or(u32::MAX)),
        ..DeleteParams::default()
    };
    let pods: Api<Pod> = Api::namespaced(context.kube.clone(), namespace);
    let ours = ListParams::default().labels(&format!("{JOB_NAME}={name}"));
    gone(pods.delete_collection(&quickly, &ours).await.map(drop), namespace)
}

fn gone(deleted: Result<(), kube::Error>, namespace: &str) -> Result<(), Trouble> {
    match deleted {
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        Err(kube::Error::Api(status)) if status.is_forbidden() => Err(Trouble::not_a_tenant(namespace)),
        done => Ok(done?),
    }
}

/// The Job, as long as it is there: it goes after its pod. Asks only when the watch no longer has it.
pub(crate) async fn alive(namespace: &str, name: &str, context: &Context) -> Result<Vec<String>, Trouble> {
    let jobs: Api<Job> = Api::namespaced(context.kube.clone(), namespace);
    let is_there = context.jobs.job(namespace, name).is_some() || jobs.get_metadata_opt(name).await?.is_some();
    Ok(is_there.then(|| format!("Job {namespace}/{name}")).into_iter().collect())
}

/// How long a pod that was told to stop has: a part of the release's grace, so that it is gone in time.
pub(crate) fn grace(release: &DatabricksRelease) -> Duration {
    release.spec.timeouts.cancel_grace_period.get() * 3 / 4
}

/// Pods in every namespace trust what the controller trusts.
pub(crate) async fn put_ca(namespace: &str, context: &Context) -> Result<(), Trouble> {
    let Some(bundle) = &context.settings.ca_bundle else { return Ok(()) };
    let maps: Api<ConfigMap> = Api::namespaced(context.kube.clone(), namespace);
    let map = serde_json::json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": CA_CONFIG_MAP},
        "data": {CA_KEY: bundle},
    });
    match maps.patch(CA_CONFIG_MAP, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(map)).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_forbidden() => Err(Trouble::not_a_tenant(namespace)),
        Err(error) => Err(error.into()),
    }
}
