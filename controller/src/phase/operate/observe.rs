//! Looks at the jobs of the workspace, and at what the release wants of them.

use brickline_artifact::Manifest;
use brickline_crds::annotations::TAKE_OVER_FROM;
use brickline_crds::{DatabricksRelease, DatabricksReleaseStatus, DatabricksWorkspace, Phase};
use kube::ResourceExt;

use super::plan::plan;
use super::{Changes, Owner, View, Wanted, owner};
use crate::context::Context;
use crate::databricks::jobs::JobSettings;
use crate::trouble::Trouble;
use crate::workspace::{self, Connection};

/// What the Operate phase's `decide` needs to know.
pub(crate) async fn observe(
    release: &DatabricksRelease,
    status: &DatabricksReleaseStatus,
    context: &Context,
) -> Result<View, Trouble> {
    let Planned { connection, owner, jobs } = planned(release, status, context).await?;
    let wanted: Vec<Wanted> = jobs.iter().map(|(wanted, _)| wanted.clone()).collect();
    let there = connection.client.jobs().await?;
    let mut found = owner.own(&there);
    // Those of an installation that is no more.
    if let Some(before) = connection.workspace.annotations().get(TAKE_OVER_FROM) {
        found.extend(owner.inherited(before, &there, &wanted));
    }
    owner::mark_changed(&mut found, &there, &jobs);
    let view = View { wanted, found, us: us(&connection.workspace) };
    for job in Changes::between(&view, release.spec.operate.prune).keep {
        let line = format_args!("job {}: unchanged, id {}", job.name, job.id);
        context.log.news(release, Phase::Operate, &job.id.to_string(), line);
    }
    Ok(view)
}

/// The name behind the workspace's credentials; that of a service principal is its application's id, in jobs too.
fn us(workspace: &DatabricksWorkspace) -> String {
    let identity = workspace.status.as_ref().and_then(|status| status.identity.as_ref());
    identity.map(|identity| identity.user_name.clone()).unwrap_or_default()
}

/// The jobs that a release asks for, and where.
pub(super) struct Planned {
    pub(super) connection: Connection,
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
    Ok(Planned { connection, owner, jobs })
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
