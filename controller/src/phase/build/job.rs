//! The Job of one build attempt: pure. Build pods run the repository's code and are trusted with nothing.
//!
//! `runner` copies the static binary; `checkout` is the only container with the git credential; `collect`, a native
//! sidecar, is the only one with the upload token and gets its TERM after `steps`, whose exit code is the verdict.

use std::collections::BTreeMap;

use brickline_artifact::{layout, upload};
use brickline_crds::{DatabricksRelease, Resources, labels};
use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMapVolumeSource, Container, EmptyDirVolumeSource, EnvFromSource, EnvVar, LocalObjectReference,
    PodSecurityContext, PodSpec, PodTemplateSpec, ProjectedVolumeSource, ResourceRequirements, SeccompProfile,
    SecretEnvSource, SecretVolumeSource, SecurityContext, ServiceAccountTokenProjection, Volume, VolumeMount,
    VolumeProjection,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Resource, ResourceExt};

use crate::context::Settings;

/// The ConfigMap with the certificate authorities, in the release's namespace.
pub(super) const CA_CONFIG_MAP: &str = "brickline-ca";
/// Its key, and the file's name.
pub(super) const CA_KEY: &str = "ca.crt";
/// Where it is mounted.
const CA_DIR: &str = "/etc/brickline";
/// The user of every container: nobody on the node.
const USER: i64 = 65_532;
/// Seconds the pod has to hand in what it has after it was told to stop.
const GRACE: i64 = 300;
/// Seconds a finished Job stays, for those who want to look at its pod.
const KEEP: i32 = 3600;

/// Builds the Job called `name` with the plan as every container's environment.
pub(super) fn job(release: &DatabricksRelease, name: &str, plan: &str, settings: &Settings) -> Job {
    let labels = job_labels(release);
    Job {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: release.namespace(),
            labels: Some(labels.clone()),
            owner_references: release.controller_owner_ref(&()).map(|owner| vec![owner]),
            ..ObjectMeta::default()
        },
        spec: Some(JobSpec {
            // Attempts are counted in the release's status, where a person sees them.
            backoff_limit: Some(0),
            active_deadline_seconds: Some(deadline(release)),
            ttl_seconds_after_finished: Some(KEEP),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta { labels: Some(labels), ..ObjectMeta::default() }),
                spec: Some(pod(release, plan, settings)),
            },
            ..JobSpec::default()
        }),
        status: None,
    }
}

/// How long one attempt may take, in seconds.
fn deadline(release: &DatabricksRelease) -> i64 {
    let timeouts = &release.spec.timeouts;
    i64::try_from(timeouts.build_attempt.unwrap_or(timeouts.build).as_secs()).unwrap_or(i64::MAX)
}

fn job_labels(release: &DatabricksRelease) -> BTreeMap<String, String> {
    let mut wanted = BTreeMap::from([
        (labels::MANAGED_BY.to_owned(), "brickline".to_owned()),
        (labels::RELEASE.to_owned(), release.name_any()),
    ]);
    if let Some(pipeline) = release.labels().get(labels::PIPELINE) {
        wanted.insert(labels::PIPELINE.to_owned(), pipeline.clone());
    }
    wanted
}

fn pod(release: &DatabricksRelease, plan: &str, settings: &Settings) -> PodSpec {
    let pool = settings.pools.get(&release.spec.build.pool);
    let pull_secrets = settings.args.image_pull_secrets.iter().filter(|name| !name.is_empty());
    PodSpec {
        restart_policy: Some("Never".to_owned()),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        termination_grace_period_seconds: Some(GRACE),
        node_selector: pool.map(|pool| pool.node_selector.clone()).filter(|labels| !labels.is_empty()),
        tolerations: pool.map(|pool| pool.tolerations.clone()).filter(|tolerations| !tolerations.is_empty()),
        image_pull_secrets: Some(pull_secrets.map(|name| LocalObjectReference { name: name.clone() }).collect()),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(USER),
            run_as_group: Some(USER),
            fs_group: Some(USER),
            seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), ..SeccompProfile::default() }),
            ..PodSecurityContext::default()
        }),
        // `collect` comes before `checkout`, so that it hands in a failed checkout's log and verdict too.
        init_containers: Some(vec![runner(settings), collect(plan, settings), checkout(release, plan, settings)]),
        containers: vec![steps(release, plan, settings)],
        volumes: Some(volumes(release, settings)),
        ..PodSpec::default()
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
    with_ca(&mut mounts, settings);
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

fn steps(release: &DatabricksRelease, plan: &str, settings: &Settings) -> Container {
    let image = release.spec.build.image.as_ref().unwrap_or(&settings.args.build_image);
    let mut mounts = vec![
        mount("bin", layout::BIN_DIR, true),
        mount("source", layout::SOURCE_DIR, true),
        mount("meta", layout::META_DIR, true),
        mount("work", layout::WORK_DIR, false),
        mount("steps-tmp", "/tmp", false),
    ];
    with_ca(&mut mounts, settings);
    let env_from = settings.args.build_env_secret.as_ref().map(|name| {
        let secret = SecretEnvSource { name: name.clone(), optional: Some(true) };
        vec![EnvFromSource { secret_ref: Some(secret), ..EnvFromSource::default() }]
    });
    Container {
        command: Some(task("steps")),
        env: Some([plan_env(plan), network_env(settings), vec![env("HOME", "/tmp")]].concat()),
        env_from,
        volume_mounts: Some(mounts),
        resources: release.spec.build.resources.as_ref().map(resources),
        ..container(layout::CONTAINER_STEPS, image)
    }
}

/// What all containers have in common: no rights, nothing to write to but volumes.
fn container(name: &str, image: &str) -> Container {
    Container {
        name: name.to_owned(),
        image: Some(image.to_owned()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            read_only_root_filesystem: Some(true),
            run_as_non_root: Some(true),
            capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None }),
            ..SecurityContext::default()
        }),
        ..Container::default()
    }
}

fn task(name: &str) -> Vec<String> {
    vec![format!("{}/{}", layout::BIN_DIR, layout::RUNNER_BINARY), name.to_owned()]
}

fn mount(name: &str, path: &str, read_only: bool) -> VolumeMount {
    VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: Some(read_only),
        ..VolumeMount::default()
    }
}

fn env(name: &str, value: &str) -> EnvVar {
    EnvVar { name: name.to_owned(), value: Some(value.to_owned()), value_from: None }
}

fn plan_env(plan: &str) -> Vec<EnvVar> {
    vec![env(layout::PLAN_ENV, plan)]
}

/// How containers that fetch something reach the network: certificate authorities and proxy.
fn network_env(settings: &Settings) -> Vec<EnvVar> {
    let mut wanted = Vec::new();
    if settings.ca_bundle.is_some() {
        let file = format!("{CA_DIR}/{CA_KEY}");
        let names = ["SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO"];
        wanted.extend(names.map(|name| env(name, &file)));
    }
    if let Some(proxy) = &settings.args.https_proxy {
        wanted.extend(["HTTPS_PROXY", "https_proxy"].map(|name| env(name, proxy.as_str())));
    }
    if let Some(hosts) = &settings.args.no_proxy {
        wanted.extend(["NO_PROXY", "no_proxy"].map(|name| env(name, hosts)));
    }
    wanted
}

fn with_ca(mounts: &mut Vec<VolumeMount>, settings: &Settings) {
    if settings.ca_bundle.is_some() {
        mounts.push(mount("ca", CA_DIR, true));
    }
}

fn small(memory: &str) -> ResourceRequirements {
    let requests =
        BTreeMap::from([("cpu".to_owned(), Quantity("10m".into())), ("memory".to_owned(), Quantity("16Mi".into()))]);
    let limits = BTreeMap::from([("memory".to_owned(), Quantity(memory.to_owned()))]);
    ResourceRequirements { requests: Some(requests), limits: Some(limits), claims: None }
}

fn resources(wanted: &Resources) -> ResourceRequirements {
    let quantities =
        |map: &BTreeMap<String, String>| map.iter().map(|(k, v)| (k.clone(), Quantity(v.clone()))).collect();
    ResourceRequirements {
        requests: Some(quantities(&wanted.requests)),
        limits: Some(quantities(&wanted.limits)),
        claims: None,
    }
}

pub(super) fn credentials(release: &DatabricksRelease) -> Option<&str> {
    release.spec.source.git.as_ref()?.credentials_ref.as_ref().map(|secret| secret.name.as_str())
}

fn volumes(release: &DatabricksRelease, settings: &Settings) -> Vec<Volume> {
    let names = ["bin", "source", "meta", "work", "collect", "steps-tmp"];
    let mut volumes: Vec<Volume> = names.into_iter().map(scratch).collect();
    // An SSH key is copied there for ssh, which wants its own permissions: it must never reach the node's disk.
    let memory = EmptyDirVolumeSource { medium: Some("Memory".to_owned()), ..EmptyDirVolumeSource::default() };
    volumes.push(Volume { name: "checkout-tmp".to_owned(), empty_dir: Some(memory), ..Volume::default() });
    volumes.push(Volume { name: "token".to_owned(), projected: Some(token(release)), ..Volume::default() });
    if let Some(secret) = credentials(release) {
        let source = SecretVolumeSource { secret_name: Some(secret.to_owned()), ..SecretVolumeSource::default() };
        volumes.push(Volume { name: "git".to_owned(), secret: Some(source), ..Volume::default() });
    }
    if settings.ca_bundle.is_some() {
        let source = ConfigMapVolumeSource { name: CA_CONFIG_MAP.to_owned(), ..ConfigMapVolumeSource::default() };
        volumes.push(Volume { name: "ca".to_owned(), config_map: Some(source), ..Volume::default() });
    }
    volumes
}

fn scratch(name: &str) -> Volume {
    Volume { name: name.to_owned(), empty_dir: Some(EmptyDirVolumeSource::default()), ..Volume::default() }
}

/// A token for the upload endpoint only, void when this pod is gone. It lasts for the whole attempt: the kubelet renews
/// one at four fifths of its life, and each new one is reviewed.
fn token(release: &DatabricksRelease) -> ProjectedVolumeSource {
    let attempt = deadline(release).saturating_add(GRACE);

    let projection = ServiceAccountTokenProjection {
        audience: Some(upload::AUDIENCE.to_owned()),
        expiration_seconds: Some(attempt.saturating_add(attempt / 2).clamp(3600, 86_400)),
        path: layout::TOKEN_FILE.to_owned(),
    };
    let source = VolumeProjection { service_account_token: Some(projection), ..VolumeProjection::default() };
    ProjectedVolumeSource { sources: Some(vec![source]), default_mode: Some(0o440) }
}
