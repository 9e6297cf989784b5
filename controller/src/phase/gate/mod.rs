//! Gate: what must hold before a phase begins: that it is this release's turn, that it may, that people agreed, that a
//! window is open, and that nobody else works on the same cluster or folder.

mod act;
mod decide;
mod observe;
mod secrets;
mod wait;

use std::collections::BTreeSet;

use brickline_crds::{ApprovalRecord, Reason};
use jiff::Timestamp;

use crate::lock::Lock;

pub(crate) use act::act;
pub(crate) use decide::{begin, decide, kind};
#[cfg(test)]
pub(crate) use observe::COMMENT;
pub(crate) use observe::observe;
pub(crate) use wait::{Wait, hindered, wait};

/// What can be done. A turn is the leader's own account; a lock is once by observation: its Lease holds our uid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Ask for the release's turn, and for a build slot if it is to build.
    Turn { builds: bool },
    /// Give the turn back while people or the clock decide.
    StepAside,
    /// Take the locks that stand in the status.
    Lock,
}

/// Which gate a phase stands behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// Nothing of the release has begun.
    pub(crate) first: bool,
    /// Nothing in the workspace has begun.
    pub(crate) workspace: bool,
}

/// What a look shows. The workspace's part is empty for a release without one.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct View {
    /// Why the release may not go on; none if it may.
    pub(crate) refusal: Option<(Reason, String)>,
    /// What the stage has already, if that is newer than what this release brings.
    pub(crate) newer_deployed: Option<String>,
    /// What people said.
    pub(crate) approvals: Approvals,
    /// When the next window opens; none if one is open.
    pub(crate) closed_until: Option<Timestamp>,
    /// What it must hold to go on.
    pub(crate) locks: BTreeSet<Lock>,
}

/// What people said of a release.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Approvals {
    /// Those that count.
    pub(crate) records: Vec<ApprovalRecord>,
    pub(crate) verdict: Verdict,
}

/// Whether enough people agreed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Verdict {
    /// Nobody needs to, or enough did.
    #[default]
    Approved,
    /// Not yet: what for, and until when.
    Waiting { message: String, until: Timestamp },
    /// Somebody said no.
    Rejected(String),
    /// Nobody said enough in time.
    TimedOut(String),
}

/// What became of an effect.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Passage {
    /// It is this release's turn.
    Turn,
    /// It is not; what for.
    NoTurn(String),
    /// The turn was given back.
    Aside,
    /// Every lock is held.
    Locked,
    /// Another has a lock. `leftover`: its holder has ended, and no watch tells when its work is over.
    Held { message: String, leftover: bool },
}
