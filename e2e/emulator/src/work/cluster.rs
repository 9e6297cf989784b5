//! A cluster's life: it starts, restarts and terminates, each answered at once and done afterwards.

use crate::{
    driver::{DriverError, Generation},
    state::{Cluster, ClusterRecord, ClusterState, Refusal, Termination, ids, lock, objects::now},
    work::install,
    workspace::Workspace,
};
use std::{io, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// How a new generation comes about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Start,
    Restart,
}

/// Starts a terminated cluster.
pub(crate) fn start(workspace: &Arc<Workspace>, cluster: &Arc<Cluster>) -> Result<(), Refusal> {
    let epoch = cluster.change(|record| {
        expect_state(record, ClusterState::Terminated)?;
        record.enter(ClusterState::Pending, "STARTING", "Starting Spark");
        record.start_time = now();
        Ok::<_, Refusal>(advance(record))
    })?;
    bring_up(workspace, cluster, epoch, Way::Start);
    Ok(())
}

/// Restarts a running cluster: all that runs on it ends, and what it had installed is installed anew.
pub(crate) fn restart(workspace: &Arc<Workspace>, cluster: &Arc<Cluster>) -> Result<(), Refusal> {
    let epoch = cluster.change(|record| {
        expect_state(record, ClusterState::Running)?;
        record.enter(ClusterState::Restarting, "RESTARTING", "Restarting Spark");
        Ok::<_, Refusal>(advance(record))
    })?;
    bring_up(workspace, cluster, epoch, Way::Restart);
    Ok(())
}

/// Terminates a cluster; a terminated one stays as it is.
pub(crate) fn terminate(workspace: &Arc<Workspace>, cluster: &Arc<Cluster>, reason: Termination) {
    let begun = cluster.change(|record| {
        let idle = matches!(record.state, ClusterState::Terminated | ClusterState::Terminating);
        (!idle).then(|| {
            record.enter(ClusterState::Terminating, "TERMINATING", "");
            advance(record)
        })
    });
    let Some(epoch) = begun else { return };
    let (id, _) = take_turn(workspace, cluster);
    if let Some(generation) = lock(&workspace.work.live).remove(&id) {
        generation.stop();
    }
    cluster.change(|record| {
        if record.epoch == epoch {
            record.terminate(reason);
        }
    });
}

/// Deletes a cluster that is terminated, or just being so, for good.
pub(crate) fn forget(workspace: &Workspace, id: &str) -> io::Result<()> {
    lock(&workspace.work.turns).remove(id);
    workspace.clusters.remove(id)
}

fn expect_state(record: &ClusterRecord, state: ClusterState) -> Result<(), Refusal> {
    if record.state == state {
        return Ok(());
    }
    let (id, now) = (&record.cluster_id, record.state);
    Err(Refusal::InvalidState(format!("Cluster {id} is in unexpected state {now}.")))
}

fn advance(record: &mut ClusterRecord) -> u64 {
    record.epoch += 1;
    record.epoch
}

/// The cluster's turn is ours: whatever it was about to do is canceled.
fn take_turn(workspace: &Workspace, cluster: &Cluster) -> (String, CancellationToken) {
    let id = cluster.read(|record| record.cluster_id.clone());
    let token = workspace.work.leaving.child_token();
    if let Some(earlier) = lock(&workspace.work.turns).insert(id.clone(), token.clone()) {
        earlier.cancel();
    }
    (id, token)
}

fn bring_up(workspace: &Arc<Workspace>, cluster: &Arc<Cluster>, epoch: u64, way: Way) {
    let (id, turn) = take_turn(workspace, cluster);
    if let Some(generation) = lock(&workspace.work.live).remove(&id) {
        generation.stop();
    }
    let (workspace, cluster) = (Arc::clone(workspace), Arc::clone(cluster));
    let tracker = workspace.work.tasks.clone();
    tracker.spawn(async move {
        let built = tokio::select! {
            () = turn.cancelled() => return,
            built = build(&workspace, &cluster, way) => built,
        };
        match built {
            Ok(generation) => go_live(&workspace, &cluster, epoch, way, &generation),
            Err(error) => give_up(&cluster, epoch, &error),
        }
    });
}

async fn build(workspace: &Workspace, cluster: &Cluster, way: Way) -> Result<Arc<Generation>, DriverError> {
    let delays = *lock(&workspace.work.delays);
    let delay = if way == Way::Start { delays.start_ms } else { delays.restart_ms };
    tokio::time::sleep(Duration::from_millis(delay)).await;
    let (number, runtime) = cluster.change(|record| {
        record.generation += 1;
        let mut parts = record.spark_version.split('.');
        (record.generation, [parts.next().unwrap_or_default(), parts.next().unwrap_or_default()].join("."))
    });
    let work = &workspace.work;
    let program = work.program.as_ref().ok_or(DriverError::Off)?;
    Generation::start(program, &work.settings, cluster.folder(), number, &runtime).await
}

fn go_live(workspace: &Arc<Workspace>, cluster: &Arc<Cluster>, epoch: u64, way: Way, generation: &Arc<Generation>) {
    let id = cluster.read(|record| record.cluster_id.clone());
    // Before the record says RUNNING: whoever reads that may use the generation at once.
    lock(&workspace.work.live).insert(id.clone(), Arc::clone(generation));
    let current = cluster.change(|record| {
        let current = record.epoch == epoch;
        if current {
            record.enter(ClusterState::Running, "RUNNING", "");
            record.spark_context_id = ids::spark_context();
            record.last_restarted_time = (way == Way::Restart).then(now).or(record.last_restarted_time);
            record.termination = None;
            record.libraries.restore();
        }
        current
    });
    if !current {
        lock(&workspace.work.live).remove(&id);
        generation.stop();
        return;
    }
    tracing::info!(cluster = id, "the cluster runs");
    let tasks = &workspace.work.tasks;
    tasks.spawn(install::tend(Arc::clone(workspace), Arc::clone(cluster), Arc::clone(generation)));
    tasks.spawn(watch(Arc::clone(workspace), Arc::clone(cluster), epoch, generation.gone().clone()));
}

fn give_up(cluster: &Cluster, epoch: u64, error: &DriverError) {
    tracing::error!(%error, "a cluster could not be started");
    cluster.change(|record| {
        if record.epoch == epoch {
            record.terminate(Termination::by_fault("SPARK_STARTUP_FAILURE", &error.to_string()));
        }
    });
}

/// A driver that dies by itself takes its cluster down.
async fn watch(workspace: Arc<Workspace>, cluster: Arc<Cluster>, epoch: u64, gone: CancellationToken) {
    gone.cancelled().await;
    if workspace.work.leaving.is_cancelled() {
        return;
    }
    let died = cluster.change(|record| {
        let died = record.epoch == epoch;
        if died {
            advance(record);
            record.terminate(Termination::by_fault("DRIVER_UNREACHABLE", "The driver ended unexpectedly."));
        }
        died
    });
    if died {
        let id = cluster.read(|record| record.cluster_id.clone());
        lock(&workspace.work.live).remove(&id);
    }
}
