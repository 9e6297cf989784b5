//! The Job of one attempt: pure. Two containers, and neither has what the other has.
//!
//! | container | image | what only it has |
//! | --- | --- | --- |
//! | `fetch` (init) | controller | the token for the controller's endpoint; brings the artifact |
//! | `bundle` (main) | Databricks CLI | the workspace's credentials; its exit code is the verdict |

use brickline_artifact::{FetchPlan, layout};
use brickline_crds::{Bundle, DatabricksRelease};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Container, EnvVar, PodSpec};

use crate::context::Settings;
use crate::phase::job::Credentials;
use crate::phase::job::parts::{
    self, ca_mount, ca_volume, container, env, literal, mount, network_env, resources, scratch, small, upload_token,
};

/// Seconds the CLI has to end after it was told to stop. It leaves its deployment lock behind in any case.
const GRACE: i64 = 30;
/// Words of a container that failed come from its output where it wrote none for Kubernetes.
const LAST_WORDS: &str = "FallbackToLogsOnError";

/// What a Job is made of.
pub(super) struct Order<'a> {
    pub(super) release: &'a DatabricksRelease,
    pub(super) bundle: &'a Bundle,
    pub(super) fetch: &'a FetchPlan,
    /// The same plan as the environment has it.
    pub(super) plan: &'a str,
    pub(super) credentials: &'a Credentials,
    pub(super) settings: &'a Settings,
}

/// The Job called `name`.
pub(super) fn job(order: &Order, name: &str) -> Job {
    let deadline = deadline(order.release);
    let volumes = [scratch("bin"), scratch("bundle"), scratch("tmp"), upload_token(deadline)].into_iter();
    let volumes = volumes.chain(order.credentials.volume.clone()).chain(ca_volume(order.settings));
    let pod = PodSpec {
        service_account_name: order.credentials.service_account.clone(),
        init_containers: Some(vec![fetch(order)]),
        containers: vec![main(order)],
        volumes: Some(volumes.collect()),
        ..parts::pod(GRACE, order.settings)
    };
    parts::job(order.release, name, deadline, pod)
}

/// How long one attempt may take, in seconds.
pub(super) fn deadline(release: &DatabricksRelease) -> i64 {
    let timeouts = &release.spec.timeouts;
    i64::try_from(timeouts.deploy_attempt.unwrap_or(timeouts.deploy).as_secs()).unwrap_or(i64::MAX)
}

fn fetch(order: &Order) -> Container {
    Container {
        command: Some(vec![format!("/{}", layout::RUNNER_BINARY), "fetch".to_owned()]),
        env: Some(vec![env(layout::FETCH_ENV, order.plan)]),
        volume_mounts: Some(vec![
            mount("bin", layout::BIN_DIR, false),
            mount("bundle", layout::BUNDLE_DIR, false),
            mount("token", layout::TOKEN_DIR, true),
        ]),
        resources: Some(small("256Mi")),
        termination_message_policy: Some(LAST_WORDS.to_owned()),
        ..container(layout::CONTAINER_FETCH, &order.settings.args.controller_image)
    }
}

fn main(order: &Order) -> Container {
    let Order { bundle, credentials, settings, .. } = order;
    let own =
        [mount("bin", layout::BIN_DIR, true), mount("bundle", layout::BUNDLE_DIR, false), mount("tmp", "/tmp", false)];
    let mounts = own.into_iter().chain(credentials.mount.clone()).chain(ca_mount(settings));
    Container {
        // It becomes the CLI, after it has taken the line ends off what Secrets hold.
        command: Some(vec![format!("{}/{}", layout::BIN_DIR, layout::RUNNER_BINARY), "bundle".to_owned()]),
        args: Some(arguments(bundle, order.fetch.release.attempt)),
        working_dir: Some(match bundle.path.as_str() {
            "." => layout::BUNDLE_DIR.to_owned(),
            path => format!("{}/{path}", layout::BUNDLE_DIR),
        }),
        // Credentials come last: what stands before them can't repeat them.
        env: Some(
            [variables(bundle), vec![env("HOME", "/tmp")], network_env(settings), credentials.env.clone()].concat(),
        ),
        volume_mounts: Some(mounts.collect()),
        resources: bundle.resources.as_ref().map(resources),
        termination_message_policy: Some(LAST_WORDS.to_owned()),
        ..container(layout::CONTAINER_BUNDLE, image(bundle, settings))
    }
}

/// The image that a release names, or the controller's.
fn image<'a>(bundle: &'a Bundle, settings: &'a Settings) -> &'a str {
    bundle.image.as_deref().unwrap_or(&settings.args.bundle_image)
}

/// `databricks bundle deploy` asks nobody. An attempt after one that was lost breaks the deployment lock that the CLI left
/// in the workspace when it was killed: our own lock says that no other release deploys the bundle.
/// <https://docs.databricks.com/aws/en/dev-tools/cli/bundle-commands>
fn arguments(bundle: &Bundle, attempt: u32) -> Vec<String> {
    let mut arguments: Vec<String> = ["bundle", "deploy", "--target"].map(str::to_owned).into();
    arguments.push(literal(&bundle.target));
    arguments.push("--auto-approve".to_owned());
    if bundle.force_lock || attempt > 1 {
        arguments.push("--force-lock".to_owned());
    }
    arguments
}

fn variables(bundle: &Bundle) -> Vec<EnvVar> {
    bundle.variables.iter().map(|(name, value)| env(&format!("BUNDLE_VAR_{name}"), value)).collect()
}
