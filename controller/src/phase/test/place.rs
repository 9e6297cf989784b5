//! A place among the runs that the workspace's `limits.runs` allows, for all releases together.

use brickline_crds::{DatabricksRelease, DatabricksReleaseStatus, DatabricksWorkspace, Phase};
use jiff::Timestamp;
use kube::runtime::reflector::ObjectRef;
use url::Url;

use super::decide::{told, wants};
use super::{Ebb, Sight, View};
use crate::context::Context;
use crate::phase::{Outcome, Turn};
use crate::queue::{Ask, Wish};

/// What the release has once the last outcome is written, and whether it would begin another run then.
pub(crate) fn wish(turn: &Turn, view: &View) -> Wish {
    let ticket = told(turn, view);
    Wish { keeps: count(ticket.in_flight.len()), wants: wants(turn, view, &ticket) }
}

/// The same while the phase is being stopped: what has not stopped yet, and the teardown.
pub(crate) fn wish_at_ebb(turn: &Turn, ebb: &Ebb) -> Wish {
    let Some(owed) = &ebb.teardown else { return Wish { keeps: count(ebb.alive.len()), wants: false } };
    let is_taken = turn.ticket().in_flight.iter().any(|run| run.index == owed.index);
    let flies = is_taken && !owed.run.as_ref().is_some_and(|(_, sight)| Sight::is_over(sight));
    Wish { keeps: count(ebb.alive.len()) + u32::from(flies), wants: !is_taken }
}

fn count(runs: usize) -> u32 {
    u32::try_from(runs).unwrap_or(u32::MAX)
}

/// Whether the release has a place for one more run, as far as it wants one.
pub(super) fn place(
    release: &DatabricksRelease,
    status: &DatabricksReleaseStatus,
    outcome: Option<&Outcome>,
    (workspace, context): (&DatabricksWorkspace, &Context),
    wish: impl FnOnce(&Turn) -> Wish,
) -> bool {
    let Some(phase) = status.phase(Phase::Test) else { return false };
    let now = Timestamp::now();
    let ask = Ask {
        host: address(workspace),
        limit: workspace.spec.limits.runs,
        wish: wish(&Turn { release, status, phase, outcome, newer: None, now }),
        is_newest: context.versions.is_newest(release),
        now,
    };
    context.queue.place(release, &ask, |other| {
        let name = &other.spec.workspace_ref.as_ref()?.name;
        let namespace = other.metadata.namespace.as_deref()?;
        Some(address(&*context.workspaces.get(&ObjectRef::new(name).within(namespace))?))
    })
}

/// Two objects may write one address differently.
fn address(workspace: &DatabricksWorkspace) -> String {
    let host = &workspace.spec.host;
    Url::parse(host).map_or_else(|_| host.clone(), |url| url.origin().ascii_serialization())
}
