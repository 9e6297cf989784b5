//! The phases of a release: one room each, all of one shape.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `mod.rs` | what a look shows (`View`) and what can be done (`Effect`) |
//! | `decide.rs` | pure: release, view and time to exactly one [`Step`] |
//! | `observe.rs` | looks at the outside and makes the `View`; Begin and Finish have nothing that goes on by itself |
//! | `act.rs` | carries one `Effect` out |
//!
//! Of Deploy only an asset bundle goes on by itself: `deploy/bundle` has the same shape. `job` is what phases share that
//! work in a pod.
//! `backoff` is the pause before another attempt, `idle` the wait of a phase for what others have.

mod backoff;
pub(crate) mod begin;
pub(crate) mod build;
pub(crate) mod deploy;
pub(crate) mod finish;
pub(crate) mod gate;
pub(crate) mod idle;
pub(crate) mod install;
pub(crate) mod job;
pub(crate) mod operate;
pub(crate) mod test;

use std::time::Duration;

use brickline_crds::labels::FINALIZER;
use brickline_crds::{
    DatabricksRelease, DatabricksReleaseSpec, DatabricksReleaseStatus, Phase, PhaseState, PhaseStatus, Reason, Ticket,
};
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

pub(crate) use backoff::{after, backoff, left};

use crate::artifact::Fetched;
use crate::queue::{Newer, Slots};
pub(crate) use crate::trouble::Trouble;

/// Everything that can be done for a release, one thing at a time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Effect {
    /// Something that is due before the first phase.
    Begin(begin::Effect),
    /// Something that a phase must have before it begins.
    Gate(gate::Effect),
    /// Something of the Build phase.
    Build(build::Effect),
    /// Something of the Deploy phase.
    Deploy(deploy::Effect),
    /// Something of the Install phase.
    Install(install::Effect),
    /// Something of the Test phase.
    Test(test::Effect),
    /// Something of the Operate phase.
    Operate(operate::Effect),
    /// Ask the work of a phase to stop.
    Stop(Phase),
    /// Something that is owed at the begin or the end.
    Finish(finish::Effect),
}

/// What an effect brought back.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// It happened.
    Done,
    /// What the release's spec refers to.
    Resolved(Box<begin::Resolved>),
    /// What became of a gate's effect.
    Gate(gate::Passage),
    /// Which jobs of the build have a slot.
    Slots(Slots),
    /// An artifact that was built elsewhere is in the store.
    Fetched(Box<Fetched>),
    /// What the Deploy phase would write.
    Planned(deploy::Planned),
    /// What the Deploy phase wrote.
    Deployed(deploy::Deployed),
    /// The log of the asset bundle's pod was read, as far as there was one.
    Read,
    /// A notebook's run has an id.
    Submitted { index: u32, run_id: i64 },
    /// A notebook has a verdict.
    Collected { index: u32, collected: Box<test::Collected> },
    /// The test report stands in the artifact store.
    Published { uri: String },
    /// The jobs are as they were asked for; what was done for that.
    Operated { jobs: Vec<operate::Operated>, changes: operate::Changes },
    /// The locks were given back, or kept.
    Unlocked,
    /// The forge was told, or could not be: that holds no release up.
    Told { sent: bool },
    /// It did not happen.
    Trouble(Trouble),
}

/// What a look at the current phase's work shows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum View {
    /// Nothing to look at.
    Nothing,
    /// What decides whether a phase may begin.
    Gate(Box<gate::View>),
    /// What of a phase's work is still alive after it was asked to stop, in words.
    Alive(Vec<String>),
    /// What of the Test phase's work is still alive after it was asked to stop, and the teardown.
    Ebb(test::Ebb),
    /// The build's Jobs, pods and results.
    Build(Box<build::View>),
    /// The Job and the pod of the asset bundle; none before it is its turn.
    Deploy(Option<deploy::bundle::View>),
    /// The clusters and their libraries.
    Install(install::View),
    /// The notebooks and their runs.
    Test(test::View),
    /// The workspace's jobs.
    Operate(operate::View),
    /// Looking failed.
    Trouble(Trouble),
}

/// How a phase ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ending {
    pub(crate) state: PhaseState,
    pub(crate) reason: Reason,
    pub(crate) message: String,
}

impl Ending {
    /// The phase ended well.
    pub(crate) fn succeeded(message: impl Into<String>) -> Self {
        Self { state: PhaseState::Succeeded, reason: Reason::Succeeded, message: message.into() }
    }

    /// The phase ended badly.
    pub(crate) fn failed(reason: Reason, message: impl Into<String>) -> Self {
        Self { state: PhaseState::Failed, reason, message: message.into() }
    }
}

/// The one answer of a phase's `decide`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// Write this status, then come again.
    Record(Box<DatabricksReleaseStatus>),
    /// Do this, then come again with its outcome.
    Act(Effect),
    /// Come again after this time, or when a watched object changes.
    Wait(Option<Duration>),
    /// The phase is over. The status carries what it found out.
    Ended(Box<DatabricksReleaseStatus>, Ending),
}

/// Whether the release has our finalizer: Kubernetes keeps it until what was begun is cleaned up.
pub(crate) fn is_ours(release: &DatabricksRelease) -> bool {
    release.finalizers().iter().any(|finalizer| finalizer == FINALIZER)
}

/// How long the work of a deleted release may hold its namespace up, whatever its own spec says: what has not stopped by
/// then, and locks that could not be given back, are given up.
const LET_GO: SignedDuration = SignedDuration::from_mins(15);

/// Whether what has gone on since then no longer holds a release that was deleted. Both times are this controller's: its
/// clock may be another than the API server's.
pub(crate) fn is_let_go(release: &DatabricksRelease, since: Timestamp, now: Timestamp) -> bool {
    release.metadata.deletion_timestamp.is_some() && now.duration_since(since) > LET_GO
}

/// One turn of a phase: what its `decide` may look at.
#[derive(Clone, Copy)]
pub(crate) struct Turn<'a> {
    pub(crate) release: &'a DatabricksRelease,
    pub(crate) status: &'a DatabricksReleaseStatus,
    pub(crate) phase: &'a PhaseStatus,
    pub(crate) outcome: Option<&'a Outcome>,
    /// The newest release that may take this one's place.
    pub(crate) newer: Option<&'a Newer>,
    pub(crate) now: Timestamp,
}

impl Turn<'_> {
    /// The release's spec.
    pub(crate) fn spec(&self) -> &DatabricksReleaseSpec {
        &self.release.spec
    }

    /// The phase's ticket, empty if it has none yet.
    pub(crate) fn ticket(&self) -> Ticket {
        self.phase.ticket.clone().unwrap_or_default()
    }

    /// A copy of the status in which this phase was changed.
    pub(crate) fn with_phase(&self, change: impl FnOnce(&mut PhaseStatus)) -> Box<DatabricksReleaseStatus> {
        let mut status = self.status.clone();
        if let Some(phase) = status.phase_mut(self.phase.name) {
            change(phase);
        }
        Box::new(status)
    }

    /// A copy of the status with another ticket for this phase.
    pub(crate) fn with_ticket(&self, ticket: Ticket) -> Box<DatabricksReleaseStatus> {
        self.with_phase(|phase| phase.ticket = Some(ticket))
    }

    /// Writes `message` if it is news, else waits.
    pub(crate) fn wait_saying(&self, message: &str, wait: Option<Duration>) -> Step {
        if self.phase.message == message {
            return Step::Wait(wait);
        }
        Step::Record(self.with_phase(|phase| message.clone_into(&mut phase.message)))
    }

    /// How long to wait before the next look at what can't be watched: a twentieth of the time the phase has taken so
    /// far, between half a second and two. Longer pauses would be felt between the phases.
    pub(crate) fn poll(&self) -> Duration {
        let started = self.phase.start_time.as_ref().map_or(self.now, |time| time.0);
        let elapsed = Duration::try_from(self.now.duration_since(started)).unwrap_or_default();
        (elapsed / 20).clamp(Duration::from_millis(500), Duration::from_secs(2))
    }
}
