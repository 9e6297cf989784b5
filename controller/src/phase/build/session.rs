//! What a build with Databricks Connect is given of its workspace.

use brickline_crds::{DatabricksConnect, DatabricksRelease, DatabricksWorkspace, PlannedJob};
use k8s_openapi::api::core::v1::EnvVar;

use crate::context::{Context, Settings};
use crate::phase::job::parts::env;
use crate::phase::job::{self, Credentials};
use crate::trouble::Trouble;
use crate::workspace::{self, protection};

#[cfg(test)]
mod tests;

/// The field of a release that asks for it.
const FIELD: &str = "build.databricksConnect";

/// Who the steps are at Databricks, and where their sessions run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Session {
    pub(super) credentials: Credentials,
    /// The id of the cluster; none: serverless.
    pub(super) cluster: Option<String>,
}

impl Session {
    /// The variables that Databricks Connect reads.
    /// <https://docs.databricks.com/aws/en/dev-tools/databricks-connect/cluster-config>
    pub(super) fn env(&self) -> Vec<EnvVar> {
        let place = match &self.cluster {
            Some(id) => env("DATABRICKS_CLUSTER_ID", id),
            None => env("DATABRICKS_SERVERLESS_COMPUTE_ID", "auto"),
        };
        let mut all = self.credentials.env.clone();
        all.push(place);
        all
    }
}

/// The credentials of a workspace for the steps of a build.
///
/// # Errors
/// `InvalidSpec` if Databricks Connect has no way to log in as the workspace says.
pub(crate) fn credentials(workspace: &DatabricksWorkspace, settings: &Settings) -> Result<Credentials, Trouble> {
    job::credentials(workspace, FIELD, settings)
}

/// What a job's steps are to have of it: only the one that runs the tests has any, a further job's scripts have none.
pub(super) fn wanted<'a>(release: &'a DatabricksRelease, planned: &PlannedJob) -> Option<&'a DatabricksConnect> {
    release.spec.build.connect().filter(|_| planned.job.is_none())
}

/// The session of a job's steps, if they are to have one. To be asked right before each attempt's Job is made: the
/// workspace may have changed its mind since the gate, and its Secret must be there, or the pod would wait for ever.
pub(super) async fn session(
    release: &DatabricksRelease,
    planned: &PlannedJob<'_>,
    context: &Context,
) -> Result<Option<Session>, Trouble> {
    if wanted(release, planned).is_none() {
        return Ok(None);
    }
    let connection = workspace::connect(release, context).await?;
    resolved(release, planned, &connection.workspace, &context.settings)
}

/// The same of a workspace that can be used now.
pub(super) fn resolved(
    release: &DatabricksRelease,
    planned: &PlannedJob,
    workspace: &DatabricksWorkspace,
    settings: &Settings,
) -> Result<Option<Session>, Trouble> {
    let Some(connect) = wanted(release, planned) else { return Ok(None) };
    protection::session(workspace, release.spec.approvals.as_ref().map_or(0, |extra| extra.required))?;
    let cluster = connect.cluster.as_ref().map(|name| workspace::cluster(workspace, name)).transpose()?;
    Ok(Some(Session { credentials: credentials(workspace, settings)?, cluster }))
}
