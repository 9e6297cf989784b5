//! The next step for one cluster: get it running; if something has to come off, take it off and restart once; put on what
//! is missing; wait until all of it is installed.

use std::time::Duration;

use brickline_crds::{PhaseState, Reason, Restart, RestartTicket, StartTicket, Ticket};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::super::{Ending, Turn};
use super::compare::{Sight, compare};
use super::hint::hint;
use super::identity::label;
use super::{Call, Cluster, Installed, View};
use crate::databricks::clusters::{ActiveRun, ClusterState};
use crate::databricks::libraries::Library;

/// How many libraries or runs a sentence names.
const NAMED: usize = 5;

/// What one cluster needs next.
#[derive(Debug)]
pub(super) enum Next {
    /// Write down what will be done on it.
    Plan(Plan),
    /// Do this.
    Do(Call),
    /// Others work on it, in words.
    Busy(String),
    /// It is under way, in words.
    Wait(String),
    /// It can't be done.
    Failed(Ending),
    /// It is as desired; what people must know of it.
    Done(Option<String>),
}

/// What will be done on a cluster. It stands in the ticket before anything is done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Plan {
    /// It is down: start it.
    Start,
    /// Something has to come off: restart it once.
    Restart,
    /// Libraries are only added.
    Add,
}

/// Writes a plan into the ticket. The Spark context before a restart tells after a crash whether it happened.
pub(super) fn write_down(ticket: &mut Ticket, plan: Plan, cluster: &Cluster, turn: &Turn) {
    let (id, since) = (cluster.id.clone(), Some(Time(turn.now)));
    match plan {
        Plan::Start => ticket.starts.push(StartTicket { cluster: id, since }),
        Plan::Restart => {
            ticket.restarts.push(RestartTicket { cluster: id, context_before: cluster.context.clone(), since });
        }
        Plan::Add => ticket.additions.push(id),
    }
}

/// Whether the cluster is to be restarted, and that is not decided yet: then it matters who works on it.
pub(super) fn restart_is_due(turn: &Turn, desired: &[Library], cluster: &Cluster) -> bool {
    let ticket = turn.ticket();
    cluster.state.is_ready()
        && restart_of(&ticket, cluster).is_none()
        && !ticket.additions.contains(&cluster.id)
        && wants_restart(turn, &ticket, cluster, &sight(turn, desired, cluster))
}

/// The next step for one cluster.
pub(super) fn next(turn: &Turn, view: &View, cluster: &Cluster) -> Next {
    let ticket = turn.ticket();
    let sight = sight(turn, &view.desired, cluster);
    let restart = restart_of(&ticket, cluster);
    if let Some(ending) = late(turn, &ticket, cluster, &sight) {
        return Next::Failed(ending);
    }
    if !cluster.state.is_ready() {
        return get_running(turn, &ticket, cluster);
    }
    if let Some(ending) = in_the_way(cluster, &sight) {
        return Next::Failed(ending);
    }
    match restart {
        Some(restart) if restart.context_before == cluster.context => take_off(cluster, &sight),
        Some(_) => after_restart(cluster, &sight),
        None if ticket.additions.contains(&cluster.id) => add(turn, cluster, &sight),
        None => plan(turn, view, &ticket, cluster, &sight),
    }
}

fn sight<'a>(turn: &Turn, desired: &[Library], cluster: &'a Cluster) -> Sight<'a> {
    compare(desired, &cluster.libraries, &turn.spec().deploy.libraries.to)
}

fn restart_of<'a>(ticket: &'a Ticket, cluster: &Cluster) -> Option<&'a RestartTicket> {
    ticket.restarts.iter().find(|restart| restart.cluster == cluster.id)
}

fn start_of<'a>(ticket: &'a Ticket, cluster: &Cluster) -> Option<&'a StartTicket> {
    ticket.starts.iter().find(|start| start.cluster == cluster.id)
}

/// A cluster that did not come back in time, or that came back with what was taken off.
fn late(turn: &Turn, ticket: &Ticket, cluster: &Cluster, sight: &Sight) -> Option<Ending> {
    let restart = restart_of(ticket, cluster);
    let since = restart.map_or_else(|| start_of(ticket, cluster)?.since.clone(), |restart| restart.since.clone())?;
    let is_back = cluster.state.is_ready() && restart.is_none_or(|restart| restart.context_before != cluster.context);
    let leftovers: Vec<&Installed> = if is_back && restart.is_some() { left(sight) } else { Vec::new() };
    let limit = turn.spec().timeouts.restart;
    let waited = Duration::try_from(turn.now.duration_since(since.0)).unwrap_or_default();
    if waited <= limit.get() || (is_back && leftovers.is_empty()) {
        return None;
    }
    let (id, word) = (&cluster.id, if restart.is_some() { "restart" } else { "start" });
    Some(if is_back {
        let message =
            format!("cluster {id} still has {} after its restart: it is installed again by others", names(&leftovers));
        Ending::failed(Reason::InstallFailed, message)
    } else {
        let state = described(cluster);
        let message =
            format!("cluster {id} did not come back from its {word} within timeouts.restart ({limit}): it is {state}");
        Ending { state: PhaseState::TimedOut, reason: Reason::ClusterNotReady, message }
    })
}

/// The state with Databricks' own words.
fn described(cluster: &Cluster) -> String {
    if cluster.message.is_empty() {
        format!("{:?}", cluster.state)
    } else {
        format!("{:?}: {}", cluster.state, cluster.message)
    }
}

fn get_running(turn: &Turn, ticket: &Ticket, cluster: &Cluster) -> Next {
    let id = &cluster.id;
    let not_ready = |message: String| Next::Failed(Ending::failed(Reason::ClusterNotReady, message));
    let is_planned = restart_of(ticket, cluster).is_some() || start_of(ticket, cluster).is_some();
    match cluster.state {
        ClusterState::Terminated if !turn.spec().install.start_if_terminated => not_ready(format!(
            "cluster {id} is terminated and install.startIfTerminated is false: start it and release again"
        )),
        ClusterState::Terminated if is_planned => Next::Do(Call::Start { cluster: id.clone() }),
        ClusterState::Terminated => Next::Plan(Plan::Start),
        ClusterState::Error => not_ready(format!("cluster {id} is in error: {}", cluster.message)),
        state => Next::Wait(format!("cluster {id} is {state:?}")),
    }
}

/// Libraries that an administrator installs on all clusters can't be taken off one of them.
fn in_the_way(cluster: &Cluster, sight: &Sight) -> Option<Ending> {
    let first = sight.fixed.first()?;
    let said =
        if first.messages.is_empty() { String::new() } else { format!(" ({:?}: {})", first.state, first.messages) };
    let message = format!(
        "{}{said} is installed on all clusters by an administrator, also on {}: it must be taken off there, or what collides \
         with it out of install.libraries",
        label(&first.library),
        cluster.id
    );
    Some(Ending::failed(Reason::InstallFailed, message))
}

/// Before the restart.
fn take_off(cluster: &Cluster, sight: &Sight) -> Next {
    let (id, libraries) = (cluster.id.clone(), sight.to_take_off());
    Next::Do(if libraries.is_empty() {
        Call::Restart { cluster: id }
    } else {
        Call::Uninstall { cluster: id, libraries }
    })
}

/// After it: what was taken off must be gone. There is no second restart: `late` ends it.
fn after_restart(cluster: &Cluster, sight: &Sight) -> Next {
    let left = left(sight);
    if left.is_empty() {
        return put_on(cluster, sight);
    }
    Next::Wait(format!("cluster {} still has {}", cluster.id, names(&left)))
}

fn left<'a>(sight: &Sight<'a>) -> Vec<&'a Installed> {
    sight.stale.iter().chain(&sight.leaving).chain(&sight.lost).copied().collect()
}

fn wants_restart(turn: &Turn, ticket: &Ticket, cluster: &Cluster, sight: &Sight) -> bool {
    match turn.spec().install.restart {
        Restart::Never => false,
        // A start is as good.
        Restart::Always => sight.needs_restart() || start_of(ticket, cluster).is_none(),
        Restart::IfNeeded => sight.needs_restart(),
    }
}

/// What becomes of a cluster is decided once, before anything on it changes.
fn plan(turn: &Turn, view: &View, ticket: &Ticket, cluster: &Cluster, sight: &Sight) -> Next {
    if wants_restart(turn, ticket, cluster, sight) {
        return match busy(turn, view, cluster) {
            Some(runs) => Next::Busy(runs),
            None => Next::Plan(Plan::Restart),
        };
    }
    if !sight.stale.is_empty() || !sight.missing.is_empty() || !sight.leaving.is_empty() {
        return Next::Plan(Plan::Add);
    }
    put_on(cluster, sight)
}

/// Without a restart. What `Never` leaves running is told.
fn add(turn: &Turn, cluster: &Cluster, sight: &Sight) -> Next {
    let never = turn.spec().install.restart == Restart::Never;
    let id = &cluster.id;
    let stale: Vec<Library> = sight.stale.iter().map(|installed| installed.library.clone()).collect();
    match (never, stale.is_empty()) {
        (true, false) => return Next::Do(Call::Uninstall { cluster: id.clone(), libraries: stale }),
        (false, false) => {
            let message =
                format!("somebody else installed {} on cluster {id} meanwhile: release again", names(&sight.stale));
            return Next::Failed(Ending::failed(Reason::InstallFailed, message));
        }
        _ => {}
    }
    match put_on(cluster, sight) {
        Next::Done(_) if !sight.leaving.is_empty() => Next::Done(Some(format!(
            "a restart of cluster {id} is due: until then it may go on using {}, since install.restart is Never",
            names(&sight.leaving)
        ))),
        next => next,
    }
}

fn put_on(cluster: &Cluster, sight: &Sight) -> Next {
    let id = &cluster.id;
    if let Some(lost) = sight.lost.first() {
        let what = label(&lost.library);
        let message = format!("cluster {id} is going to lose {what} at its next restart: restart it and release again");
        return Next::Failed(Ending::failed(Reason::InstallFailed, message));
    }
    if !sight.missing.is_empty() {
        return Next::Do(Call::Install { cluster: id.clone(), libraries: sight.missing.clone() });
    }
    if let Some(broken) = sight.broken.first() {
        let (what, state, said) = (label(&broken.library), broken.state, &broken.messages);
        let hint = hint(&broken.library, &cluster.runtime);
        let message = format!("{what} on cluster {id}: {state:?}: {said}{hint}");
        return Next::Failed(Ending::failed(Reason::InstallFailed, message));
    }
    // The steps of an installation are no news: each would be a write.
    if sight.pending.is_empty() {
        Next::Done(None)
    } else {
        Next::Wait(format!("libraries are installed on cluster {id}"))
    }
}

/// Other people's runs on the cluster, if the release waits for them.
fn busy(turn: &Turn, view: &View, cluster: &Cluster) -> Option<String> {
    turn.spec().install.when_idle?;
    let on_it = |run: &&ActiveRun| run.clusters.contains(&cluster.id);
    let runs: Vec<String> =
        view.runs.iter().filter(on_it).map(|run| format!("{} ({})", run.run_id, run.name)).collect();
    (!runs.is_empty()).then(|| format!("cluster {} is used by run {}", cluster.id, some(&runs)))
}

fn names(installed: &[&Installed]) -> String {
    some(&installed.iter().map(|one| label(&one.library)).collect::<Vec<_>>())
}

/// The first few, and how many more.
fn some(all: &[String]) -> String {
    let named = all.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = all.len().saturating_sub(NAMED);
    if more == 0 { named } else { format!("{named} and {more} more") }
}
