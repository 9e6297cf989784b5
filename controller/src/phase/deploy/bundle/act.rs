//! Creates the Job of an asset bundle, reads what the CLI said, and stops it.

use std::time::Duration;

use brickline_artifact::plan::{ReleaseIdentity, UploadPlan};
use brickline_artifact::{FetchPlan, layout};
use brickline_crds::{DatabricksRelease, Phase, Reason};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, LogParams};
use kube::{Api, ResourceExt};

use super::pod::{self, Order};
use super::words::{LOG, lines};
use super::{Effect, credentials, job_name, ticket_of};
use crate::context::{Context, Settings};
use crate::phase::Outcome;
use crate::phase::job::{self, JOB_NAME, create, has_begun, newest, put_ca};
use crate::trouble::Trouble;
use crate::workspace;

/// How long a log may take to come.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many lines of it are asked for: the last ones.
const LINES: i64 = 2_000;
/// How long `fetch` tries.
const FETCH: Duration = Duration::from_mins(5);

/// Does what `decide` asked for.
pub(crate) async fn act(release: &DatabricksRelease, effect: Effect, context: &Context) -> Result<Outcome, Trouble> {
    match effect {
        Effect::Create { attempt } => create_job(release, attempt, context).await,
        Effect::Read { attempt } => {
            tell(release, &job_name(release, attempt), context).await;
            Ok(Outcome::Read)
        }
    }
}

async fn create_job(release: &DatabricksRelease, attempt: u32, context: &Context) -> Result<Outcome, Trouble> {
    let invalid = |message: String| Trouble::lasting(Reason::InvalidSpec, message);
    let bundle = release.spec.deploy.bundle.as_deref();
    let bundle = bundle.ok_or_else(|| invalid("spec.deploy.bundle is missing".to_owned()))?;
    // It also finds out that a Secret is there: a pod without it would wait for ever.
    let connection = workspace::connect(release, context).await?;
    let credentials = credentials(&connection.workspace, &context.settings)?;
    let fetch = plan(release, attempt, &bundle.path, &context.settings)?;
    let plan = serde_json::to_string(&fetch).map_err(|error| invalid(error.to_string()))?;
    put_ca(&release.namespace().unwrap_or_default(), context).await?;
    let settings = &context.settings;
    let order = Order { release, bundle, fetch: &fetch, plan: &plan, credentials: &credentials, settings };
    create(&pod::job(&order, &job_name(release, attempt)), Reason::DeployFailed, context).await?;
    Ok(Outcome::Done)
}

pub(super) fn plan(
    release: &DatabricksRelease,
    attempt: u32,
    path: &str,
    settings: &Settings,
) -> Result<FetchPlan, Trouble> {
    let artifact = release.status.as_ref().and_then(|status| status.artifact.as_ref());
    let digest = artifact.and_then(|artifact| artifact.digest.parse().ok());
    let missing = || Trouble::lasting(Reason::ArtifactFailed, "the release has no artifact");
    Ok(FetchPlan {
        release: ReleaseIdentity {
            namespace: release.namespace().unwrap_or_default(),
            name: release.name_any(),
            uid: release.uid().unwrap_or_default(),
            attempt,
            job: None,
        },
        artifact: digest.ok_or_else(missing)?,
        path: path.to_owned(),
        endpoint: UploadPlan {
            url: settings.args.artifact_url.as_str().trim_end_matches('/').to_owned(),
            ca_pem: settings.artifact_ca.clone(),
        },
        seconds: FETCH.as_secs(),
    })
}

/// Puts what the pod said into the phase's log. A log that can't be had holds nothing up.
async fn tell(release: &DatabricksRelease, job: &str, context: &Context) {
    let line = |line: &str| context.log.line(release, Phase::Deploy, format_args!("bundle: {line}"));
    let namespace = release.namespace().unwrap_or_default();
    match tokio::time::timeout(PATIENCE, said(&context.kube, &namespace, job)).await {
        Ok(Ok(said)) => lines(&said).iter().for_each(|told| line(told)),
        Ok(Err(kube::Error::Api(status))) if status.is_forbidden() => {
            line(
                "its log can't be read: ClusterRole brickline-tenant, bound in this namespace, must let pods/log be read",
            );
        }
        Ok(Err(error)) => line(&format!("its log can't be read: {error}")),
        Err(_) => line("its log can't be read: Kubernetes did not answer in time"),
    }
}

/// The last lines of the Job's newest pod: of the CLI, or of what could not bring it its files.
pub(super) async fn said(kube: &kube::Client, namespace: &str, job: &str) -> Result<String, kube::Error> {
    let pods: Api<Pod> = Api::namespaced(kube.clone(), namespace);
    let found = pods.list(&ListParams::default().labels(&format!("{JOB_NAME}={job}"))).await?;
    let Some(pod) = newest(&found.items) else { return Ok("its pod is gone, and its log with it".to_owned()) };
    let came_to_it = has_begun(pod, layout::CONTAINER_BUNDLE);
    let container = if came_to_it { layout::CONTAINER_BUNDLE } else { layout::CONTAINER_FETCH };
    let wanted = LogParams {
        container: Some(container.to_owned()),
        tail_lines: Some(LINES),
        limit_bytes: i64::try_from(8 * LOG).ok(),
        ..LogParams::default()
    };
    pods.logs(&pod.name_any(), &wanted).await
}

/// Stops the Job of the attempt, if there is one: the pod ends within the release's grace. Its log goes with it, so that is
/// read first.
pub(crate) async fn stop(release: &DatabricksRelease, context: &Context) -> Result<(), Trouble> {
    let Some(ticket) = ticket_of(release) else { return Ok(()) };
    let namespace = release.namespace().unwrap_or_default();
    tell(release, &ticket.job, context).await;
    job::stop(&namespace, &ticket.job, job::grace(release), context).await
}

/// The Job of the attempt, as long as it is there.
pub(crate) async fn alive(release: &DatabricksRelease, context: &Context) -> Result<Vec<String>, Trouble> {
    let Some(ticket) = ticket_of(release) else { return Ok(Vec::new()) };
    job::alive(&release.namespace().unwrap_or_default(), &ticket.job, context).await
}
