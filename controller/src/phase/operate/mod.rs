//! Operate: the jobs that run what was tested. What is missing is created, what is different set right, and what no
//! release asks for any more deleted.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `plan.rs` | pure: the jobs that the spec asks for, as Databricks takes them |
//! | `task.rs` | pure: one task of a job, and what it runs on |
//! | `quartz.rs` | pure: a cron expression in Quartz's words |
//! | `owner.rs` | pure: the tags that a job is found again by |
//! | `change.rs` | pure: from what there is to what is asked for |

mod act;
mod change;
mod decide;
mod observe;
mod owner;
mod plan;
mod quartz;
#[cfg(test)]
pub(crate) mod real;
mod task;
#[cfg(test)]
mod tests;

pub(crate) use act::act;
pub(crate) use change::Changes;
pub(crate) use decide::decide;
pub(crate) use observe::{check, observe};
pub(crate) use owner::Owner;
pub(crate) use plan::{computes, timed};
pub(crate) use quartz::quartz;

/// What can be done.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Effect {
    /// Create, reset and delete jobs. Once by observation: jobs were listed right before, and one that an effect has
    /// created before a crash is found by its tags. To reset or to delete again is harmless.
    Apply(Changes),
}

/// What a look shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct View {
    /// The jobs that are asked for, in the spec's order.
    pub(crate) wanted: Vec<Wanted>,
    /// The jobs that this pipeline and stage have in the workspace.
    pub(crate) found: Vec<Found>,
    /// As whom the controller creates jobs; empty while nobody knows.
    pub(crate) us: String,
}

/// A job that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Its name.
    pub(crate) name: String,
    /// What its tag `brickline-job` says: a hash of its name.
    pub(crate) key: String,
    /// What its tag `brickline-digest` says: a hash of its settings.
    pub(crate) digest: String,
}

/// A job of ours in the workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Databricks' id.
    pub(crate) id: i64,
    /// Its tag `brickline-job`.
    pub(crate) key: String,
    /// Its tag `brickline-digest`.
    pub(crate) digest: String,
    /// Who created it, and when in milliseconds since 1970.
    pub(crate) creator: String,
    pub(crate) created: i64,
}

/// A job that is as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Operated {
    pub(crate) name: String,
    pub(crate) id: i64,
}
