//! A task's life: its compute is made ready, its work is done, and however that ends is written down.

use crate::{
    driver::{
        DriverError, Generation,
        worker::{Outcome, Verdict},
    },
    spec::Workload,
    state::{
        Cluster, Refusal, Run,
        objects::now,
        run::{LifeCycle, ResultState, RunState, Stop, TaskOutput, TaskRecord},
    },
    work::{compute, git::Checkout, load},
    workspace::Workspace,
};
use std::{sync::Arc, time::Duration};

/// What a failed notebook's run says of itself; the reason is in its output.
const WORKLOAD_FAILED: &str = "Workload failed, see run output for details";

/// The end of a task.
pub(crate) struct Ending {
    state: RunState,
    code: &'static str,
    output: TaskOutput,
}

impl Ending {
    fn new(life_cycle: LifeCycle, result: ResultState, code: &'static str, message: &str) -> Self {
        Self { state: RunState::ended(life_cycle, result, message), code, output: TaskOutput::default() }
    }

    /// It went wrong before or beside the notebook.
    pub(crate) fn fault(code: &'static str, message: &str) -> Self {
        let output = TaskOutput { error: Some(message.to_owned()), ..TaskOutput::default() };
        Self { output, ..Self::new(LifeCycle::InternalError, ResultState::Failed, code, message) }
    }

    fn stopped(reason: Stop) -> Self {
        match reason {
            Stop::Canceled => {
                Self::new(LifeCycle::Terminated, ResultState::Canceled, "USER_CANCELED", "Run cancelled.")
            }
            Stop::TimedOut => {
                Self::new(LifeCycle::Terminated, ResultState::TimedOut, "RUN_EXECUTION_ERROR", "Run timed out.")
            }
        }
    }

    fn of(outcome: Outcome) -> Self {
        let mut ending = match outcome.result {
            Verdict::Success => Self::new(LifeCycle::Terminated, ResultState::Success, "SUCCESS", ""),
            Verdict::Failed => {
                Self::new(LifeCycle::Terminated, ResultState::Failed, "RUN_EXECUTION_ERROR", WORKLOAD_FAILED)
            }
            Verdict::Internal => Self::fault("DRIVER_ERROR", outcome.error.as_deref().unwrap_or_default()),
        };
        ending.output = TaskOutput { exit: outcome.exit, error: outcome.error, error_trace: outcome.trace };
        ending
    }
}

/// Runs one task to its end.
pub(crate) async fn run(workspace: &Arc<Workspace>, run: &Arc<Run>, index: usize, checkout: Option<&Checkout>) {
    let task = run.read(|record| record.tasks[index].clone());
    let limit = Duration::from_secs(task.timeout_seconds);
    let clock = async {
        match task.timeout_seconds {
            0 => std::future::pending().await,
            _ => tokio::time::sleep(limit).await,
        }
    };
    let ending = tokio::select! {
        reason = run.stopped() => Ending::stopped(reason),
        () = clock => Ending::stopped(Stop::TimedOut),
        ending = perform(workspace, run, index, &task, checkout) => ending.unwrap_or_else(|ending| ending),
    };
    run.change_task(index, |task| task.state = RunState::at(LifeCycle::Terminating, &ending.state.state_message));
    clean_up(workspace, run, index, &ending).await;
    finish(workspace, run, index, ending);
}

/// All the way to the end of its work. Dropping this kills it.
async fn perform(
    workspace: &Arc<Workspace>,
    run: &Arc<Run>,
    index: usize,
    task: &TaskRecord,
    checkout: Option<&Checkout>,
) -> Result<Ending, Ending> {
    let (cluster, generation) = compute::ready(workspace, run, index, task).await?;
    let gone = generation.gone().clone();
    let lost = || Ending::fault("CLUSTER_ERROR", "The cluster was terminated or restarted while the run was in flight");
    tokio::select! {
        biased;
        ending = execute(workspace, run, index, &generation, &cluster, checkout) => ending.map_err(|ending| {
            // A worker that breaks off because its cluster goes away is the cluster's fault.
            if gone.is_cancelled() { lost() } else { ending }
        }),
        () = gone.cancelled() => Err(lost()),
    }
}

async fn execute(
    workspace: &Workspace,
    run: &Run,
    index: usize,
    generation: &Generation,
    cluster: &Cluster,
    checkout: Option<&Checkout>,
) -> Result<Ending, Ending> {
    let fault = |error: DriverError| Ending::fault("DRIVER_ERROR", &error.to_string());
    let _slot = generation.slot().await.map_err(fault)?;
    let task = run.read(|record| record.tasks[index].clone());
    let creator = run.read(|record| record.creator.clone());
    let job = load::job(workspace, &task, checkout).map_err(|refusal| unable(&task.workload, &creator, &refusal))?;
    let cells = workspace.runs.archive.begin(task.run_id);
    let context = cluster.read(|record| record.spark_context_id);
    run.change(|record| {
        record.state = RunState::at(LifeCycle::Running, "In run");
        let task = &mut record.tasks[index];
        task.state = record.state.clone();
        task.setup_duration = now() - task.start_time;
        task.spark_context_id = context;
    });
    generation.run(&job, |event| cells.note(event)).await.map(Ending::of).map_err(fault)
}

fn unable(workload: &Workload, creator: &str, refusal: &Refusal) -> Ending {
    tracing::info!(%refusal, "a task can't be read");
    let message = match workload {
        Workload::Notebook(task) => format!(
            "Unable to access the notebook \"{}\". Either it does not exist, or the identity used to run this job, \
             {creator}, lacks the required permissions.",
            task.notebook_path
        ),
        Workload::Python(task) => format!("Cannot read the python file {}. {refusal}", task.python_file),
        Workload::Wheel(_) => refusal.to_string(),
    };
    Ending::fault("RESOURCE_NOT_FOUND", &message)
}

/// Leaves nothing behind on the cluster: Spark's jobs of a killed task, or the cluster that was made for it.
async fn clean_up(workspace: &Arc<Workspace>, run: &Run, index: usize, ending: &Ending) {
    let task = run.read(|record| record.tasks[index].clone());
    let generation = task.cluster_id.as_deref().and_then(|id| workspace.generation(id));
    if let Some(generation) = generation.filter(|_| ending.state.user_cancelled_or_timedout) {
        generation.cancel(&load::group(task.run_id)).await;
    }
    compute::release(workspace, &task);
}

fn finish(workspace: &Workspace, run: &Run, index: usize, ending: Ending) {
    let end = now();
    let run_id = run.read(|record| record.tasks[index].run_id);
    workspace.runs.archive.end(run_id, end);
    run.change_task(index, |task| {
        task.end_time = end;
        let begun = task.start_time + task.setup_duration;
        let ran = task.spark_context_id != 0;
        task.execution_duration = if ran { (end - begun).max(1) } else { 0 };
        task.state = ending.state;
        ending.code.clone_into(&mut task.code);
        task.output = ending.output;
    });
}
