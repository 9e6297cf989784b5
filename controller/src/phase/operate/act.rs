//! Creates, resets and deletes jobs, one after the other: a stage has few of them.

use brickline_crds::{DatabricksRelease, DatabricksReleaseStatus, Phase, Reason};

use super::observe::{Planned, planned};
use super::{Changes, Effect, Operated};
use crate::context::Context;
use crate::databricks::jobs::JobSettings;
use crate::databricks::{Client, Error};
use crate::phase::Outcome;
use crate::trouble::Trouble;

/// Does what `decide` asked for.
pub(crate) async fn act(
    release: &DatabricksRelease,
    status: &DatabricksReleaseStatus,
    effect: &Effect,
    context: &Context,
) -> Result<Outcome, Trouble> {
    let Effect::Apply(changes) = effect;
    let Planned { connection, jobs, .. } = planned(release, status, context).await?;
    let planned: Vec<JobSettings> = jobs.into_iter().map(|(_, settings)| settings).collect();
    let tell = |line: String| context.log.line(release, Phase::Operate, format_args!("{line}"));
    let jobs = apply(&connection.client, changes, &planned, tell).await?;
    Ok(Outcome::Operated { jobs, changes: changes.clone() })
}

/// New jobs first: a fault in between leaves rather one job too many than one too few. `tell` gets a line for each.
pub(super) async fn apply(
    client: &Client,
    changes: &Changes,
    planned: &[JobSettings],
    tell: impl Fn(String),
) -> Result<Vec<Operated>, Trouble> {
    let mut jobs = changes.keep.clone();
    for name in &changes.create {
        let id = client.create_job(settings(planned, name)?).await.map_err(|error| refused(name, error))?;
        tell(format!("job {name}: created, id {id}"));
        jobs.push(Operated { name: name.clone(), id });
    }
    for job in &changes.reset {
        let settings = settings(planned, &job.name)?;
        client.reset_job(job.id, settings).await.map_err(|error| refused(&job.name, error))?;
        tell(format!("job {}: reset, id {}", job.name, job.id));
        jobs.push(job.clone());
    }
    for id in &changes.delete {
        client.delete_job(*id).await?;
        tell(format!("job deleted, id {id}"));
    }
    Ok(jobs)
}

fn settings<'a>(planned: &'a [JobSettings], name: &str) -> Result<&'a JobSettings, Trouble> {
    let found = planned.iter().find(|settings| settings.name == name);
    found.ok_or_else(|| Trouble::lasting(Reason::InternalError, format!("there is no job {name}")))
}

fn refused(name: &str, error: Error) -> Trouble {
    let trouble = Trouble::from(error);
    Trouble { message: format!("job {name}: {}", trouble.message), ..trouble }
}
