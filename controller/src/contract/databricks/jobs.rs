//! Saved jobs: found by their tags, whatever else is in the workspace.

use super::{Databricks, granted, refused, same, unused};
use crate::phase::operate::{Changes, Found, Operated};

/// A job's id that nobody has.
const NEVER: i64 = 1;

/// Those of our jobs that are this one.
async fn of_name(workspace: &impl Databricks, name: &str) -> Result<Vec<Found>, String> {
    let key = workspace.wanted(name).key;
    let jobs = granted("the jobs", workspace.jobs().await)?;
    Ok(jobs.into_iter().filter(|job| job.key == key).collect())
}

async fn created(workspace: &impl Databricks, name: &str) -> Result<i64, String> {
    let changes = Changes { create: vec![name.to_owned()], ..Changes::default() };
    let done = granted("create", workspace.change(&changes).await)?;
    match done.as_slice() {
        [one] if one.name == name => Ok(one.id),
        other => Err(format!("created: {other:?}")),
    }
}

async fn delete(workspace: &impl Databricks, ids: &[i64]) -> Result<(), String> {
    let changes = Changes { delete: ids.to_vec(), ..Changes::default() };
    let left = granted("delete", workspace.change(&changes).await)?;
    same("what is operated", &left, &Vec::new())
}

pub(super) async fn found(workspace: &impl Databricks) -> Result<(), String> {
    let name = unused("nightly");
    same("the jobs before", &of_name(workspace, &name).await?, &Vec::new())?;
    let foreign = granted("somebody's job", workspace.put_job(&name, false).await)?;
    let id = created(workspace, &name).await?;
    let wanted = workspace.wanted(&name);
    let jobs = granted("the jobs", workspace.jobs().await)?;
    same("whether somebody else's is ours", &jobs.iter().any(|job| job.id == foreign), &false)?;
    let ours: Vec<_> = jobs.iter().filter(|job| job.key == wanted.key).map(|job| (job.id, &job.digest)).collect();
    same("ours", &ours, &vec![(id, &wanted.digest)])?;
    delete(workspace, &[id]).await?;
    same("the jobs after", &of_name(workspace, &name).await?, &Vec::new())?;
    delete(workspace, &[foreign]).await
}

/// So an answer that was lost leaves two: whoever lists before finds them, and which one is older.
pub(super) async fn twins(workspace: &impl Databricks) -> Result<(), String> {
    let name = unused("nightly");
    let first = created(workspace, &name).await?;
    workspace.pause().await;
    let second = created(workspace, &name).await?;
    let mut twins = of_name(workspace, &name).await?;
    twins.sort_by_key(|job| (job.created, job.id));
    let ids: Vec<i64> = twins.iter().map(|job| job.id).collect();
    same("the jobs, oldest first", &ids, &vec![first, second])?;
    same("who made them", &twins[0].creator, &twins[1].creator)?;
    delete(workspace, &ids).await
}

pub(super) async fn reset(workspace: &impl Databricks) -> Result<(), String> {
    let name = unused("nightly");
    let wanted = workspace.wanted(&name);
    let id = granted("an older job of ours", workspace.put_job(&name, true).await)?;
    let before = of_name(workspace, &name).await?;
    let [before] = before.as_slice() else { return Err(format!("there are {before:?}")) };
    same("whether it is as wanted", &(before.digest == wanted.digest), &false)?;
    let known = Operated { name: name.clone(), id };
    let changes = Changes { reset: vec![known.clone()], ..Changes::default() };
    // To reset again is harmless.
    for _ in 0..2 {
        let done = granted("reset", workspace.change(&changes).await)?;
        same("what is operated", &done, &vec![known.clone()])?;
        let after = Found { digest: wanted.digest.clone(), ..before.clone() };
        same("the job", &of_name(workspace, &name).await?, &vec![after])?;
    }
    delete(workspace, &[id]).await
}

pub(super) async fn gone(workspace: &impl Databricks) -> Result<(), String> {
    let id = created(workspace, &unused("nightly")).await?;
    delete(workspace, &[id]).await?;
    delete(workspace, &[id, NEVER]).await?;
    let changes = Changes { reset: vec![Operated { name: unused("nightly"), id }], ..Changes::default() };
    refused("reset of a job that is gone", false, workspace.change(&changes).await)
}
