//! A cluster's record: what it is, the state it is in, its libraries and what happened to it lately.

use crate::state::{Libraries, disk, lock, objects::now};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, VecDeque},
    fs, io,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::watch;

/// Events kept for each cluster.
const MAX_EVENTS: usize = 500;

/// The state of a cluster; the same words as the API's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum ClusterState {
    Pending,
    Running,
    Restarting,
    Terminating,
    Terminated,
}

/// Why a cluster is terminated.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Termination {
    pub(crate) code: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) parameters: BTreeMap<String, String>,
}

impl Termination {
    /// Someone asked for it.
    pub(crate) fn by_user(name: &str) -> Self {
        let parameters = BTreeMap::from([("username".to_owned(), name.to_owned())]);
        Self { code: "USER_REQUEST".to_owned(), kind: "SUCCESS".to_owned(), parameters }
    }

    /// Something broke.
    pub(crate) fn by_fault(code: &str, message: &str) -> Self {
        let parameters = BTreeMap::from([("databricks_error_message".to_owned(), message.to_owned())]);
        Self { code: code.to_owned(), kind: "SERVICE_FAULT".to_owned(), parameters }
    }
}

/// Something that happened to a cluster.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ClusterEvent {
    /// Milliseconds since 1970.
    pub(crate) timestamp: i64,
    #[serde(rename = "type")]
    pub(crate) kind: String,
}

/// What is remembered of a cluster.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ClusterRecord {
    pub(crate) cluster_id: String,
    pub(crate) cluster_name: String,
    pub(crate) spark_version: String,
    /// Made for one run, gone after it.
    #[serde(default)]
    pub(crate) is_job: bool,
    /// Behind serverless compute: nobody sees it.
    #[serde(default)]
    pub(crate) is_serverless: bool,
    pub(crate) state: ClusterState,
    #[serde(default)]
    pub(crate) state_message: String,
    /// 0 until the first start.
    #[serde(default)]
    pub(crate) spark_context_id: i64,
    /// Milliseconds since 1970, each.
    #[serde(default)]
    pub(crate) start_time: i64,
    #[serde(default)]
    pub(crate) last_restarted_time: Option<i64>,
    #[serde(default)]
    pub(crate) terminated_time: Option<i64>,
    #[serde(default)]
    pub(crate) termination: Option<Termination>,
    #[serde(default)]
    pub(crate) libraries: Libraries,
    #[serde(default)]
    pub(crate) events: VecDeque<ClusterEvent>,
    /// Counts the environments built for it.
    #[serde(default)]
    pub(crate) generation: u64,
    /// Counts what was asked of it: work of an older epoch has been overtaken and must not touch the record.
    #[serde(skip)]
    pub(crate) epoch: u64,
}

impl ClusterRecord {
    /// A terminated cluster.
    pub(crate) fn new(id: &str, name: &str, spark_version: &str) -> Self {
        Self {
            cluster_id: id.to_owned(),
            cluster_name: name.to_owned(),
            spark_version: spark_version.to_owned(),
            is_job: false,
            is_serverless: false,
            state: ClusterState::Terminated,
            state_message: String::new(),
            spark_context_id: 0,
            start_time: now(),
            last_restarted_time: None,
            terminated_time: None,
            termination: None,
            libraries: Libraries::default(),
            events: VecDeque::new(),
            generation: 0,
            epoch: 0,
        }
    }

    /// Moves to a state, with the event that tells of it.
    pub(crate) fn enter(&mut self, state: ClusterState, event: &str, message: &str) {
        self.state = state;
        message.clone_into(&mut self.state_message);
        if self.events.len() == MAX_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(ClusterEvent { timestamp: now(), kind: event.to_owned() });
    }

    /// Ends up terminated.
    pub(crate) fn terminate(&mut self, reason: Termination) {
        let message = reason.parameters.get("databricks_error_message").cloned().unwrap_or_default();
        self.enter(ClusterState::Terminated, "TERMINATING", &message);
        self.terminated_time = Some(now());
        self.termination = Some(reason);
    }

    /// Runtimes from 15.1 on install nothing from the root of DBFS.
    pub(crate) fn refuses_dbfs(&self) -> bool {
        let mut numbers = self.spark_version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
        (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (15, 1)
    }
}

/// A cluster: its record, and a bell that rings at each change of it.
pub(crate) struct Cluster {
    record: Mutex<ClusterRecord>,
    bell: watch::Sender<u64>,
    folder: PathBuf,
    /// Deleted for good: whatever still happens to it isn't written down any more.
    is_gone: AtomicBool,
}

impl Cluster {
    /// A cluster whose record and environments live in `folder`.
    pub(crate) fn new(record: ClusterRecord, folder: PathBuf) -> Arc<Self> {
        Arc::new(Self {
            record: Mutex::new(record),
            bell: watch::channel(0).0,
            folder,
            is_gone: AtomicBool::new(false),
        })
    }

    /// The file of its record.
    fn file(&self) -> PathBuf {
        self.folder.join("cluster.json")
    }

    /// The folder that holds its record, environments and log.
    pub(crate) fn folder(&self) -> &PathBuf {
        &self.folder
    }

    /// Looks at the record.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&ClusterRecord) -> T) -> T {
        look(&lock(&self.record))
    }

    /// Changes the record, saves it and rings.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut ClusterRecord) -> T) -> T {
        let result = {
            let mut record = lock(&self.record);
            let result = change(&mut record);
            if !self.is_gone.load(Ordering::Relaxed) {
                disk::save(&self.file(), &*record);
            }
            result
        };
        self.bell.send_modify(|count| *count = count.wrapping_add(1));
        result
    }

    /// Removes its folder, for good.
    pub(crate) fn bury(&self) -> io::Result<()> {
        // Nobody is about to write while the record is ours.
        let _record = lock(&self.record);
        self.is_gone.store(true, Ordering::Relaxed);
        fs::remove_dir_all(&self.folder)
    }

    /// A listener for the bell.
    pub(crate) fn listen(&self) -> watch::Receiver<u64> {
        self.bell.subscribe()
    }

    /// Waits until `ready` finds something in the record.
    pub(crate) async fn wait<T>(&self, ready: impl Fn(&ClusterRecord) -> Option<T>) -> T {
        let mut bell = self.listen();
        loop {
            if let Some(found) = self.read(&ready) {
                return found;
            }
            // The sender lives in `self`, so this can't fail.
            let _ = bell.changed().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn what_is_deleted_does_not_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let cluster = Cluster::new(ClusterRecord::new("c", "c", "14.3"), folder.path().join("c"));
        cluster.change(|_| ());
        cluster.bury().unwrap();
        cluster.change(|record| record.terminate(Termination::by_fault("DRIVER_UNREACHABLE", "")));
        assert!(!cluster.folder().exists());
    }

    #[rstest]
    #[case("14.3.x-scala2.12", false)]
    #[case("15.0.x-scala2.12", false)]
    #[case("15.4.x-scala2.12", true)]
    #[case("16.2.x-photon-scala2.12", true)]
    fn new_runtimes_take_nothing_from_dbfs(#[case] version: &str, #[case] want: bool) {
        assert_eq!(ClusterRecord::new("c", "c", version).refuses_dbfs(), want);
    }
}
