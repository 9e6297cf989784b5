//! Looks at the runs of the ticket, all at the same time.

use std::collections::BTreeMap;
use std::sync::Arc;

use brickline_crds::{DatabricksRelease, DatabricksReleaseStatus, Phase, Reason};
use futures::future::try_join_all;

use super::place::{place, wish};
use super::plan::{plan, unmatched};
use super::{Sight, View, tell};
use crate::context::Context;
use crate::databricks::Client;
use crate::databricks::runs::Run;
use crate::phase::Outcome;
use crate::trouble::Trouble;
use crate::workspace;

/// What the Test phase's `decide` needs to know.
pub(crate) async fn observe(
    release: &DatabricksRelease,
    status: &DatabricksReleaseStatus,
    context: &Context,
) -> Result<View, Trouble> {
    let view = plan_of(release, status, None, context).await?;
    let ticket = status.phase(Phase::Test).and_then(|phase| phase.ticket.clone()).unwrap_or_default();
    // One that is written down is submitted first, whatever the others do.
    if ticket.in_flight.iter().any(|run| run.run_id.is_none()) {
        return Ok(view);
    }
    let submitted: Vec<(u32, i64)> = ticket.in_flight.iter().filter_map(|run| Some((run.index, run.run_id?))).collect();
    let client = workspace::connect(release, context).await?.client;
    let view = View { runs: sights(&client, &submitted).await?, ..view };
    tell::seen(release, &view, &context.log);
    Ok(view)
}

/// The same without a look at the runs, right after something was done.
pub(crate) async fn plan_of(
    release: &DatabricksRelease,
    status: &DatabricksReleaseStatus,
    outcome: Option<&Outcome>,
    context: &Context,
) -> Result<View, Trouble> {
    let manifest = context.artifacts.manifest(status.artifact.as_ref()).await?;
    let items = plan(&release.spec, &manifest)?;
    let ticket = status.phase(Phase::Test).and_then(|phase| phase.ticket.as_ref());
    if ticket.is_none_or(|ticket| ticket.notebooks == 0) {
        asked_for(&unmatched(&release.spec, &manifest))?;
    }
    let workspace = workspace::connect(release, context).await?.workspace;
    let view = View { items, place: false, runs: BTreeMap::new() };
    let place = place(release, status, outcome, (&workspace, context), |turn| wish(turn, &view));
    Ok(View { place, ..view })
}

/// Several runs are looked at with one listing; those that are not on its page, one by one.
pub(super) async fn sights(client: &Client, submitted: &[(u32, i64)]) -> Result<BTreeMap<u32, Sight>, Trouble> {
    let listed: Arc<[Run]> = if submitted.len() > 1 { client.newest_runs().await? } else { Arc::default() };
    let looks = submitted.iter().map(|(index, run_id)| {
        let seen = listed.iter().find(|run| run.run_id == *run_id).cloned();
        async move {
            let sight = match seen {
                Some(run) => Sight::Run(Box::new(run)),
                None => sight(client, *run_id).await?,
            };
            Ok::<_, Trouble>((*index, sight))
        }
    });
    Ok(try_join_all(looks).await?.into_iter().collect())
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
