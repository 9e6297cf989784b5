//! Pipelines: the status of the object, the numbers of its runs, and when its schedules come.

mod number;
mod reconcile;
#[cfg_attr(not(test), expect(dead_code, reason = "the reconciler will ask it when a schedule comes"))]
mod schedule;

pub(crate) use number::number;
pub(crate) use reconcile::reconcile;
