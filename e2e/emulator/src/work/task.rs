//! A task's life: its cluster is made ready, its notebook runs, and however that ends is written down.

use crate::{
    driver::{
        DriverError, Generation,
        worker::{Job, Outcome, Verdict},
    },
    state::{
        Cluster, ClusterRecord, ClusterState, Library, LibraryStatus, Refusal, Run, SafePath, Termination, ids,
        objects::{Kind, now},
        run::{LifeCycle, ResultState, RunState, Stop, TaskOutput, TaskRecord},
    },
    work::cluster,
    workspace::Workspace,
};
use std::{sync::Arc, time::Duration};

/// What a failed notebook's run says of itself; the reason is in its output.
const WORKLOAD_FAILED: &str = "Workload failed, see run output for details";
/// A cluster that has not come up by then never will.
const CLUSTER_PATIENCE: Duration = Duration::from_mins(20);

/// The end of a task.
struct Ending {
    state: RunState,
    code: &'static str,
    output: TaskOutput,
}

impl Ending {
    fn new(life_cycle: LifeCycle, result: ResultState, code: &'static str, message: &str) -> Self {
        Self { state: RunState::ended(life_cycle, result, message), code, output: TaskOutput::default() }
    }

    /// It went wrong before or beside the notebook.
    fn fault(code: &'static str, message: &str) -> Self {
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
pub(crate) async fn run(workspace: &Arc<Workspace>, run: &Arc<Run>, index: usize) {
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
        ending = perform(workspace, run, index, &task) => ending.unwrap_or_else(|ending| ending),
    };
    run.change_task(index, |task| task.state = RunState::at(LifeCycle::Terminating, &ending.state.state_message));
    clean_up(workspace, run, index, &ending).await;
    finish(workspace, run, index, ending);
}

/// All the way to the notebook's end. Dropping this kills the notebook.
async fn perform(
    workspace: &Arc<Workspace>,
    run: &Arc<Run>,
    index: usize,
    task: &TaskRecord,
) -> Result<Ending, Ending> {
    let cluster = find_cluster(workspace, run, index, task)?;
    let ready = ready_cluster(workspace, &cluster);
    let waited = tokio::time::timeout(CLUSTER_PATIENCE, ready).await;
    let generation = waited.map_err(|_| Ending::fault("CLUSTER_ERROR", "The cluster did not start in time"))??;
    install_libraries(&cluster, &task.libraries).await?;
    let gone = generation.gone().clone();
    let lost = || Ending::fault("CLUSTER_ERROR", "The cluster was terminated or restarted while the run was in flight");
    tokio::select! {
        biased;
        ending = execute(workspace, run, index, &generation, &cluster) => ending.map_err(|ending| {
            // A worker that breaks off because its cluster goes away is the cluster's fault.
            if gone.is_cancelled() { lost() } else { ending }
        }),
        () = gone.cancelled() => Err(lost()),
    }
}

fn find_cluster(workspace: &Workspace, run: &Run, index: usize, task: &TaskRecord) -> Result<Arc<Cluster>, Ending> {
    let spec = match (&task.cluster_id, &task.new_cluster) {
        (Some(id), _) => {
            return workspace.clusters.get(id).map_err(|refusal| Ending::fault("CLUSTER_ERROR", &refusal.to_string()));
        }
        (None, spec) => spec.clone().unwrap_or_default(),
    };
    let id = format!("job-{}", ids::random());
    let version = spec["spark_version"].as_str().unwrap_or("14.3.x-scala2.12");
    let mut record = ClusterRecord::new(&id, &format!("job-{}-run", task.run_id), version);
    record.is_job = true;
    run.change_task(index, |task| task.cluster_id = Some(id));
    Ok(workspace.clusters.define(record))
}

/// Waits until the cluster runs and has its libraries back; a terminated one is started.
async fn ready_cluster(workspace: &Arc<Workspace>, cluster: &Arc<Cluster>) -> Result<Arc<Generation>, Ending> {
    if cluster.read(|record| record.state) == ClusterState::Terminated {
        // Somebody else may have been faster: then it is being started, which is as good.
        let _ = cluster::start(workspace, cluster);
    }
    let settled = cluster.wait(|record| match record.state {
        ClusterState::Running if !record.libraries.is_restoring() => Some(Ok(record.cluster_id.clone())),
        ClusterState::Terminated => Some(Err(record.state_message.clone())),
        _ => None,
    });
    let message = match settled.await {
        Ok(id) => match workspace.generation(&id) {
            Some(generation) => return Ok(generation),
            None => "it ended at once".to_owned(),
        },
        Err(message) => message,
    };
    Err(Ending::fault("CLUSTER_ERROR", &format!("The cluster could not be used: {message}")))
}

/// A task's own libraries are installed before it begins.
async fn install_libraries(cluster: &Cluster, libraries: &[Library]) -> Result<(), Ending> {
    if libraries.is_empty() {
        return Ok(());
    }
    cluster.change(|record| libraries.iter().for_each(|library| record.libraries.request(library.clone())));
    let failed = cluster.wait(|record| {
        let list = || record.libraries.0.iter().filter(|known| libraries.contains(&known.library));
        let failed = list().find(|known| known.status == LibraryStatus::Failed);
        if let Some(failed) = failed {
            return Some(Err(failed.messages.join(" ")));
        }
        let open = list().any(|known| known.status.is_open()) && record.state == ClusterState::Running;
        (!open).then_some(Ok(()))
    });
    failed.await.map_err(|message| {
        Ending::fault("LIBRARY_INSTALLATION_ERROR", &format!("Library installation failed: {message}"))
    })
}

async fn execute(
    workspace: &Workspace,
    run: &Run,
    index: usize,
    generation: &Generation,
    cluster: &Cluster,
) -> Result<Ending, Ending> {
    let fault = |error: DriverError| Ending::fault("DRIVER_ERROR", &error.to_string());
    let _slot = generation.slot().await.map_err(fault)?;
    let task = run.read(|record| record.tasks[index].clone());
    let creator = run.read(|record| record.creator.clone());
    let job = load(workspace, &task).map_err(|refusal| unable(&task.notebook_path, &creator, &refusal))?;
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

fn unable(path: &str, creator: &str, refusal: &Refusal) -> Ending {
    tracing::info!(path, %refusal, "a notebook can't be read");
    let message = format!(
        "Unable to access the notebook \"{path}\". Either it does not exist, or the identity used to run this job, \
         {creator}, lacks the required permissions."
    );
    Ending::fault("RESOURCE_NOT_FOUND", &message)
}

fn load(workspace: &Workspace, task: &TaskRecord) -> Result<Job, Refusal> {
    let path = SafePath::workspace(&task.notebook_path)?;
    let (object, content) = workspace.objects.read(&path)?;
    let Kind::Notebook { language } = object.kind else {
        return Err(Refusal::Invalid(format!("{} is not a notebook", path.as_str())));
    };
    Ok(Job {
        path: path.as_str().to_owned(),
        language: language.to_string(),
        source: String::from_utf8_lossy(&content).into_owned(),
        parameters: task.base_parameters.clone(),
        group: group(task.run_id),
        roots: workspace.roots(),
    })
}

/// The name of a task's jobs in Spark.
fn group(run_id: i64) -> String {
    format!("run-{run_id}")
}

/// Leaves nothing behind on the cluster: Spark's jobs of a killed notebook, or the cluster that was made for it.
async fn clean_up(workspace: &Arc<Workspace>, run: &Run, index: usize, ending: &Ending) {
    let task = run.read(|record| record.tasks[index].clone());
    let Some(cluster) = task.cluster_id.as_deref().and_then(|id| workspace.clusters.get(id).ok()) else { return };
    let (id, is_job) = cluster.read(|record| (record.cluster_id.clone(), record.is_job));
    if let Some(generation) = workspace.generation(&id).filter(|_| ending.state.user_cancelled_or_timedout) {
        generation.cancel(&group(task.run_id)).await;
    }
    if is_job {
        let parameters = std::collections::BTreeMap::new();
        let reason = Termination { code: "JOB_FINISHED".to_owned(), kind: "SUCCESS".to_owned(), parameters };
        cluster::terminate(workspace, &cluster, reason);
    }
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
