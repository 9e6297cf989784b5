//! A saved job at work: a run of it begins because someone asks, or because its schedule has come.

use crate::{
    spec::{
        JobSettings,
        job::Parameter,
        workload::{Given, texts},
    },
    state::{
        Refusal, Run, RunRecord,
        job::JobRecord,
        run::{Origin, RunType, Trigger},
    },
    work::queue,
    workspace::Workspace,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// What one run of a job does differently.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Overrides {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) job_parameters: BTreeMap<String, Value>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) notebook_params: BTreeMap<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) python_params: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) python_named_params: Option<BTreeMap<String, String>>,
}

/// Begins a run of a job, or finds the one that `token` began. With too many going already it waits or is skipped, which
/// is a run, too.
pub(crate) fn launch(
    workspace: &Arc<Workspace>,
    job: &JobRecord,
    trigger: Trigger,
    overrides: &Overrides,
    token: Option<String>,
) -> Result<Arc<Run>, Refusal> {
    let settings = JobSettings::read(&job.settings)?;
    let (limit, may_wait) = (settings.limit(), settings.may_wait());
    let record = prepare(workspace, job, settings, trigger, overrides, token)?;
    queue::begin(workspace, record, Some(limit), may_wait)
}

/// The runs of a job that haven't ended.
pub(crate) fn active(workspace: &Workspace, job_id: i64) -> Vec<Arc<Run>> {
    let mut runs = workspace.runs.all();
    runs.retain(|run| run.read(|record| record.job_id == job_id && !record.state.life_cycle_state.is_terminal()));
    runs
}

fn prepare(
    workspace: &Workspace,
    job: &JobRecord,
    settings: JobSettings,
    trigger: Trigger,
    overrides: &Overrides,
    token: Option<String>,
) -> Result<RunRecord, Refusal> {
    let JobSettings { name, schedule, parameters, plan, .. } = settings;
    if plan.is_empty() {
        return Err(Refusal::Invalid(format!("Job {} has no tasks.", job.job_id)));
    }
    let job_parameters = resolve(parameters, texts("job_parameters", &overrides.job_parameters)?)?;
    // The job's parameters win over the task's own.
    let mut named = job_parameters.clone();
    named.extend(texts("notebook_params", &overrides.notebook_params)?);
    let given = Given { named, list: overrides.python_params.clone(), wheel: overrides.python_named_params.clone() };
    let mut accepted = plan.accept(workspace.known())?;
    accepted.tasks.iter_mut().for_each(|task| task.workload.override_with(&given));
    let origin = Origin {
        run_type: RunType::JobRun,
        trigger,
        schedule: schedule.filter(|_| trigger == Trigger::Periodic),
        job_parameters,
        overriding_parameters: Some(json!(overrides)).filter(|given| *given != json!({})),
    };
    Ok(RunRecord { job_id: job.job_id, ..RunRecord::new(accepted, &name, &job.creator, token, origin) })
}

/// The parameters of the job with the values of this run.
fn resolve(declared: Vec<Parameter>, mut given: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, Refusal> {
    let mut resolved = BTreeMap::new();
    for Parameter { name, default } in declared {
        let value = given.remove(&name).unwrap_or(default);
        resolved.insert(name, value);
    }
    match given.into_keys().next() {
        Some(name) => Err(Refusal::Invalid(format!("Job parameter {name} is not defined in the job."))),
        None => Ok(resolved),
    }
}

/// Runs jobs when their schedules come, until the emulator leaves.
pub(crate) async fn keep_schedules(workspace: Arc<Workspace>) {
    let leaving = workspace.work.leaving.clone();
    let mut bell = workspace.jobs.listen();
    loop {
        bell.borrow_and_update();
        let agenda = workspace.jobs.agenda(Timestamp::now());
        for id in agenda.due {
            let run = workspace.jobs.get(id);
            let run = run.and_then(|job| launch(&workspace, &job, Trigger::Periodic, &Overrides::default(), None));
            if let Err(refusal) = run {
                tracing::warn!(job_id = id, %refusal, "a scheduled run could not begin");
            }
        }
        tokio::select! {
            () = leaving.cancelled() => return,
            () = until(agenda.next) => {}
            changed = bell.changed() => {
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}

async fn until(time: Option<Timestamp>) {
    match time {
        None => std::future::pending().await,
        Some(time) => {
            let rest = time.duration_since(Timestamp::now());
            tokio::time::sleep(Duration::try_from(rest).unwrap_or_default()).await;
        }
    }
}
