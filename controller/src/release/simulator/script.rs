//! What the outside and its users do while a release goes on.

use brickline_crds::{DatabricksRelease, DatabricksReleaseStatus, Phase, PhaseState};
use jiff::SignedDuration;

use super::bundles::Bundle;
use super::databricks::Behaviour;
use super::elsewhere::Elsewhere;
use super::jobs::Build;
use super::world::Outside;
use crate::phase::begin::Resolved;
use crate::phase::{Effect, Trouble};

/// The whole behaviour of the outside; by default everything goes well.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    pub(crate) build: Build,
    /// How further jobs of the build end; those that are not here succeed.
    pub(crate) jobs: &'static [(&'static str, Build)],
    pub(crate) bundle: Bundle,
    pub(crate) elsewhere: Elsewhere,
    pub(crate) databricks: Behaviour,
    pub(crate) forge_is_down: bool,
    /// What the spec refers to, if that is not nothing.
    pub(crate) resolved: Option<Resolved>,
    /// Faults still to come.
    pub(crate) faults: Vec<Fault>,
    /// Requests for the release itself that the API server leaves unanswered, from the begin of Deploy.
    pub(crate) unanswered: u32,
    /// Writes that are done although their answer is lost.
    pub(crate) lost_writes: u32,
    /// Writes that are lost on the way, by their place among all writes, from 1.
    pub(crate) lost_on_the_way: Vec<usize>,
    /// Before which call the clock is set, and by how much; back too.
    pub(crate) jumps: Vec<(usize, SignedDuration)>,
    /// How far the controller's clock is from everybody else's.
    pub(crate) skew: SignedDuration,
    /// What every look at a gate meets, one after the other, over and over; nothing if there is none.
    pub(crate) hindrances: Vec<Trouble>,
    /// What users do, in this order, each once.
    pub(crate) users: Vec<User>,
    /// How the outside is set up before the release is seen.
    pub(crate) prepare: Option<fn(&mut Outside)>,
}

/// A fault of the calls it is for.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) of: fn(&Effect) -> bool,
    pub(crate) times: u32,
    pub(crate) trouble: Trouble,
    /// The call is carried out, only its answer is lost.
    pub(crate) is_done: bool,
}

/// Somebody who acts when the stored release looks so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct User {
    pub(crate) when: fn(&DatabricksRelease) -> bool,
    pub(crate) then: fn(&mut Outside),
}

impl Script {
    /// How a job of the build ends.
    pub(super) fn build_of(&self, job: &str) -> Build {
        if job == brickline_crds::Build::ARTIFACT {
            return self.build;
        }
        self.jobs.iter().find(|(name, _)| *name == job).map_or(Build::Succeeds, |(_, build)| *build)
    }

    /// The next fault for this effect, taken off the script.
    pub(super) fn fault(&mut self, effect: &Effect) -> Option<(Trouble, bool)> {
        let fault = self.faults.iter_mut().find(|fault| fault.times > 0 && (fault.of)(effect))?;
        fault.times -= 1;
        Some((fault.trouble.clone(), fault.is_done))
    }
}

/// Whether this phase is under way.
pub(crate) fn runs(release: &DatabricksRelease, phase: Phase) -> bool {
    state(release, phase) == PhaseState::Running
}

/// Where this phase is; pending if the release has none yet.
pub(crate) fn state(release: &DatabricksRelease, phase: Phase) -> PhaseState {
    let status = release.status.as_ref();
    status.and_then(|status| status.phase(phase)).map_or(PhaseState::Pending, |phase| phase.state)
}

/// The ids of the runs in the ticket.
pub(super) fn runs_of(status: &DatabricksReleaseStatus) -> Vec<brickline_crds::RunTicket> {
    status.phase(Phase::Test).and_then(|phase| phase.ticket.clone()).unwrap_or_default().in_flight
}
