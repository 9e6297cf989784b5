//! Pipelines: the status of the object, the numbers of its runs, when its schedules come, and whether a stage may begin.

#[cfg_attr(not(test), expect(dead_code, reason = "promotion will ask it before a stage begins"))]
mod condition;
mod number;
mod reconcile;
#[cfg_attr(not(test), expect(dead_code, reason = "the reconciler will ask it when a schedule comes"))]
mod schedule;

pub(crate) use number::number;
pub(crate) use reconcile::reconcile;
