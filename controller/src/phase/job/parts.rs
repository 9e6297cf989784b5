//! What all pods have in common: pure. No rights, nothing to write to but volumes, and one way to the network.

use std::collections::BTreeMap;

use brickline_artifact::{layout, upload};
use brickline_crds::{DatabricksRelease, Resources, labels};
use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMapVolumeSource, Container, EmptyDirVolumeSource, EnvVar, LocalObjectReference,
    PodSecurityContext, PodSpec, PodTemplateSpec, ProjectedVolumeSource, ResourceRequirements, SeccompProfile,
    SecurityContext, ServiceAccountTokenProjection, Volume, VolumeMount, VolumeProjection,
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
/// Seconds a finished Job stays, for those who want to look at its pod.
const KEEP: i32 = 3600;

/// A Job of one attempt with this pod, which has at most `deadline` seconds.
pub(crate) fn job(release: &DatabricksRelease, name: &str, deadline: i64, pod: PodSpec) -> Job {
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
            active_deadline_seconds: Some(deadline),
            ttl_seconds_after_finished: Some(KEEP),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta { labels: Some(labels), ..ObjectMeta::default() }),
                spec: Some(pod),
            },
            ..JobSpec::default()
        }),
        status: None,
    }
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

/// A pod without containers, which passes the Pod Security level "restricted".
pub(crate) fn pod(grace: i64, settings: &Settings) -> PodSpec {
    let pull_secrets = settings.args.image_pull_secrets.iter().filter(|name| !name.is_empty());
    PodSpec {
        restart_policy: Some("Never".to_owned()),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        termination_grace_period_seconds: Some(grace),
        image_pull_secrets: Some(pull_secrets.map(|name| LocalObjectReference { name: name.clone() }).collect()),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(USER),
            run_as_group: Some(USER),
            fs_group: Some(USER),
            seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), ..SeccompProfile::default() }),
            ..PodSecurityContext::default()
        }),
        ..PodSpec::default()
    }
}

/// What all containers have in common: no rights, nothing to write to but volumes.
pub(crate) fn container(name: &str, image: &str) -> Container {
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

/// A volume where a container finds it.
pub(crate) fn mount(name: &str, path: &str, read_only: bool) -> VolumeMount {
    VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: Some(read_only),
        ..VolumeMount::default()
    }
}

/// An environment variable with exactly this value.
pub(crate) fn env(name: &str, value: &str) -> EnvVar {
    EnvVar { name: name.to_owned(), value: Some(literal(value)), value_from: None }
}

/// Kubernetes would put other variables where a value or an argument says `$(NAME)`, a credential among them.
pub(crate) fn literal(text: &str) -> String {
    text.replace('$', "$$")
}

/// How containers that fetch something reach the network: certificate authorities and proxy.
pub(crate) fn network_env(settings: &Settings) -> Vec<EnvVar> {
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

/// The certificate authorities' mount, if there are any.
pub(crate) fn ca_mount(settings: &Settings) -> Option<VolumeMount> {
    settings.ca_bundle.is_some().then(|| mount("ca", CA_DIR, true))
}

/// Their volume.
pub(crate) fn ca_volume(settings: &Settings) -> Option<Volume> {
    let source = ConfigMapVolumeSource { name: CA_CONFIG_MAP.to_owned(), ..ConfigMapVolumeSource::default() };
    let volume = Volume { name: "ca".to_owned(), config_map: Some(source), ..Volume::default() };
    settings.ca_bundle.is_some().then_some(volume)
}

/// The resources of a container of our own.
pub(crate) fn small(memory: &str) -> ResourceRequirements {
    let requests =
        BTreeMap::from([("cpu".to_owned(), Quantity("10m".into())), ("memory".to_owned(), Quantity("16Mi".into()))]);
    let limits = BTreeMap::from([("memory".to_owned(), Quantity(memory.to_owned()))]);
    ResourceRequirements { requests: Some(requests), limits: Some(limits), claims: None }
}

/// The resources that a release asks for.
pub(crate) fn resources(wanted: &Resources) -> ResourceRequirements {
    let quantities =
        |map: &BTreeMap<String, String>| map.iter().map(|(k, v)| (k.clone(), Quantity(v.clone()))).collect();
    ResourceRequirements {
        requests: Some(quantities(&wanted.requests)),
        limits: Some(quantities(&wanted.limits)),
        claims: None,
    }
}

/// An empty folder that goes with the pod.
pub(crate) fn scratch(name: &str) -> Volume {
    Volume { name: name.to_owned(), empty_dir: Some(EmptyDirVolumeSource::default()), ..Volume::default() }
}

/// The volume `token`: a token for the artifact endpoint alone, void when this pod is gone. It lasts for the whole attempt
/// of at most so many seconds: the kubelet renews one at four fifths of its life, and each new one is reviewed.
pub(crate) fn upload_token(attempt: i64) -> Volume {
    let seconds = attempt.saturating_add(attempt / 2).clamp(3600, 86_400);
    projected_token("token", upload::AUDIENCE, seconds, layout::TOKEN_FILE)
}

/// A token of the pod's ServiceAccount for one audience, as a file of a volume.
pub(crate) fn projected_token(volume: &str, audience: &str, seconds: i64, file: &str) -> Volume {
    let projection = ServiceAccountTokenProjection {
        audience: Some(audience.to_owned()),
        expiration_seconds: Some(seconds),
        path: file.to_owned(),
    };
    let source = VolumeProjection { service_account_token: Some(projection), ..VolumeProjection::default() };
    let projected = ProjectedVolumeSource { sources: Some(vec![source]), default_mode: Some(0o440) };
    Volume { name: volume.to_owned(), projected: Some(projected), ..Volume::default() }
}
