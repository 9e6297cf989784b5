//! Stops what the Test phase has started, and tells what has not stopped yet.

use brickline_crds::{DatabricksRelease, DatabricksReleaseStatus, Phase, RunTicket};
use futures::future::join_all;

use super::act::submit;
use crate::context::Context;
use crate::databricks::{Client, Error};
use crate::phase::Outcome;
use crate::trouble::Trouble;
use crate::workspace;

/// Cancels every run that was submitted. A run that is gone counts as canceled.
pub(crate) async fn stop(release: &DatabricksRelease, context: &Context) -> Result<(), Trouble> {
    let status = release.status.clone().unwrap_or_default();
    let in_flight = in_flight(&status);
    if in_flight.is_empty() {
        return Ok(());
    }
    let client = workspace::connect(release, context).await?.client;
    let stops: Vec<_> = in_flight.iter().map(|run| stop_one(&client, release, &status, run, context)).collect();
    join_all(stops).await.into_iter().collect()
}

/// Cancels one run. It may have been submitted without our learning its id: then the same token answers the same run.
async fn stop_one(
    client: &Client,
    release: &DatabricksRelease,
    status: &DatabricksReleaseStatus,
    run: &RunTicket,
    context: &Context,
) -> Result<(), Trouble> {
    match run_id(release, status, run, context).await? {
        Some(run_id) => Ok(cancel(client, run_id).await?),
        None => Ok(()),
    }
}

/// The run's id; submitting with the same token answers it if the first answer was lost.
async fn run_id(
    release: &DatabricksRelease,
    status: &DatabricksReleaseStatus,
    run: &RunTicket,
    context: &Context,
) -> Result<Option<i64>, Trouble> {
    if run.run_id.is_some() {
        return Ok(run.run_id);
    }
    match submit(release, status, (run.index, run.try_), context).await? {
        Outcome::Submitted { run_id, .. } => Ok(Some(run_id)),
        _ => Ok(None),
    }
}

/// The runs that are not over yet. One that is gone counts as over.
pub(crate) async fn alive(release: &DatabricksRelease, context: &Context) -> Result<Vec<String>, Trouble> {
    let status = release.status.clone().unwrap_or_default();
    let in_flight = in_flight(&status);
    if in_flight.is_empty() {
        return Ok(Vec::new());
    }
    let client = workspace::connect(release, context).await?.client;
    let looks: Vec<_> = in_flight.iter().map(|run| alive_one(&client, release, &status, run, context)).collect();
    let alive: Vec<Option<String>> = join_all(looks).await.into_iter().collect::<Result<_, Trouble>>()?;
    Ok(alive.into_iter().flatten().collect())
}

async fn alive_one(
    client: &Client,
    release: &DatabricksRelease,
    status: &DatabricksReleaseStatus,
    run: &RunTicket,
    context: &Context,
) -> Result<Option<String>, Trouble> {
    let Some(run_id) = run_id(release, status, run, context).await? else { return Ok(None) };
    match client.run(run_id).await {
        Ok(run) if run.state.is_over() => Ok(None),
        Ok(run) => {
            let state: &str = run.state.life_cycle_state.into();
            Ok(Some(format!("run {run_id} ({state})")))
        }
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn in_flight(status: &DatabricksReleaseStatus) -> Vec<RunTicket> {
    status.phase(Phase::Test).and_then(|phase| phase.ticket.clone()).unwrap_or_default().in_flight
}

async fn cancel(client: &Client, run_id: i64) -> Result<(), Error> {
    match client.cancel_run(run_id).await {
        Err(error) if error.is_not_found() => Ok(()),
        done => done,
    }
}
