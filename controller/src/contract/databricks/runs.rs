//! Runs: once by their tokens, seen, canceled and gone.

use brickline_crds::Reason;

use super::{Databricks, Duty, granted, refused, same, until, unused};
use crate::databricks::runs::{LifeCycle, Run, RunResult};
use crate::phase::test::Sight;

/// The id of a run that nobody has submitted.
const NEVER: i64 = 1;

async fn submit(workspace: &impl Databricks, duty: Duty) -> Result<i64, String> {
    granted("submit", workspace.submit(&unused("contract"), duty).await)
}

async fn sight(workspace: &impl Databricks, run: i64) -> Result<Sight, String> {
    let mut sights = granted("a look", workspace.sights(&[run]).await)?;
    sights.pop().ok_or_else(|| "a look showed nothing".to_owned())
}

async fn seen(workspace: &impl Databricks, run: i64) -> Result<Run, String> {
    match sight(workspace, run).await? {
        Sight::Run(run) => Ok(*run),
        Sight::Gone => Err(format!("run {run} is gone")),
    }
}

/// The run at its end.
async fn over(workspace: &impl Databricks, run: i64) -> Result<Run, String> {
    let look = async || Ok(Some(seen(workspace, run).await?).filter(|run| run.state.is_over()));
    until(workspace, "the run is over", look).await
}

fn ended(run: &Run, result: RunResult) -> Result<(), String> {
    let state = |state: &crate::databricks::runs::RunState| (state.life_cycle_state, state.result_state);
    let wanted = (LifeCycle::Terminated, Some(result));
    same("the run", &state(&run.state), &wanted)?;
    // A list shows no tasks.
    run.tasks.iter().try_for_each(|task| same("its task", &state(&task.state), &wanted))
}

/// Ends a run that a case has begun: nothing of it stays on the cluster.
async fn end(workspace: &impl Databricks, run: i64) -> Result<Run, String> {
    granted("cancel", workspace.cancel(run).await)?;
    over(workspace, run).await
}

async fn under_way(workspace: &impl Databricks) -> Result<Vec<i64>, String> {
    let runs = granted("the list", workspace.under_way().await)?;
    Ok(runs.into_iter().map(|run| run.run_id).collect())
}

pub(super) async fn once(workspace: &impl Databricks) -> Result<(), String> {
    let token = unused("contract");
    let before = under_way(workspace).await?;
    let first = granted("submit", workspace.submit(&token, Duty::Endless).await)?;
    let again = granted("submit again", workspace.submit(&token, Duty::Endless).await)?;
    same("the run of the token", &again, &first)?;
    let new: Vec<i64> = under_way(workspace).await?.into_iter().filter(|run| !before.contains(run)).collect();
    same("the runs under way", &new, &vec![first])?;
    let other = submit(workspace, Duty::Endless).await?;
    if other == first {
        return Err("another token answered the same run".to_owned());
    }
    end(workspace, first).await?;
    end(workspace, other).await?;
    let late = granted("submit after its end", workspace.submit(&token, Duty::Endless).await)?;
    same("the run of the token", &late, &first)
}

pub(super) async fn ends(workspace: &impl Databricks) -> Result<(), String> {
    let run = submit(workspace, Duty::Quick).await?;
    ended(&over(workspace, run).await?, RunResult::Success)
}

pub(super) async fn canceled(workspace: &impl Databricks) -> Result<(), String> {
    let run = submit(workspace, Duty::Endless).await?;
    let look = async || {
        granted("cancel", workspace.cancel(run).await)?;
        Ok(Some(seen(workspace, run).await?).filter(|run| run.state.is_over()))
    };
    ended(&until(workspace, "the run that is canceled is over", look).await?, RunResult::Canceled)
}

pub(super) async fn canceled_late(workspace: &impl Databricks) -> Result<(), String> {
    let run = submit(workspace, Duty::Quick).await?;
    over(workspace, run).await?;
    granted("cancel", workspace.cancel(run).await)?;
    workspace.pause().await;
    ended(&seen(workspace, run).await?, RunResult::Success)
}

pub(super) async fn kept(workspace: &impl Databricks) -> Result<(), String> {
    let run = submit(workspace, Duty::Endless).await?;
    same("whether it was deleted", &workspace.delete(run).await, &false)?;
    let state = seen(workspace, run).await?.state;
    same("whether it is over", &state.is_over(), &false)?;
    ended(&end(workspace, run).await?, RunResult::Canceled)
}

pub(super) async fn deleted(workspace: &impl Databricks) -> Result<(), String> {
    let token = unused("contract");
    let run = granted("submit", workspace.submit(&token, Duty::Quick).await)?;
    over(workspace, run).await?;
    same("whether it was deleted", &workspace.delete(run).await, &true)?;
    same("the run", &sight(workspace, run).await?, &Sight::Gone)?;
    granted("cancel", workspace.cancel(run).await)?;
    let again = workspace.submit(&token, Duty::Quick).await;
    let reason = again.as_ref().err().map(|trouble| trouble.reason);
    refused("the token of a run that is gone", false, again)?;
    same("the reason", &reason, &Some(Reason::NotebookFailed))
}

pub(super) async fn unknown(workspace: &impl Databricks) -> Result<(), String> {
    same("the run", &sight(workspace, NEVER).await?, &Sight::Gone)?;
    granted("cancel", workspace.cancel(NEVER).await)
}

/// Several are looked at with one list, which must tell the same as a look at each.
pub(super) async fn several(workspace: &impl Databricks) -> Result<(), String> {
    let endless = submit(workspace, Duty::Endless).await?;
    let quick = submit(workspace, Duty::Quick).await?;
    over(workspace, quick).await?;
    let look = async || {
        let sights = granted("a look", workspace.sights(&[endless, quick, NEVER]).await)?;
        let [Sight::Run(one), Sight::Run(two), Sight::Gone] = sights.as_slice() else {
            return Err(format!("the runs are {sights:?}"));
        };
        same("the order", &(one.run_id, two.run_id), &(endless, quick))?;
        same("whether the first is over", &one.state.is_over(), &false)?;
        // A list may be a moment old.
        Ok(two.state.is_over().then(|| (**two).clone()))
    };
    let seen = until(workspace, "the list shows the end of a run", look).await?;
    ended(&seen, RunResult::Success)?;
    end(workspace, endless).await.map(drop)
}

pub(super) async fn listed(workspace: &impl Databricks) -> Result<(), String> {
    let cluster = granted("the cluster", workspace.cluster().await)?.id;
    let run = submit(workspace, Duty::Endless).await?;
    let listed = granted("the list", workspace.under_way().await)?;
    let one = listed.iter().find(|listed| listed.run_id == run).ok_or("the run is not listed")?;
    same("whether its cluster is named", &one.clusters.contains(&cluster), &true)?;
    end(workspace, run).await?;
    same("whether it is still listed", &under_way(workspace).await?.contains(&run), &false)
}
