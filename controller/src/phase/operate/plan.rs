//! The jobs that a spec asks for, as Databricks takes them. Pure, and the same at every look: the digest of a job's
//! settings tells whether one in the workspace is as it should be.

use std::collections::BTreeSet;

use brickline_artifact::Manifest;
use brickline_crds::{
    Compute, DatabricksJob, DatabricksReleaseSpec, GoDuration, JobSchedule, Operate, Reason, Schedule,
};
use jiff::Timestamp;

use super::task::Brought;
use super::{Owner, Wanted, quartz};
use crate::databricks::jobs::{CronSchedule, EmailNotifications, JobParameter, JobSettings, PauseStatus};
use crate::pipeline::schedule;
use crate::trouble::Trouble;

/// The jobs in the spec's order, each with its settings. `cluster_id` looks an existing cluster up by the workspace's
/// name for it.
///
/// # Errors
/// `InvalidSpec` for what the release does not bring, the workspace does not have, or Databricks can't be told.
pub(super) fn plan(
    spec: &DatabricksReleaseSpec,
    manifest: &Manifest,
    owner: &Owner,
    cluster_id: impl Fn(&str) -> Result<String, Trouble>,
) -> Result<Vec<(Wanted, JobSettings)>, Trouble> {
    if spec.operate.prune && !owner.is_pipeline() {
        let message = "operate.prune needs a pipeline: of releases by hand nobody knows which jobs are still wanted";
        return Err(Trouble::lasting(Reason::InvalidSpec, message));
    }
    let brought = Brought::of(spec, manifest, cluster_id)?;
    let mut names = BTreeSet::new();
    let mut jobs = Vec::new();
    for job in &spec.operate.jobs {
        if !names.insert(job.name.as_str()) {
            return Err(invalid(&job.name, "another job has the same name: variables made them equal"));
        }
        let mut settings = settings(job, &brought, owner)?;
        let digest = owner.sign(&mut settings);
        jobs.push((Wanted { name: job.name.clone(), key: owner.key(&job.name), digest }, settings));
    }
    Ok(jobs)
}

fn settings<C: Fn(&str) -> Result<String, Trouble>>(
    job: &DatabricksJob,
    brought: &Brought<C>,
    owner: &Owner,
) -> Result<JobSettings, Trouble> {
    if let Some(key) = in_a_circle(job) {
        return Err(invalid(&job.name, &format!("task {key} waits for itself: take one dependsOn away")));
    }
    let tasks = brought.tasks(job)?;
    let parameter = |(name, value): (&String, &String)| JobParameter { name: name.clone(), default: value.clone() };
    let emails = &job.email_on_failure;
    Ok(JobSettings {
        name: job.name.clone(),
        description: owner.description(),
        tags: job.tags.clone(),
        tasks: tasks.all,
        job_clusters: tasks.clusters,
        environments: tasks.environments,
        schedule: job.schedule.as_ref().map(cron).transpose().map_err(|why| invalid(&job.name, &why))?,
        parameters: job.parameters.iter().map(parameter).collect(),
        email_notifications: (!emails.is_empty()).then(|| EmailNotifications { on_failure: emails.clone() }),
        timeout_seconds: job.timeout.map_or(0, GoDuration::as_secs),
        max_concurrent_runs: job.max_concurrent_runs,
    })
}

/// Whether the job's schedule means something. What variables become of it is judged when a release begins.
pub(crate) fn timed(job: &DatabricksJob) -> Result<(), String> {
    let has_variables = |schedule: &&JobSchedule| schedule.cron.contains("$(") || schedule.time_zone.contains("$(");
    let Some(schedule) = job.schedule.as_ref().filter(|schedule| !has_variables(schedule)) else { return Ok(()) };
    cron(schedule).map(drop).map_err(|why| format!("operate.jobs: {}: {why}", job.name))
}

fn cron(schedule: &JobSchedule) -> Result<CronSchedule, String> {
    // A zone that nobody knows and a time that never comes are found here, not by Databricks a while later.
    let next = schedule::next(&of_pipeline(schedule), Timestamp::UNIX_EPOCH)?;
    next.ok_or_else(|| format!("schedule '{}' never comes", schedule.cron))?;
    Ok(CronSchedule {
        quartz_cron_expression: quartz(&schedule.cron)?,
        timezone_id: schedule.time_zone.clone(),
        pause_status: if schedule.paused { PauseStatus::Paused } else { PauseStatus::Unpaused },
    })
}

/// When a job comes next after `now`; none without a schedule that counts.
pub(super) fn next_run(job: &DatabricksJob, now: Timestamp) -> Option<Timestamp> {
    let counts = job.schedule.as_ref().filter(|schedule| !schedule.paused)?;
    schedule::next(&of_pipeline(counts), now).ok().flatten()
}

/// The same schedule as one of a pipeline: both mean the same by a cron expression.
fn of_pipeline(schedule: &JobSchedule) -> Schedule {
    let JobSchedule { cron, time_zone, paused } = schedule.clone();
    Schedule { cron, time_zone, branch: None, suspend: paused }
}

/// Everything that jobs run on.
pub(crate) fn computes(operate: &Operate) -> impl Iterator<Item = &Compute> {
    operate.jobs.iter().flat_map(|job| job.tasks.iter().map(|task| task.compute.as_ref().unwrap_or(&job.compute)))
}

/// A task that waits for itself, by its own key or by way of others.
fn in_a_circle(job: &DatabricksJob) -> Option<&str> {
    let mut open: Vec<_> = job.tasks.iter().collect();
    let mut before = usize::MAX;
    while open.len() < before {
        before = open.len();
        let keys: BTreeSet<&str> = open.iter().map(|task| task.key.as_str()).collect();
        open.retain(|task| task.depends_on.iter().any(|key| keys.contains(key.as_str())));
    }
    open.first().map(|task| task.key.as_str())
}

/// What a job asks for can't be.
pub(super) fn invalid(job: &str, why: &str) -> Trouble {
    Trouble::lasting(Reason::InvalidSpec, format!("operate.jobs: {job}: {why}"))
}
