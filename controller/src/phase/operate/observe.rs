//! Looks at the jobs of the workspace, and at what the release wants of them.

use brickline_artifact::Manifest;
use brickline_crds::{DatabricksRelease, DatabricksReleaseStatus, Phase};

use super::plan::plan;
use super::{Changes, Owner, View, Wanted};
use crate::context::Context;
use crate::databricks::Client;
use crate::databricks::jobs::JobSettings;
use crate::trouble::Trouble;
use crate::workspace::{self, Connection};

/// What the Operate phase's `decide` needs to know.
pub(crate) async fn observe(
    release: &DatabricksRelease,
    status: &DatabricksReleaseStatus,
    context: &Context,
) -> Result<View, Trouble> {
    let Planned { client, owner, jobs: wanted } = planned(release, status, context).await?;
    let found = owner.own(client.jobs().await?);
    let view = View { wanted: wanted.into_iter().map(|(wanted, _)| wanted).collect(), found };
    for job in Changes::between(&view.found, &view.wanted, release.spec.operate.prune).keep {
        let line = format_args!("job {}: unchanged, id {}", job.name, job.id);
        context.log.news(release, Phase::Operate, &job.id.to_string(), line);
    }
    Ok(view)
}

/// The jobs that a release asks for, and where.
pub(super) struct Planned {
    pub(super) client: Client,
    pub(super) owner: Owner,
    pub(super) jobs: Vec<(Wanted, JobSettings)>,
}

/// What the release wants of the workspace's jobs.
pub(super) async fn planned(
    release: &DatabricksRelease,
    status: &DatabricksReleaseStatus,
    context: &Context,
) -> Result<Planned, Trouble> {
    let connection = workspace::connect(release, context).await?;
    let manifest = context.artifacts.manifest(status.artifact.as_ref()).await?;
    let owner = Owner::of(release, &context.installation.id().await?);
    let jobs = plan(&release.spec, &manifest, &owner, |name| connection.cluster(name))?;
    Ok(Planned { client: connection.client, owner, jobs })
}

/// Whether the jobs can be what the spec asks for: told before anything is deployed.
///
/// # Errors
/// `InvalidSpec`, as [`plan`].
pub(crate) fn check(
    release: &DatabricksRelease,
    manifest: &Manifest,
    connection: &Connection,
    owner: &Owner,
) -> Result<(), Trouble> {
    plan(&release.spec, manifest, owner, |name| connection.cluster(name)).map(drop)
}
