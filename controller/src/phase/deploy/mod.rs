//! Deploy: the artifact into the workspace. Only what differs from what the last release left is written.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `target.rs`, `key.rs`, `check.rs` | where each file goes, the one name of a place, and what can't be written |
//! | `state.rs`, `guard.rs`, `store.rs` | what was left where: the state file, who may write over it, and its way there |
//! | `drift.rs`, `source.rs`, `look.rs` | what somebody else changed |
//! | `plan.rs`, `report.rs`, `words.rs` | what differs, and how people are told |
//! | `work.rs`, `write.rs`, `collect.rs` | all of it in order, the writing itself, and old libraries |
//! | `bundle` | an asset bundle, after all that |

mod act;
pub(crate) mod bundle;
mod check;
mod collect;
mod decide;
mod drift;
mod guard;
mod key;
mod look;
mod plan;
#[cfg(test)]
pub(crate) mod real;
mod report;
#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
pub(crate) mod simulation;
mod source;
mod state;
mod store;
mod target;
mod words;
mod work;
mod write;

use brickline_crds::{Changes, DeployTicket, Issue};

pub(crate) use act::act;
pub(crate) use decide::decide;
pub(crate) use target::{Target, included, targets};
pub(crate) use write::file_location;

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Look and compare. Harmless when repeated.
    Plan,
    /// Write what differs from what was planned on. By observation: the state file says how far it came.
    Write(DeployTicket),
    /// Something of the asset bundle.
    Bundle(bundle::Effect),
}

/// What differs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Planned {
    pub(crate) changes: Changes,
    pub(crate) ticket: DeployTicket,
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Deployed {
    pub(crate) changes: Changes,
    /// What somebody else had changed.
    pub(crate) issues: Vec<Issue>,
}
