//! Creates a build's Job, and deletes it when it must stop.

use brickline_artifact::plan::{
    BuildPlan, Conditions, Deadlines, Limits, PackageIndex, ReleaseIdentity, Required, SourcePlan, TestPlan, UploadPlan,
};
use brickline_crds::{DatabricksRelease, FIELD_MANAGER, Phase, Reason, Required as SpecRequired};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};

use super::job::{CA_CONFIG_MAP, CA_KEY, credentials, job};
use super::since::{Since, since};
use super::{Effect, job_name};
use crate::context::{Context, Settings};
use crate::phase::Outcome;
use crate::phase::finish::{self, ReportState};
use crate::secret;
use crate::trouble::Trouble;

/// Does what `decide` asked for.
pub(crate) async fn act(release: &DatabricksRelease, effect: &Effect, context: &Context) -> Result<Outcome, Trouble> {
    let Effect::CreateJob { name, attempt } = effect;
    let namespace = release.namespace().unwrap_or_default();
    let since = context.pipeline_of(release).map(|pipeline| since(release, &pipeline)).unwrap_or_default();
    let plan = plan(release, *attempt, since, &context.settings)?;
    let told = finish::reported(ReportState::Pending, true);
    let is_there = release.status.as_ref().is_some_and(|status| status.reported.as_ref() == Some(&told));
    // A pod whose Secret is missing would wait for ever without saying so in its status. That the forge could just be told
    // with it says that it is there.
    if let Some(name) = credentials(release).filter(|_| !is_there) {
        secret::read(&context.kube, &namespace, name, "source.git.credentialsRef").await?;
    }
    put_ca(&namespace, context).await?;
    let jobs: Api<Job> = Api::namespaced(context.kube.clone(), &namespace);
    match jobs.create(&PostParams::default(), &job(release, name, &plan, &context.settings)).await {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if status.is_already_exists() => {}
        // An admission policy's refusal is forbidden too, but says something else.
        Err(kube::Error::Api(status)) if status.is_forbidden() && status.message.contains("cannot create resource") => {
            return Err(Trouble::not_a_tenant(&namespace));
        }
        Err(kube::Error::Api(status)) if status.is_forbidden() || status.is_invalid() => {
            let message = format!("Kubernetes refused the build's Job: {}", status.message);
            return Err(Trouble::lasting(Reason::BuildFailed, message));
        }
        Err(error) => return Err(error.into()),
    }
    context.builds.created(&namespace, name);
    Ok(Outcome::Done)
}

/// Deletes the attempt's Job after its pod: the kubelet gives `collect` its grace to hand in what there is, and the Job
/// must still be there to vouch for it.
pub(crate) async fn stop(release: &DatabricksRelease, context: &Context) -> Result<(), Trouble> {
    let namespace = release.namespace().unwrap_or_default();
    let attempt = release.status.as_ref().and_then(|s| s.phase(Phase::Build)).map_or(1, |phase| phase.attempts);
    let name = job_name(release, attempt);
    let jobs: Api<Job> = Api::namespaced(context.kube.clone(), &namespace);
    gone(jobs.delete(&name, &DeleteParams::foreground()).await.map(drop), &namespace)?;
    // The pod's own grace is for handing in; one that was told to stop has less, so that it is gone in time.
    let grace = release.spec.timeouts.cancel_grace_period.as_secs() * 3 / 4;
    let quickly = DeleteParams {
        grace_period_seconds: Some(u32::try_from(grace).unwrap_or(u32::MAX)),
        ..DeleteParams::default()
    };
    let pods: Api<Pod> = Api::namespaced(context.kube.clone(), &namespace);
    let ours = ListParams::default().labels(&format!("batch.kubernetes.io/job-name={name}"));
    gone(pods.delete_collection(&quickly, &ours).await.map(drop), &namespace)
}

fn gone(deleted: Result<(), kube::Error>, namespace: &str) -> Result<(), Trouble> {
    match deleted {
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        Err(kube::Error::Api(status)) if status.is_forbidden() => Err(Trouble::not_a_tenant(namespace)),
        done => Ok(done?),
    }
}

/// The attempt's Job, as long as it is there: it goes after its pod. Asks only when the watch no longer has it.
pub(crate) async fn alive(release: &DatabricksRelease, context: &Context) -> Result<Vec<String>, Trouble> {
    let namespace = release.namespace().unwrap_or_default();
    let attempt = release.status.as_ref().and_then(|s| s.phase(Phase::Build)).map_or(1, |phase| phase.attempts);
    let name = job_name(release, attempt);
    let jobs: Api<Job> = Api::namespaced(context.kube.clone(), &namespace);
    let is_there = context.builds.job(&namespace, &name).is_some() || jobs.get_metadata_opt(&name).await?.is_some();
    Ok(is_there.then(|| format!("Job {namespace}/{name}")).into_iter().collect())
}

fn plan(release: &DatabricksRelease, attempt: u32, since: Since, settings: &Settings) -> Result<String, Trouble> {
    let invalid = |message: String| Trouble::lasting(Reason::InvalidSpec, message);
    let git = release.spec.source.git.as_ref().ok_or_else(|| invalid("spec.source.git is missing".to_owned()))?;
    let build = &release.spec.build;
    let args = &settings.args;
    let plan = BuildPlan {
        release: ReleaseIdentity {
            namespace: release.namespace().unwrap_or_default(),
            name: release.name_any(),
            uid: release.uid().unwrap_or_default(),
            attempt,
        },
        source: SourcePlan {
            url: git.url.clone(),
            reference: git.reference.clone(),
            commit: git.commit.clone(),
            base: since.base,
            deployed: since.deployed,
            submodules: true,
            lfs: true,
        },
        conditions: Conditions {
            include_paths: build.only.include_paths.clone(),
            exclude_paths: build.only.exclude_paths.clone(),
            merges_only: build.only.merges_only,
        },
        python_version: build.python_version.clone(),
        include: build.include.clone(),
        exclude: build.exclude.clone(),
        wheels: build.wheels.clone(),
        tests: TestPlan {
            paths: build.tests.paths.clone(),
            args: build.tests.args.clone(),
            reports: build.tests.reports.clone(),
            required: required(build.tests.required),
        },
        requirements: build.requirements.clone(),
        package_index: PackageIndex {
            index_url: args.package_index.as_ref().map(ToString::to_string),
            extra_index_urls: args.extra_package_indexes.iter().map(ToString::to_string).collect(),
        },
        upload: UploadPlan {
            url: args.artifact_url.as_str().trim_end_matches('/').to_owned(),
            ca_pem: settings.artifact_ca.clone(),
        },
        limits: Limits::default(),
        deadlines: Deadlines { steps_seconds: release.spec.timeouts.build.as_secs(), ..Deadlines::default() },
    };
    plan.to_json().map_err(|error| invalid(error.to_string()))
}

fn required(required: SpecRequired) -> Required {
    match required {
        SpecRequired::Auto => Required::Auto,
        SpecRequired::Always => Required::Always,
        SpecRequired::Never => Required::Never,
    }
}

/// Build pods in every namespace trust what the controller trusts.
async fn put_ca(namespace: &str, context: &Context) -> Result<(), Trouble> {
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
