//! Pipelines: what follows from their releases, the numbers of their runs, and their status.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `reconcile.rs` | the shell: one round, then the status |
//! | `round.rs` | lists, creates and deletes releases |
//! | `ask.rs` | when the repository is asked where its branches stand |
//! | `follow.rs` | when a pipeline must look at its releases again |
//! | `step.rs` | pure: from the releases to what is to be done |
//! | `stage.rs`, `promotion.rs`, `rollback.rs`, `completion.rs`, `poll.rs`, `timetable.rs`, `retention.rs` | pure: one rule each |
//! | `lineage.rs`, `trust.rs` | pure: which artifact a release has, and whether it counts |
//! | `check.rs`, `schedule` | whether the pipeline can be carried out as written, and when |
//! | `number.rs` | run numbers |

mod ask;
mod check;
mod completion;
mod follow;
mod lineage;
mod number;
mod poll;
mod promotion;
mod reconcile;
mod retention;
mod rollback;
mod round;
pub(crate) mod schedule;
mod stage;
mod step;
#[cfg(test)]
pub(crate) mod tests;
mod timetable;
mod trust;

pub(crate) use follow::{Follow, Followers};
pub(crate) use number::number;
pub(crate) use reconcile::reconcile;
