//! Looks at the runs of the ticket, all at the same time.

use brickline_crds::{DatabricksRelease, DatabricksReleaseStatus, Phase};
use futures::future::try_join_all;

use super::{View, plan::plan};
use crate::context::Context;
use crate::trouble::Trouble;
use crate::workspace;

/// What the Test phase's `decide` needs to know.
pub(crate) async fn observe(
    release: &DatabricksRelease,
    status: &DatabricksReleaseStatus,
    context: &Context,
) -> Result<View, Trouble> {
    let manifest = context.artifacts.manifest(status.artifact.as_ref()).await?;
    let notebooks = plan(&release.spec, &manifest);
    let ticket = status.phase(Phase::Test).and_then(|phase| phase.ticket.clone()).unwrap_or_default();
    let submitted: Vec<(u32, i64)> = ticket.in_flight.iter().filter_map(|run| Some((run.index, run.run_id?))).collect();
    let connection = workspace::connect(release, context).await?;
    let most = connection.workspace.spec.limits.runs;
    let looks = submitted.into_iter().map(|(index, run_id)| {
        let client = &connection.client;
        async move { Ok::<_, Trouble>((index, client.run(run_id).await?)) }
    });
    Ok(View { notebooks, most, runs: try_join_all(looks).await?.into_iter().collect() })
}
