//! What users get of Install: one version of a library on a cluster, as few restarts as can be, and the truth about it.

mod identity;
mod restarts;
mod several;
mod versions;

use std::time::Duration;

use brickline_crds::{
    DatabricksRelease, DatabricksReleaseStatus, Phase, PhaseState, PhaseStatus, Reason, ReleaseState, Ticket,
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::json;

use super::{Call, Cluster, Effect, Installed, View, decide};
use crate::databricks::clusters::ClusterState;
use crate::databricks::libraries::{InstallState, Library};
use crate::phase::{Effect as AnyEffect, Ending, Outcome, Step, Turn};

const NOON: &str = "2026-11-21T12:00:00Z";
const WHEEL: &str = "/Volumes/main/libs/dbxdemo/0123456789ab/dbxdemo-0.2.0-py3-none-any.whl";
const OLD: &str = "/Volumes/main/libs/dbxdemo/ba9876543210/dbxdemo-0.1.0-py3-none-any.whl";
const DOCUMENTS: &str = "dbfs:/libraries/python/libs/dbxdemo-0.1.0-py3-none-any.whl";

/// A release in its Install phase and the clusters it sees.
struct Room {
    release: DatabricksRelease,
    view: View,
    now: Timestamp,
}

impl Room {
    /// `install` as users write it.
    fn new(install: &serde_json::Value, clusters: Vec<Cluster>) -> Self {
        let spec = json!({"source": {}, "install": install, "deploy": {"libraries": {"to": "/Volumes/main/libs"}}});
        let mut release = DatabricksRelease::new("dbxdemo", serde_json::from_value(spec).unwrap());
        let now: Timestamp = NOON.parse().unwrap();
        let install = PhaseStatus {
            state: PhaseState::Running,
            start_time: Some(Time(now)),
            ..PhaseStatus::pending(Phase::Install)
        };
        let status =
            DatabricksReleaseStatus { state: ReleaseState::Running, phases: vec![install], ..Default::default() };
        release.status = Some(status);
        Self { release, view: View { desired: vec![wheel(WHEEL)], clusters, runs: Vec::new() }, now }
    }

    fn decide(&self, outcome: Option<&Outcome>) -> Step {
        let status = self.release.status.as_ref().unwrap();
        let turn =
            Turn { release: &self.release, status, phase: &status.phases[0], outcome, newer: None, now: self.now };
        decide(&turn, &self.view)
    }

    /// What is due next, with everything written down that has to be.
    fn next(&mut self) -> Step {
        for _ in 0..9 {
            match self.decide(None) {
                Step::Record(status) => self.release.status = Some(*status),
                step => return step,
            }
        }
        panic!("it writes and writes");
    }

    fn calls(&mut self) -> Vec<Call> {
        match self.next() {
            Step::Act(AnyEffect::Install(Effect { calls })) => calls,
            step => panic!("not a call: {step:?}"),
        }
    }

    fn ending(&mut self) -> Ending {
        match self.next() {
            Step::Ended(status, ending) => {
                self.release.status = Some(*status);
                ending
            }
            step => panic!("not the end: {step:?}"),
        }
    }

    fn waits(&mut self) -> String {
        match self.next() {
            Step::Wait(Some(pause)) if pause >= Duration::from_millis(500) => self.phase().message.clone(),
            step => panic!("not a wait: {step:?}"),
        }
    }

    fn phase(&self) -> &PhaseStatus {
        &self.release.status.as_ref().unwrap().phases[0]
    }

    fn ticket(&self) -> Ticket {
        self.phase().ticket.clone().unwrap_or_default()
    }

    fn later(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
    }

    /// The first cluster comes back from a restart.
    fn restarted(&mut self) {
        let cluster = &mut self.view.clusters[0];
        cluster.context = "2".to_owned();
        cluster.libraries.retain(|library| library.state != InstallState::UninstallOnRestart);
    }
}

fn wheel(path: &str) -> Library {
    Library::Whl(path.to_owned())
}

fn has(path: &str, state: InstallState) -> Installed {
    Installed { library: wheel(path), state, messages: String::new(), for_all: false }
}

fn running(id: &str, libraries: Vec<Installed>) -> Cluster {
    Cluster {
        id: id.to_owned(),
        state: ClusterState::Running,
        message: String::new(),
        context: "1".to_owned(),
        runtime: "15.4.x-scala2.12".to_owned(),
        libraries,
    }
}

fn down(id: &str) -> Cluster {
    Cluster { state: ClusterState::Terminated, context: String::new(), ..running(id, Vec::new()) }
}

fn install(cluster: &str) -> Call {
    Call::Install { cluster: cluster.to_owned(), libraries: vec![wheel(WHEEL)] }
}

fn uninstall(cluster: &str, path: &str) -> Call {
    Call::Uninstall { cluster: cluster.to_owned(), libraries: vec![wheel(path)] }
}

fn restart(cluster: &str) -> Call {
    Call::Restart { cluster: cluster.to_owned() }
}
