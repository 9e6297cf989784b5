//! Stops what the Test phase has started, and tells what has not stopped yet.

use brickline_crds::{DatabricksRelease, DatabricksReleaseStatus, Phase, RunTicket};
use futures::future::join_all;

use super::act::{NoRun, submit};
use super::observe::sight;
use super::place::{place, wish_at_ebb};
use super::{Ebb, Owed, Sight, tell};
use crate::context::Context;
use crate::databricks::{Client, Error};
use crate::trouble::Trouble;
use crate::workspace::{self, Connection};

/// Cancels every run that was submitted, but the teardown. A run that is gone counts as canceled.
pub(crate) async fn stop(release: &DatabricksRelease, context: &Context) -> Result<(), Trouble> {
    let status = release.status.clone().unwrap_or_default();
    let in_flight = to_stop(release, &status);
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
    found(submit(release, status, (run.index, run.try_), context).await)
}

/// A run that Databricks refuses never was: there is nothing to stop and no lock to keep. Whatever else is in the way, an
/// earlier submission whose answer was lost may have made a run that goes on.
pub(super) fn found(submitted: Result<i64, NoRun>) -> Result<Option<i64>, Trouble> {
    match submitted {
        Ok(run_id) => Ok(Some(run_id)),
        Err(none) if none.is_refused => Ok(None),
        Err(NoRun { trouble, .. }) => {
            let message = format!("a run may have been submitted, and its id can't be had: {}", trouble.message);
            Err(Trouble { message, ..trouble })
        }
    }
}

/// The runs that are not over yet, one that is gone counts as over; and the teardown, if it is still owed.
pub(crate) async fn alive(release: &DatabricksRelease, context: &Context) -> Result<Ebb, Trouble> {
    let status = release.status.clone().unwrap_or_default();
    let (in_flight, teardown) = (to_stop(release, &status), owed(release, &status));
    if in_flight.is_empty() && teardown.is_none() {
        return Ok(Ebb::default());
    }
    let Connection { client, workspace } = workspace::connect(release, context).await?;
    let looks: Vec<_> = in_flight.iter().map(|run| alive_one(&client, release, &status, run, context)).collect();
    let alive: Vec<Option<String>> = join_all(looks).await.into_iter().collect::<Result<_, Trouble>>()?;
    let teardown = match teardown {
        Some(index) => Some(Owed { index, run: teardown_run(&client, &status, index).await? }),
        None => None,
    };
    let ebb = Ebb { alive: alive.into_iter().flatten().collect(), teardown, place: false };
    let place = place(release, &status, None, (&workspace, context), |turn| wish_at_ebb(turn, &ebb));
    Ok(Ebb { place, ..ebb })
}

/// The teardown's place in the list of runs, if there is one and it has no verdict yet. Before the ticket is written
/// nothing was begun, so nothing is owed.
pub(crate) fn owed(release: &DatabricksRelease, status: &DatabricksReleaseStatus) -> Option<u32> {
    release.spec.test.teardown.as_ref()?;
    let ticket = status.phase(Phase::Test)?.ticket.as_ref()?;
    (ticket.done < ticket.notebooks).then(|| ticket.notebooks - 1)
}

async fn teardown_run(
    client: &Client,
    status: &DatabricksReleaseStatus,
    index: u32,
) -> Result<Option<(i64, Sight)>, Trouble> {
    let run = in_flight(status).into_iter().find(|run| run.index == index).and_then(|run| run.run_id);
    match run {
        Some(run_id) => Ok(Some((run_id, sight(client, run_id).await?))),
        None => Ok(None),
    }
}

/// The runs in flight but the teardown.
pub(crate) fn to_stop(release: &DatabricksRelease, status: &DatabricksReleaseStatus) -> Vec<RunTicket> {
    let teardown = owed(release, status);
    in_flight(status).into_iter().filter(|run| Some(run.index) != teardown).collect()
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
        Ok(run) => {
            tell::state(release, "", &run, &context.log);
            let state: &str = run.state.life_cycle_state.into();
            Ok((!run.state.is_over()).then(|| format!("run {run_id} ({state})")))
        }
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn in_flight(status: &DatabricksReleaseStatus) -> Vec<RunTicket> {
    status.phase(Phase::Test).and_then(|phase| phase.ticket.clone()).unwrap_or_default().in_flight
}

pub(super) async fn cancel(client: &Client, run_id: i64) -> Result<(), Error> {
    match client.cancel_run(run_id).await {
        Err(error) if error.is_not_found() => Ok(()),
        done => done,
    }
}
