//! An effect is legal only if its ticket stands in what is stored.

use std::collections::BTreeSet;

use brickline_crds::{Build, DatabricksRelease, DatabricksReleaseStatus, Phase, PhaseState, ReleaseState, Ticket};
use kube::ResourceExt;

use crate::forge::ReportState;
use crate::phase::{Effect, begin, build, deploy, finish, gate, install, test};

/// What `effect` lacks, in words. `seen` is the release it was decided on, `stored` the one that counts.
pub(super) fn missing(seen: &DatabricksRelease, stored: &DatabricksRelease, effect: &Effect) -> Option<String> {
    let status = stored.status.clone().unwrap_or_default();
    let is_stale = seen.status != stored.status;
    // A turn is the leader's own account, and an old version is not adopted.
    let holds = if is_stale {
        let asks = matches!(effect, Effect::Gate(gate::Effect::Turn { .. } | gate::Effect::StepAside));
        asks || *effect == Effect::Begin(begin::Effect::Adopt)
    } else {
        stands(&status, effect)
    };
    let version = stored.resource_version().unwrap_or_default();
    (!holds).then(|| format!("{effect:?} without its ticket in version {version} (stale: {is_stale})"))
}

/// Whoever works in the workspace holds every lock that stands in its status.
pub(super) fn unlocked(stored: &DatabricksRelease, effect: &Effect, held: &BTreeSet<String>) -> Option<String> {
    if !matches!(effect, Effect::Deploy(_) | Effect::Install(_) | Effect::Test(_) | Effect::Operate(_)) {
        return None;
    }
    let mut wanted = stored.status.iter().flat_map(|status| &status.locks).map(|lock| &lock.name);
    let missing = wanted.find(|name| !held.contains(*name))?;
    Some(format!("{effect:?} without the lock {missing}"))
}

fn stands(status: &DatabricksReleaseStatus, effect: &Effect) -> bool {
    let runs = |phase| status.phase(phase).is_some_and(|p| p.state == PhaseState::Running && p.stopping.is_none());
    let ticket = |phase| status.phase(phase).and_then(|phase| phase.ticket.clone()).unwrap_or_default();
    match effect {
        Effect::Begin(_) => status.phases.is_empty() && status.run.is_empty(),
        Effect::Gate(gate::Effect::Lock) => !status.locks.is_empty(),
        // The leader's own account: nothing outside depends on it.
        Effect::Gate(gate::Effect::Turn { .. } | gate::Effect::StepAside) => true,
        Effect::Build(build::Effect::CreateJob { job, name, attempt }) => {
            runs(Phase::Build) && builds(status, job, *attempt, name)
        }
        // As a turn: the leader's own account.
        Effect::Build(build::Effect::Slots { .. }) => runs(Phase::Build),
        // Fetched again, it is the same.
        Effect::Build(build::Effect::Fetch) => runs(Phase::Build) && status.artifact.is_none(),
        Effect::Deploy(effect) => runs(Phase::Deploy) && deploys(&ticket(Phase::Deploy), *effect),
        Effect::Install(effect) => runs(Phase::Install) && installs(&ticket(Phase::Install), effect),
        Effect::Test(effect) => {
            (runs(Phase::Test) || tears_down(status, effect)) && tests(&ticket(Phase::Test), effect)
        }
        // Jobs are found again by their tags.
        Effect::Operate(_) => runs(Phase::Operate),
        Effect::Stop(phase) => status.phase(*phase).is_some_and(|phase| phase.stopping.is_some()),
        Effect::Finish(finish::Effect::Report(report)) => match report.state {
            ReportState::Pending => {
                status.reported.is_none() && matches!(status.state, ReleaseState::Running | ReleaseState::Waiting)
            }
            _ => status.state == ReleaseState::Finishing,
        },
        Effect::Finish(finish::Effect::Unlock { .. }) => {
            status.state == ReleaseState::Finishing && !status.locks.is_empty()
        }
        Effect::Finish(finish::Effect::Settle) => status.state == ReleaseState::Finishing,
    }
}

/// The Job of the artifact stands in the ticket; that of a further job follows from the job's line, which says that it runs.
fn builds(status: &DatabricksReleaseStatus, job: &str, attempt: u32, name: &str) -> bool {
    let Some(phase) = status.phase(Phase::Build) else { return false };
    let line = phase.jobs.iter().find(|line| line.name == job);
    let runs = line.is_some_and(|line| line.state == PhaseState::Running && line.attempts == attempt);
    let of_the_artifact = phase.ticket.as_ref().and_then(|ticket| ticket.job.as_deref()) == Some(name);
    let is_artifact = job == Build::ARTIFACT;
    (runs || (is_artifact && phase.jobs.is_empty())) && is_artifact == of_the_artifact
}

/// The files come before the bundle, and its Job stands in the ticket before it is created.
fn deploys(ticket: &Ticket, effect: deploy::Effect) -> bool {
    use deploy::bundle::Effect::{Create, Read};
    match effect {
        deploy::Effect::Plan => ticket.deploy.is_none() && ticket.bundle.is_none(),
        deploy::Effect::Write(planned) => ticket.deploy == Some(planned) && ticket.bundle.is_none(),
        deploy::Effect::Bundle(Create { attempt } | Read { attempt }) => {
            let of_attempt = format!("-bundle-{attempt}");
            ticket.bundle.as_ref().is_some_and(|bundle| bundle.job.ends_with(&of_attempt))
        }
    }
}

/// What becomes of a cluster stands in the ticket before anything is done on it; before a restart its Spark context.
fn installs(ticket: &Ticket, effect: &install::Effect) -> bool {
    effect.calls.iter().all(|call| {
        let restarts = |id: &String| ticket.restarts.iter().any(|restart| restart.cluster == *id);
        let starts = |id: &String| ticket.starts.iter().any(|start| start.cluster == *id);
        match call {
            install::Call::Restart { cluster } => restarts(cluster),
            install::Call::Start { cluster } => restarts(cluster) || starts(cluster),
            install::Call::Uninstall { cluster, .. } | install::Call::Install { cluster, .. } => {
                restarts(cluster) || ticket.additions.contains(cluster)
            }
        }
    })
}

/// A phase that is being stopped still runs its teardown, after its other runs were asked to stop.
fn tears_down(status: &DatabricksReleaseStatus, effect: &test::Effect) -> bool {
    let Some(phase) = status.phase(Phase::Test) else { return false };
    let last = phase.ticket.as_ref().and_then(|ticket| ticket.notebooks.checked_sub(1));
    let asked = phase.stopping.as_ref().is_some_and(|stopping| stopping.asked && stopping.teardown.is_some());
    match effect {
        test::Effect::Submit { index, .. } | test::Effect::Collect { index, .. } => asked && last == Some(*index),
        test::Effect::Publish { .. } => false,
    }
}

fn tests(ticket: &Ticket, effect: &test::Effect) -> bool {
    let flies = |index: u32, id: Option<i64>| ticket.in_flight.iter().any(|r| r.index == index && r.run_id == id);
    match effect {
        test::Effect::Submit { index, .. } => flies(*index, None),
        test::Effect::Collect { index, run_id } => flies(*index, Some(*run_id)),
        test::Effect::Publish { notebooks } => ticket.done == *notebooks && ticket.in_flight.is_empty(),
    }
}
