//! The Job of one attempt of a build's job: pure. Build pods run the repository's code and are trusted with nothing.
//!
//! `runner` copies the static binary; `checkout` is the only container with the git credential; `collect`, a native
//! sidecar, is the only one with the upload token and gets its TERM after `steps`, whose exit code is the verdict. With
//! Databricks Connect `steps`, and it alone, has the workspace's credentials.

use brickline_artifact::layout;
use brickline_crds::{DatabricksRelease, PlannedJob, labels};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{
    Container, EmptyDirVolumeSource, EnvFromSource, EnvVar, PodSpec, SecretEnvSource, SecretVolumeSource, Volume,
};

use super::decide::limit;
use super::session::Session;
use crate::context::Settings;
use crate::phase::job::parts::{
    self, ca_mount, ca_volume, container, env, mount, network_env, resources, scratch, small, upload_token,
};

/// Seconds the pod has to hand in what it has after it was told to stop.
const GRACE: i64 = 300;

/// Builds the Job called `name` with the plan as every container's environment.
pub(super) fn job(
    release: &DatabricksRelease,
    planned: &PlannedJob,
    name: &str,
    plan: &str,
    session: Option<&Session>,
    settings: &Settings,
) -> Job {
    let pod = pod(release, planned, plan, session, settings);
    let mut job = parts::job(release, name, deadline(release, planned), pod);
    let label = || (labels::JOB.to_owned(), planned.name.clone());
    job.metadata.labels.get_or_insert_default().extend([label()]);
    if let Some(pod) = job.spec.as_mut().and_then(|spec| spec.template.metadata.as_mut()) {
        pod.labels.get_or_insert_default().extend([label()]);
    }
    job
}

/// How long one attempt may take, in seconds.
fn deadline(release: &DatabricksRelease, planned: &PlannedJob) -> i64 {
    let limit = planned.job.and_then(|job| job.timeout).unwrap_or_else(|| limit(release));
    i64::try_from(limit.as_secs()).unwrap_or(i64::MAX)
}

fn pod(
    release: &DatabricksRelease,
    planned: &PlannedJob,
    plan: &str,
    session: Option<&Session>,
    settings: &Settings,
) -> PodSpec {
    let pool = settings.pools.get(planned.pool);
    let identity = session.and_then(|session| session.credentials.volume.clone());
    PodSpec {
        service_account_name: session.and_then(|session| session.credentials.service_account.clone()),
        node_selector: pool.map(|pool| pool.node_selector.clone()).filter(|labels| !labels.is_empty()),
        tolerations: pool.map(|pool| pool.tolerations.clone()).filter(|tolerations| !tolerations.is_empty()),
        // `collect` comes before `checkout`, so that it hands in a failed checkout's log and verdict too.
        init_containers: Some(vec![runner(settings), collect(plan, settings), checkout(release, plan, settings)]),
        containers: vec![steps(release, planned, plan, session, settings)],
        volumes: Some(volumes(release, planned, settings).into_iter().chain(identity).collect()),
        ..parts::pod(GRACE, settings)
    }
}

fn runner(settings: &Settings) -> Container {
    Container {
        command: Some(vec![format!("/{}", layout::RUNNER_BINARY), "install".to_owned(), layout::BIN_DIR.to_owned()]),
        volume_mounts: Some(vec![mount("bin", layout::BIN_DIR, false)]),
        resources: Some(small("64Mi")),
        ..container(layout::CONTAINER_RUNNER, &settings.args.controller_image)
    }
}

fn checkout(release: &DatabricksRelease, plan: &str, settings: &Settings) -> Container {
    let mut mounts = vec![
        mount("bin", layout::BIN_DIR, true),
        mount("source", layout::SOURCE_DIR, false),
        mount("meta", layout::META_DIR, false),
        mount("checkout-tmp", "/tmp", false),
    ];
    if credentials(release).is_some() {
        mounts.push(mount("git", layout::CREDENTIALS_DIR, true));
    }
    mounts.extend(ca_mount(settings));
    Container {
        command: Some(task("checkout")),
        env: Some([plan_env(plan), network_env(settings)].concat()),
        volume_mounts: Some(mounts),
        resources: Some(small("512Mi")),
        ..container(layout::CONTAINER_CHECKOUT, &settings.args.checkout_image)
    }
}

fn collect(plan: &str, settings: &Settings) -> Container {
    Container {
        command: Some(task("collect")),
        env: Some(plan_env(plan)),
        // A sidecar: started before `steps`, ended after it.
        restart_policy: Some("Always".to_owned()),
        volume_mounts: Some(vec![
            mount("bin", layout::BIN_DIR, true),
            mount("source", layout::SOURCE_DIR, true),
            mount("meta", layout::META_DIR, true),
            mount("work", layout::WORK_DIR, true),
            mount("collect", layout::COLLECT_DIR, false),
            mount("token", layout::TOKEN_DIR, true),
        ]),
        resources: Some(small("256Mi")),
        ..container(layout::CONTAINER_COLLECT, &settings.args.controller_image)
    }
}

fn steps(
    release: &DatabricksRelease,
    planned: &PlannedJob,
    plan: &str,
    session: Option<&Session>,
    settings: &Settings,
) -> Container {
    let build = &release.spec.build;
    let own = planned.copy.and_then(|copy| copy.image.as_ref()).or(planned.job.and_then(|job| job.image.as_ref()));
    let image = own.or(build.image.as_ref()).unwrap_or(&settings.args.build_image);
    let wanted = planned.job.and_then(|job| job.resources.as_ref()).or(build.resources.as_ref());
    let mut mounts = vec![
        mount("bin", layout::BIN_DIR, true),
        mount("source", layout::SOURCE_DIR, true),
        mount("meta", layout::META_DIR, true),
        mount("work", layout::WORK_DIR, false),
        mount("steps-tmp", "/tmp", false),
    ];
    mounts.extend(ca_mount(settings));
    mounts.extend(session.and_then(|session| session.credentials.mount.clone()));
    let credentials_env = session.map(Session::env).unwrap_or_default();
    let env_from = settings.args.build_env_secret.as_ref().map(|name| {
        let secret = SecretEnvSource { name: name.clone(), optional: Some(true) };
        vec![EnvFromSource { secret_ref: Some(secret), ..EnvFromSource::default() }]
    });
    Container {
        command: Some(task("steps")),
        // Credentials come last: what stands before them can't repeat them.
        env: Some([plan_env(plan), network_env(settings), vec![env("HOME", "/tmp")], credentials_env].concat()),
        env_from,
        volume_mounts: Some(mounts),
        resources: wanted.map(resources),
        ..container(layout::CONTAINER_STEPS, image)
    }
}

fn task(name: &str) -> Vec<String> {
    vec![format!("{}/{}", layout::BIN_DIR, layout::RUNNER_BINARY), name.to_owned()]
}

fn plan_env(plan: &str) -> Vec<EnvVar> {
    vec![env(layout::PLAN_ENV, plan)]
}

pub(super) fn credentials(release: &DatabricksRelease) -> Option<&str> {
    release.spec.source.git.as_ref()?.credentials_ref.as_ref().map(|secret| secret.name.as_str())
}

fn volumes(release: &DatabricksRelease, planned: &PlannedJob, settings: &Settings) -> Vec<Volume> {
    let names = ["bin", "source", "meta", "work", "collect", "steps-tmp"];
    let mut volumes: Vec<Volume> = names.into_iter().map(scratch).collect();
    // An SSH key is copied there for ssh, which wants its own permissions: it must never reach the node's disk.
    let memory = EmptyDirVolumeSource { medium: Some("Memory".to_owned()), ..EmptyDirVolumeSource::default() };
    volumes.push(Volume { name: "checkout-tmp".to_owned(), empty_dir: Some(memory), ..Volume::default() });
    volumes.push(upload_token(deadline(release, planned).saturating_add(GRACE)));
    if let Some(secret) = credentials(release) {
        let source = SecretVolumeSource { secret_name: Some(secret.to_owned()), ..SecretVolumeSource::default() };
        volumes.push(Volume { name: "git".to_owned(), secret: Some(source), ..Volume::default() });
    }
    volumes.extend(ca_volume(settings));
    volumes
}
