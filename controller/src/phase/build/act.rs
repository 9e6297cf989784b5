//! Creates a build's Job, and deletes it when it must stop.

use brickline_artifact::plan::{
    BuildPlan, Conditions, Deadlines, Limits, PackageIndex, ReleaseIdentity, Required, SourcePlan, TestPlan, UploadPlan,
};
use brickline_crds::{DatabricksRelease, Phase, Reason, Required as SpecRequired};
use kube::ResourceExt;

use super::since::{Since, since};
use super::{Effect, job_name, pod};
use crate::context::{Context, Settings};
use crate::forge::ReportState;
use crate::phase::Outcome;
use crate::phase::finish;
use crate::phase::job::{self, create, put_ca};
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
    if let Some(name) = pod::credentials(release).filter(|_| !is_there) {
        secret::read(&context.kube, &namespace, name, "source.git.credentialsRef").await?;
    }
    put_ca(&namespace, context).await?;
    create(&pod::job(release, name, &plan, &context.settings), Reason::BuildFailed, context).await?;
    Ok(Outcome::Done)
}

/// Deletes the attempt's Job after its pod: the kubelet gives `collect` its grace to hand in what there is. The pod's own
/// grace is for handing in; one that was told to stop has less.
pub(crate) async fn stop(release: &DatabricksRelease, context: &Context) -> Result<(), Trouble> {
    job::stop(&release.namespace().unwrap_or_default(), &current(release), job::grace(release), context).await
}

/// The attempt's Job, as long as it is there.
pub(crate) async fn alive(release: &DatabricksRelease, context: &Context) -> Result<Vec<String>, Trouble> {
    job::alive(&release.namespace().unwrap_or_default(), &current(release), context).await
}

/// The name of the attempt's Job.
fn current(release: &DatabricksRelease) -> String {
    let attempt = release.status.as_ref().and_then(|s| s.phase(Phase::Build)).map_or(1, |phase| phase.attempts);
    job_name(release, attempt)
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
