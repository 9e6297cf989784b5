//! Making a task's compute ready: its cluster runs, and what it needs is installed.

use crate::{
    driver::{Generation, environment::Request},
    spec::compute::Compute,
    state::{Cluster, ClusterRecord, ClusterState, Library, LibraryStatus, Run, Termination, ids, run::TaskRecord},
    work::{cluster, install, task::Ending},
    workspace::Workspace,
};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// A cluster that has not come up by then never will.
const CLUSTER_PATIENCE: Duration = Duration::from_mins(20);
/// Clusters of ended runs that are remembered.
const MAX_ENDED: usize = 100;
/// The runtime of a cluster whose spec doesn't say, and of serverless compute.
const SPARK_VERSION: &str = "14.3.x-scala2.12";

/// All that has to be there before the task's own work begins.
pub(crate) async fn ready(
    workspace: &Arc<Workspace>,
    run: &Run,
    index: usize,
    task: &TaskRecord,
) -> Result<(Arc<Cluster>, Arc<Generation>), Ending> {
    let cluster = find(workspace, run, index, task)?;
    let waited = tokio::time::timeout(CLUSTER_PATIENCE, wait(workspace, &cluster)).await;
    let generation = waited.map_err(|_| Ending::fault("CLUSTER_ERROR", "The cluster did not start in time"))??;
    install_libraries(&cluster, &task.libraries).await?;
    if let Compute::Serverless(Some(key)) = &task.compute {
        let lines = run.read(|record| record.shared.dependencies(key));
        install_environment(workspace, &generation, &lines).await?;
    }
    Ok((cluster, generation))
}

fn find(workspace: &Workspace, run: &Run, index: usize, task: &TaskRecord) -> Result<Arc<Cluster>, Ending> {
    let (id, spec) = match &task.compute {
        Compute::Existing(id) => {
            return workspace.clusters.get(id).map_err(|refusal| Ending::fault("CLUSTER_ERROR", &refusal.to_string()));
        }
        Compute::New(spec) => (format!("job-{}", ids::random()), spec.clone()),
        Compute::Serverless(_) => (format!("serverless-{}", ids::random()), Value::Null),
        Compute::Shared(key) => run.change(|record| {
            // The first task that needs it makes it.
            let id = record.made.entry(key.clone()).or_insert_with(|| format!("job-{}", ids::random())).clone();
            let known = record.shared.job_clusters.iter().find(|known| known.job_cluster_key == *key);
            (id, known.map(|known| known.new_cluster.clone()).unwrap_or_default())
        }),
    };
    let version = spec["spark_version"].as_str().unwrap_or(SPARK_VERSION);
    let mut record = ClusterRecord::new(&id, &format!("job-{}-run", task.run_id), version);
    record.is_job = true;
    record.is_serverless = matches!(task.compute, Compute::Serverless(_));
    run.change_task(index, |task| task.cluster_id = Some(id));
    Ok(workspace.clusters.define(record))
}

/// Waits until the cluster runs and has its libraries back; a terminated one is started.
async fn wait(workspace: &Arc<Workspace>, cluster: &Arc<Cluster>) -> Result<Arc<Generation>, Ending> {
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
    failed.await.map_err(|message| not_installed(&message))
}

/// The environment of a serverless task: pip's lines, with the workspace's paths.
async fn install_environment(workspace: &Workspace, generation: &Generation, lines: &[String]) -> Result<(), Ending> {
    if lines.is_empty() {
        return Ok(());
    }
    let file = install::requirements(workspace, &lines.join("\n")).map_err(|message| not_installed(&message))?;
    let request = Request::for_library(&Library::Requirements(String::new()), Some(file.path().to_owned()));
    let Some(request) = request else { return Ok(()) };
    generation.environment().install(request).await.map_err(|message| not_installed(&message))
}

fn not_installed(message: &str) -> Ending {
    Ending::fault("LIBRARY_INSTALLATION_ERROR", &format!("Library installation failed: {message}"))
}

/// Ends a cluster that was made for a task that has ended.
pub(crate) fn release(workspace: &Arc<Workspace>, task: &TaskRecord) {
    if let (Compute::New(_) | Compute::Serverless(_), Some(id)) = (&task.compute, &task.cluster_id) {
        end(workspace, id);
    }
}

/// Ends the clusters that the tasks of a run have shared.
pub(crate) fn release_shared(workspace: &Arc<Workspace>, run: &Run) {
    for id in run.read(|record| record.made.values().cloned().collect::<Vec<_>>()) {
        end(workspace, &id);
    }
}

fn end(workspace: &Arc<Workspace>, id: &str) {
    let Ok(cluster) = workspace.clusters.get(id) else { return };
    let reason =
        Termination { code: "JOB_FINISHED".to_owned(), kind: "SUCCESS".to_owned(), parameters: BTreeMap::new() };
    let closed = workspace.generation(id).map(|generation| generation.closed().clone());
    cluster::terminate(workspace, &cluster, reason);
    if !cluster.read(|record| record.is_serverless) {
        return prune(workspace);
    }
    let (workspace, id) = (Arc::clone(workspace), id.to_owned());
    let tracker = workspace.work.tasks.clone();
    tracker.spawn(async move {
        if let Some(closed) = closed {
            closed.cancelled().await;
        }
        forget(&workspace, &id);
    });
}

/// Of the clusters of ended runs only the latest are remembered.
fn prune(workspace: &Workspace) {
    let all = workspace.clusters.all();
    let ended = all.iter().filter_map(|cluster| {
        cluster.read(|record| {
            let is_over = record.is_job && !record.is_serverless && record.state == ClusterState::Terminated;
            is_over.then(|| (record.terminated_time, record.cluster_id.clone()))
        })
    });
    let mut ended: Vec<_> = ended.collect();
    ended.sort_unstable();
    for (_, id) in ended.iter().rev().skip(MAX_ENDED) {
        forget(workspace, id);
    }
}

fn forget(workspace: &Workspace, id: &str) {
    if let Err(error) = cluster::forget(workspace, id) {
        tracing::warn!(%error, id, "what was left of a cluster can't be removed");
    }
}
