//! What to do next for a cluster's libraries.
//!
//! Per cluster, in this order: get it running; take off what another version of our distributions left; restart once
//! if anything was taken off; put on what is missing; wait until all of it is installed.

use std::time::Duration;

use brickline_artifact::wheel;
use brickline_crds::{PhaseState, Reason, Restart, RestartTicket, Ticket};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::super::{Effect as AnyEffect, Ending, Outcome, Step, Turn};
use super::{Cluster, Desired, Effect, Installed, View};
use crate::databricks::clusters::ClusterState;
use crate::databricks::libraries::{InstallState, Library};

/// After a call that Databricks answers at once but carries out later.
const SETTLE: Duration = Duration::from_millis(500);

/// One step of the Install phase.
pub(crate) fn decide(turn: &Turn, view: &View) -> Step {
    // What was just asked for shows in the cluster's state only a moment later.
    if turn.outcome == Some(&Outcome::Done) {
        return Step::Wait(Some(SETTLE));
    }
    let ticket = turn.ticket();
    for cluster in &view.clusters {
        if let Some(step) = next(turn, &ticket, &view.desired, cluster) {
            return step;
        }
    }
    Step::Ended(Box::new(turn.status.clone()), Ending::succeeded(summary(&ticket, view)))
}

/// The next step for one cluster; none if it is as desired.
fn next(turn: &Turn, ticket: &Ticket, desired: &[Desired], cluster: &Cluster) -> Option<Step> {
    let restart = ticket.restarts.iter().find(|restart| restart.cluster == cluster.id);
    if let Some(step) = late(turn, cluster, restart).or_else(|| get_running(turn, cluster)) {
        return Some(step);
    }
    let restarted = restart.is_some_and(|restart| restart.context_before != cluster.context);
    let stale = stale(desired, cluster, restarted);
    let leaving = cluster.libraries.iter().any(|l| l.state == InstallState::UninstallOnRestart && is_ours(desired, l));
    let restart_asked = turn.spec().install.restart == Restart::Always && restart.is_none();
    match restart {
        None if leaving || restart_asked || !stale.is_empty() => {
            Some(Step::Record(with_restart(turn, ticket, cluster)))
        }
        _ if !stale.is_empty() => Some(act(Effect::Uninstall { cluster: cluster.id.clone(), libraries: stale })),
        Some(restart) if restart.context_before == cluster.context => {
            Some(act(Effect::Restart { cluster: cluster.id.clone() }))
        }
        _ => put_on(turn, desired, cluster),
    }
}

/// A cluster that did not come back from its restart in time.
fn late(turn: &Turn, cluster: &Cluster, restart: Option<&RestartTicket>) -> Option<Step> {
    let restart = restart.filter(|restart| {
        let running = matches!(cluster.state, ClusterState::Running | ClusterState::Resizing);
        !running || restart.context_before == cluster.context
    })?;
    let limit = turn.spec().timeouts.restart;
    let waited = Duration::try_from(turn.now.duration_since(restart.since.as_ref()?.0)).unwrap_or_default();
    (waited > limit.get()).then(|| {
        let message = format!(
            "cluster {} did not come back from its restart within timeouts.restart ({limit}): it is {:?}",
            cluster.id, cluster.state
        );
        let ending = Ending { state: PhaseState::TimedOut, reason: Reason::ClusterNotReady, message };
        Step::Ended(Box::new(turn.status.clone()), ending)
    })
}

fn act(effect: Effect) -> Step {
    Step::Act(AnyEffect::Install(effect))
}

fn get_running(turn: &Turn, cluster: &Cluster) -> Option<Step> {
    let id = &cluster.id;
    match cluster.state {
        ClusterState::Running | ClusterState::Resizing => None,
        ClusterState::Terminated if turn.spec().install.start_if_terminated => {
            Some(act(Effect::Start { cluster: id.clone() }))
        }
        ClusterState::Terminated => Some(failed(
            turn,
            Reason::ClusterNotReady,
            format!("cluster {id} is terminated and install.startIfTerminated is false: start it and release again"),
        )),
        ClusterState::Error => {
            Some(failed(turn, Reason::ClusterNotReady, format!("cluster {id} is in error: {}", cluster.message)))
        }
        state => Some(turn.wait_saying(&format!("cluster {id} is {state:?}"), Some(turn.poll()))),
    }
}

/// Installed wheels of our distributions under another path: another version or another content. One of our own whose
/// installation failed counts too until a restart gave it another try: its place is named by its content, so no later
/// release would get it installed.
fn stale(desired: &[Desired], cluster: &Cluster, restarted: bool) -> Vec<Library> {
    let broken = |installed: &Installed| matches!(installed.state, InstallState::Failed | InstallState::Skipped);
    let is_stale = |installed: &&Installed| {
        installed.state != InstallState::UninstallOnRestart
            && is_ours(desired, installed)
            && (!desired.iter().any(|wanted| is_at(&installed.library, &wanted.path))
                || (broken(installed) && !restarted))
    };
    cluster.libraries.iter().filter(is_stale).map(|installed| installed.library.clone()).collect()
}

fn is_ours(desired: &[Desired], installed: &Installed) -> bool {
    let Library::Whl(path) = &installed.library else { return false };
    let Some(name) = path.rsplit('/').next().and_then(wheel::parse) else { return false };
    desired.iter().any(|wanted| wanted.distribution == name.distribution)
}

fn is_at(library: &Library, path: &str) -> bool {
    matches!(library, Library::Whl(at) if at == path)
}

/// The Spark context before the restart goes into the ticket, so that after a crash we know whether it happened.
fn with_restart(turn: &Turn, ticket: &Ticket, cluster: &Cluster) -> Box<brickline_crds::DatabricksReleaseStatus> {
    let mut ticket = ticket.clone();
    ticket.restarts.push(RestartTicket {
        cluster: cluster.id.clone(),
        context_before: cluster.context.clone(),
        since: Some(Time(turn.now)),
    });
    turn.with_ticket(ticket)
}

fn put_on(turn: &Turn, desired: &[Desired], cluster: &Cluster) -> Option<Step> {
    let installed = |wanted: &Desired| cluster.libraries.iter().find(|l| is_at(&l.library, &wanted.path));
    let missing: Vec<Library> = desired
        .iter()
        .filter(|wanted| installed(wanted).is_none())
        .map(|wanted| Library::Whl(wanted.path.clone()))
        .collect();
    if !missing.is_empty() {
        return Some(act(Effect::Install { cluster: cluster.id.clone(), libraries: missing }));
    }
    desired.iter().filter_map(installed).find_map(|library| not_yet(turn, cluster, library))
}

/// Why a library of ours does not count as installed, as a step.
fn not_yet(turn: &Turn, cluster: &Cluster, installed: &Installed) -> Option<Step> {
    let Library::Whl(path) = &installed.library else { return None };
    match installed.state {
        InstallState::Installed | InstallState::Restored => None,
        InstallState::Failed | InstallState::Skipped => Some(failed(
            turn,
            Reason::InstallFailed,
            format!("{path} on cluster {}: {:?}: {}", cluster.id, installed.state, installed.messages),
        )),
        // The steps of an installation are no news: each would be a write.
        _ => {
            let message = format!("libraries are installed on cluster {}", cluster.id);
            Some(turn.wait_saying(&message, Some(turn.poll())))
        }
    }
}

fn failed(turn: &Turn, reason: Reason, message: String) -> Step {
    Step::Ended(Box::new(turn.status.clone()), Ending::failed(reason, message))
}

fn summary(ticket: &Ticket, view: &View) -> String {
    let (libraries, clusters) = (view.desired.len(), view.clusters.len());
    match ticket.restarts.len() {
        0 => format!("{libraries} libraries on {clusters} clusters, no restart needed"),
        restarts => format!("{libraries} libraries on {clusters} clusters, {restarts} restarted"),
    }
}
