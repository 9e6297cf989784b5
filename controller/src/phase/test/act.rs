//! Submits runs. What they left is read in `collect`, and put together in `publish`.

use brickline_artifact::Manifest;
use brickline_crds::{Compute, ComputeKind, DatabricksRelease, DatabricksReleaseStatus, Phase, Reason, labels};
use data_encoding::BASE32_NOPAD;
use kube::ResourceExt;
use sha2::{Digest, Sha256};

use super::collect::collect;
use super::parameters::{self, Filled};
use super::plan::{plan, travelling};
use super::publish::publish;
use super::source::git_source;
use super::{Effect, Item, tell};
use crate::context::Context;
use crate::databricks::compute::{Environment, Place};
use crate::databricks::libraries::Library;
use crate::databricks::runs::Submit;
use crate::databricks::tasks::{Task, Work};
use crate::databricks::{Category, Error};
use crate::phase::Outcome;
use crate::trouble::Trouble;
use crate::workspace;

/// The longest idempotency token Databricks takes.
const TOKEN: usize = 64;
/// The name of the one task of a run.
const TASK: &str = "test";

/// Does what `decide` asked for.
pub(crate) async fn act(
    release: &DatabricksRelease,
    status: &DatabricksReleaseStatus,
    effect: &Effect,
    context: &Context,
) -> Result<Outcome, Trouble> {
    match effect {
        Effect::Submit { index, try_ } => {
            let run_id = submit(release, status, (*index, *try_), context).await?;
            Ok(Outcome::Submitted { index: *index, run_id })
        }
        Effect::Collect { index, run_id } => collect(release, status, *index, *run_id, context).await,
        Effect::Publish { notebooks } => publish(release, status, *notebooks, context).await,
    }
}

/// Why a run's id could not be had.
#[derive(Debug)]
pub(super) struct NoRun {
    /// Databricks refuses this very run: no earlier answer that was lost can have been another one.
    pub(super) is_refused: bool,
    pub(super) trouble: Trouble,
}

/// A fault on the way there says nothing about a run that was submitted before.
impl From<Trouble> for NoRun {
    fn from(trouble: Trouble) -> Self {
        Self { is_refused: false, trouble }
    }
}

impl From<NoRun> for Trouble {
    fn from(none: NoRun) -> Self {
        none.trouble
    }
}

/// Submits a run, or finds it by its token; answers its id.
pub(super) async fn submit(
    release: &DatabricksRelease,
    status: &DatabricksReleaseStatus,
    (index, try_): (u32, u32),
    context: &Context,
) -> Result<i64, NoRun> {
    let manifest = context.artifacts.manifest(status.artifact.as_ref()).await?;
    let item = item(release, &manifest, index)?;
    let connection = workspace::connect(release, context).await?;
    let Filled { work, secrets } =
        parameters::fill(&item, &status.variables, &connection.workspace, &context.kube).await?;
    let attempt = status.phase(Phase::Test).map_or(1, |phase| phase.attempts);
    let timeout = item.timeout.as_secs();
    let libraries = || travelling(&release.spec, &manifest);
    tell::without_libraries(release, &item, &manifest, &context.log);
    let (task, environments) =
        placed(&release.spec.test.compute, work, timeout, libraries, |name| connection.cluster(name))?;
    let submit = Submit {
        run_name: run_name(release, status, &item.path),
        idempotency_token: token(release, attempt, index, try_),
        environments,
        tasks: vec![task],
        timeout_seconds: timeout,
        git_source: git_source(release)?,
        secrets,
    };
    let run_id = connection.client.submit_run(&submit).await.map_err(|error| refused(&item.path, error))?;
    tell::submitted(release, &item.path, (run_id, try_), &context.log);
    Ok(run_id)
}

/// The one task of a run, and the environments that it names. `libraries`: those of the release, asked for only where they
/// travel with the run; on an existing cluster Install has put them.
pub(crate) fn placed(
    compute: &Compute,
    work: Work,
    timeout: u64,
    libraries: impl FnOnce() -> Result<Vec<Library>, Trouble>,
    cluster_id: impl FnOnce(&str) -> Result<String, Trouble>,
) -> Result<(Task, Vec<Environment>), Trouble> {
    let is_shared = matches!(compute.kind(), ComputeKind::Cluster(_));
    let place = Place::of(compute, if is_shared { Vec::new() } else { libraries()? }, cluster_id)?;
    let task = Task::new(TASK, work, timeout).at(&place);
    let environments = place.environment().filter(|_| task.environment_key.is_some()).cloned().into_iter().collect();
    Ok((task, environments))
}

/// A run that Databricks refuses is the notebook's failure, not the deployment's.
pub(super) fn refused(path: &str, error: Error) -> NoRun {
    let category = error.category();
    let is_final = matches!(category, Category::Invalid | Category::NotFound | Category::Conflict);
    let is_refused = matches!(category, Category::Invalid | Category::NotFound) && !error.is_transient();
    let trouble = Trouble::from(error);
    let reason = if is_final { Reason::NotebookFailed } else { trouble.reason };
    let message = format!("{path}: {}", trouble.message);
    NoRun { is_refused, trouble: Trouble { reason, message, ..trouble } }
}

/// `<pipeline> <run> <notebook>`: how people find the run in Databricks.
fn run_name(release: &DatabricksRelease, status: &DatabricksReleaseStatus, path: &str) -> String {
    let pipeline = release.labels().get(labels::PIPELINE).cloned().unwrap_or_else(|| release.name_any());
    [pipeline.as_str(), &status.run, path].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The same submit always has the same token, another attempt another one.
pub(crate) fn token(release: &DatabricksRelease, attempt: u32, index: u32, try_: u32) -> String {
    let uid = release.uid().unwrap_or_default();
    let hash = Sha256::digest(format!("{uid}/{}/{attempt}/{index}/{try_}", Phase::Test));
    let token = BASE32_NOPAD.encode(&hash).to_lowercase();
    token.chars().take(TOKEN).collect()
}

pub(super) fn item(release: &DatabricksRelease, manifest: &Manifest, index: u32) -> Result<Item, Trouble> {
    let mut items = plan(&release.spec, manifest)?;
    let index = index as usize;
    if index >= items.len() {
        return Err(Trouble::lasting(Reason::InternalError, format!("there is no run {index}")));
    }
    Ok(items.swap_remove(index))
}
