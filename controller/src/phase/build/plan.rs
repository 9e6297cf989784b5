//! The order to the pod of one job: pure.

use brickline_artifact::plan::{
    BuildPlan, Conditions, Deadlines, JobPlan, Limits, PackageIndex, ReleaseIdentity, Required, RunsIf, SourcePlan,
    StepPlan, TestPlan, UploadPlan,
};
use brickline_crds::{
    Build, BuildJob, DatabricksRelease, GoDuration, PlannedJob, Reason, Required as SpecRequired, StepCondition,
};
use kube::ResourceExt;

use super::session::wanted;
use super::since::Since;
use crate::context::Settings;
use crate::trouble::Trouble;

/// The order to the pod of one job, as JSON.
pub(super) fn plan(
    release: &DatabricksRelease,
    planned: &PlannedJob,
    attempt: u32,
    since: Since,
    settings: &Settings,
) -> Result<String, Trouble> {
    let invalid = |message: String| Trouble::lasting(Reason::InvalidSpec, message);
    let git = release.spec.source.git.as_ref().ok_or_else(|| invalid("spec.source.git is missing".to_owned()))?;
    let build = &release.spec.build;
    let args = &settings.args;
    let own = planned.job.and_then(|job| job.timeout);
    let steps_seconds = own.unwrap_or(release.spec.timeouts.build).as_secs();
    let plan = BuildPlan {
        release: ReleaseIdentity {
            namespace: release.namespace().unwrap_or_default(),
            name: release.name_any(),
            uid: release.uid().unwrap_or_default(),
            attempt,
            job: planned.job.map(|_| planned.name.clone()),
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
        python_version: python(build, planned).cloned(),
        include: build.include.clone(),
        exclude: build.exclude.clone(),
        wheels: build.wheels.clone(),
        tests: tests(build, planned),
        job: planned.job.map(|job| job_plan(job, planned)),
        requirements: build.requirements.clone(),
        databricks_connect: wanted(release, planned).map(|connect| connect.version.clone()),
        package_index: PackageIndex {
            index_url: args.package_index.as_ref().map(ToString::to_string),
            extra_index_urls: args.extra_package_indexes.iter().map(ToString::to_string).collect(),
        },
        upload: UploadPlan {
            url: args.artifact_url.as_str().trim_end_matches('/').to_owned(),
            ca_pem: settings.artifact_ca.clone(),
        },
        limits: Limits::default(),
        deadlines: Deadlines { steps_seconds, ..Deadlines::default() },
    };
    plan.to_json().map_err(|error| invalid(error.to_string()))
}

/// The Python that the job's image must have.
fn python<'a>(build: &'a Build, planned: &PlannedJob<'a>) -> Option<&'a String> {
    match planned.job {
        None => build.python_version.as_ref(),
        Some(job) => planned.copy.and_then(|copy| copy.python_version.as_ref()).or(job.python_version.as_ref()),
    }
}

/// The tests that Brickline runs itself; of a further job only the reports count.
fn tests(build: &Build, planned: &PlannedJob) -> TestPlan {
    match planned.job {
        None => TestPlan {
            paths: build.tests.paths.clone(),
            args: build.tests.args.clone(),
            reports: build.tests.reports.clone(),
            required: required(build.tests.required),
        },
        Some(job) => TestPlan { reports: job.reports.clone(), required: Required::Never, ..TestPlan::default() },
    }
}

/// The steps of a further job, with the variables that hold for each.
fn job_plan(job: &BuildJob, planned: &PlannedJob) -> JobPlan {
    let mut variables = job.variables.clone();
    variables.extend(planned.copy.iter().flat_map(|copy| copy.variables.clone()));
    let steps = job.steps.iter().map(|step| StepPlan {
        name: step.name.clone(),
        run: step.run.clone(),
        working_directory: step.working_directory.clone(),
        variables: step.variables.clone(),
        condition: match step.condition {
            StepCondition::Succeeded => RunsIf::Succeeded,
            StepCondition::Failed => RunsIf::Failed,
            StepCondition::Always => RunsIf::Always,
        },
        timeout_seconds: step.timeout.map(GoDuration::as_secs),
        continue_on_error: step.continue_on_error,
    });
    JobPlan { variables, steps: steps.collect() }
}

fn required(required: SpecRequired) -> Required {
    match required {
        SpecRequired::Auto => Required::Auto,
        SpecRequired::Always => Required::Always,
        SpecRequired::Never => Required::Never,
    }
}
