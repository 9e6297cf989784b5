//! The registries hold all clusters and all runs, by id, as the disk knows them.

use crate::state::{
    Cluster, ClusterRecord, ClusterState, Refusal, Run, RunRecord, Termination, cells::Archive, disk, lock,
    objects::now, run::recover,
};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::watch;

/// How long ended runs are kept.
const KEPT: Duration = Duration::from_hours(60 * 24);

/// All clusters.
pub(crate) struct Clusters {
    known: Mutex<BTreeMap<String, Arc<Cluster>>>,
    folder: PathBuf,
}

impl Clusters {
    /// Reads the clusters of an earlier life. Whatever ran then is terminated now, and its environments are gone.
    pub(crate) fn open(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        let clusters = Self { known: Mutex::default(), folder };
        for entry in fs::read_dir(&clusters.folder)? {
            let home = entry?.path();
            let Some(record) = disk::read_json::<ClusterRecord>(&home.join("cluster.json"))? else { continue };
            clear_environments(&home)?;
            let cluster = Cluster::new(record, home);
            if cluster.read(|record| record.state != ClusterState::Terminated) {
                let reason = Termination::by_fault("DRIVER_UNREACHABLE", "The emulator was restarted.");
                cluster.change(|record| record.terminate(reason));
            }
            clusters.insert(cluster);
        }
        Ok(clusters)
    }

    fn insert(&self, cluster: Arc<Cluster>) {
        let id = cluster.read(|record| record.cluster_id.clone());
        lock(&self.known).insert(id, cluster);
    }

    /// Adds a cluster unless its id is known.
    pub(crate) fn define(&self, record: ClusterRecord) -> Arc<Cluster> {
        if let Ok(known) = self.get(&record.cluster_id) {
            return known;
        }
        let home = self.folder.join(&record.cluster_id);
        let cluster = Cluster::new(record, home);
        cluster.change(|_| ());
        self.insert(Arc::clone(&cluster));
        cluster
    }

    /// One cluster.
    pub(crate) fn get(&self, id: &str) -> Result<Arc<Cluster>, Refusal> {
        let known = lock(&self.known).get(id).cloned();
        known.ok_or_else(|| Refusal::Invalid(format!("Cluster {id} does not exist")))
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Arc<Cluster>> {
        lock(&self.known).values().cloned().collect()
    }

    /// Forgets a cluster for good.
    pub(crate) fn remove(&self, id: &str) -> io::Result<()> {
        match lock(&self.known).remove(id) {
            Some(cluster) => cluster.bury(),
            None => Ok(()),
        }
    }
}

fn clear_environments(home: &Path) -> io::Result<()> {
    for entry in fs::read_dir(home)? {
        let path = entry?.path();
        if path.is_dir() {
            fs::remove_dir_all(path)?;
        }
    }
    Ok(())
}

/// Removes what is on the disk of a run.
fn forget(folder: &Path, record: &RunRecord) {
    let archive = Archive::open(folder.to_owned());
    record.tasks.iter().for_each(|task| archive.forget(task.run_id));
    // There is nothing to be done about it.
    let _ = fs::remove_file(run_file(folder, record.run_id));
}

fn run_file(folder: &Path, run_id: i64) -> PathBuf {
    folder.join(format!("{run_id}.run.json"))
}

#[derive(Default)]
struct Known {
    /// By the run's own id and by those of its tasks.
    by_id: BTreeMap<i64, Arc<Run>>,
    /// By token and, for a job's run, the job.
    by_token: BTreeMap<(Option<i64>, String), Arc<Run>>,
    /// In the order of submission.
    order: Vec<Arc<Run>>,
}

/// All runs.
pub(crate) struct Runs {
    known: Mutex<Known>,
    folder: PathBuf,
    pub(crate) archive: Archive,
    /// Held while runs are counted and one is let in.
    pub(crate) admission: Mutex<()>,
    /// Rings when a run has ended, so that another may begin.
    bell: watch::Sender<u64>,
}

impl Runs {
    /// Reads the runs of an earlier life; those that were in flight are lost and say so.
    pub(crate) fn open(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        let mut records = Vec::new();
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.to_string_lossy().ends_with(".run.json") {
                records.extend(disk::read_json::<RunRecord>(&path)?);
            }
        }
        let old = now() - i64::try_from(KEPT.as_millis()).unwrap_or(i64::MAX);
        records.retain(|record| {
            record.end_time == 0 || record.end_time > old || {
                forget(&folder, record);
                false
            }
        });
        records.sort_by_key(|record| (record.start_time, record.run_id));
        let (archive, bell) = (Archive::open(folder.clone()), watch::channel(0).0);
        let runs = Self { known: Mutex::default(), folder, archive, admission: Mutex::default(), bell };
        for mut record in records {
            let lost = recover(&mut record, now());
            let run = runs.insert(record);
            if lost {
                run.change(|_| ());
            }
        }
        Ok(runs)
    }

    fn insert(&self, record: RunRecord) -> Arc<Run> {
        let file = run_file(&self.folder, record.run_id);
        let token = record.token_key();
        let ids: Vec<_> = record.tasks.iter().map(|task| task.run_id).chain([record.run_id]).collect();
        let run = Run::new(record, file);
        let mut known = lock(&self.known);
        known.by_id.extend(ids.into_iter().map(|id| (id, Arc::clone(&run))));
        known.by_token.extend(token.map(|token| (token, Arc::clone(&run))));
        known.order.push(Arc::clone(&run));
        run
    }

    /// The run that this one's token began, if it did.
    pub(crate) fn earlier(&self, record: &RunRecord) -> Result<Option<Arc<Run>>, Refusal> {
        let run = record.token_key().and_then(|token| lock(&self.known).by_token.get(&token).cloned());
        if run.as_ref().is_some_and(|run| run.read(|record| record.deleted)) {
            return Err(Refusal::Invalid("The run of this idempotency_token has been deleted.".to_owned()));
        }
        Ok(run)
    }

    /// Adds a run.
    pub(crate) fn add(&self, record: RunRecord) -> Arc<Run> {
        let run = self.insert(record);
        run.change(|_| ());
        run
    }

    /// A run has ended, or a limit has changed: somebody else may begin.
    pub(crate) fn ring(&self) {
        self.bell.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// A listener for that.
    pub(crate) fn listen(&self) -> watch::Receiver<u64> {
        self.bell.subscribe()
    }

    /// The run that `id` names, or that has a task of this id.
    pub(crate) fn get(&self, id: i64) -> Result<Arc<Run>, Refusal> {
        let known = lock(&self.known).by_id.get(&id).cloned();
        known
            .filter(|run| !run.read(|record| record.deleted))
            .ok_or_else(|| Refusal::Invalid(format!("Run {id} does not exist.")))
    }

    /// All runs, the newest first.
    pub(crate) fn all(&self) -> Vec<Arc<Run>> {
        let known = lock(&self.known);
        known.order.iter().rev().filter(|run| !run.read(|record| record.deleted)).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ended_runs_are_kept_for_two_months() {
        let folder = tempfile::tempdir().unwrap();
        let write = |id: i64, end_time: i64| {
            let state = json!({ "life_cycle_state": "TERMINATED", "result_state": "SUCCESS" });
            let record = json!({
                "run_id": id, "job_id": 2, "run_name": "r", "creator": "c", "format": "MULTI_TASK", "start_time": 1,
                "end_time": end_time, "state": state, "tasks": []
            });
            fs::write(run_file(folder.path(), id), record.to_string()).unwrap();
        };
        let day = 24 * 60 * 60 * 1000;
        write(1, now() - 61 * day);
        write(2, now() - 59 * day);
        let runs = Runs::open(folder.path().to_owned()).unwrap();
        assert!(runs.get(1).is_err() && runs.get(2).is_ok());
        assert!(!run_file(folder.path(), 1).exists());
    }
}
