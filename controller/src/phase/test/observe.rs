//! Looks at the runs of the ticket, all at the same time.

use brickline_crds::{DatabricksRelease, DatabricksReleaseStatus, Phase, Reason};
use futures::future::try_join_all;

use super::plan::{plan, unmatched};
use super::{Sight, View};
use crate::context::Context;
use crate::databricks::Client;
use crate::trouble::Trouble;
use crate::workspace;

/// What the Test phase's `decide` needs to know.
pub(crate) async fn observe(
    release: &DatabricksRelease,
    status: &DatabricksReleaseStatus,
    context: &Context,
) -> Result<View, Trouble> {
    let manifest = context.artifacts.manifest(status.artifact.as_ref()).await?;
    let items = plan(&release.spec, &manifest)?;
    let ticket = status.phase(Phase::Test).and_then(|phase| phase.ticket.clone()).unwrap_or_default();
    if ticket.notebooks == 0 {
        asked_for(&unmatched(&release.spec, &manifest))?;
    }
    let submitted: Vec<(u32, i64)> = ticket.in_flight.iter().filter_map(|run| Some((run.index, run.run_id?))).collect();
    let connection = workspace::connect(release, context).await?;
    let most = connection.workspace.spec.limits.runs;
    let looks = submitted.into_iter().map(|(index, run_id)| {
        let client = &connection.client;
        async move { Ok::<_, Trouble>((index, sight(client, run_id).await?)) }
    });
    Ok(View { items, most, runs: try_join_all(looks).await?.into_iter().collect() })
}

/// Tests that were asked for and are not there are a failure.
fn asked_for(unmatched: &[String]) -> Result<(), Trouble> {
    if unmatched.is_empty() {
        return Ok(());
    }
    let message =
        format!("no deployed notebook matches {}: change test.notebooks or deploy.items", unmatched.join(", "));
    Err(Trouble::lasting(Reason::NoTestReport, message))
}

/// One run, asked for by its id.
pub(super) async fn sight(client: &Client, run_id: i64) -> Result<Sight, Trouble> {
    match client.run(run_id).await {
        Ok(run) => Ok(Sight::Run(Box::new(run))),
        Err(error) if error.is_not_found() => Ok(Sight::Gone),
        Err(error) => Err(error.into()),
    }
}
