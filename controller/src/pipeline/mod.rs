//! Pipelines: the status of the object, and the numbers of its runs.

mod number;
mod reconcile;

pub(crate) use number::number;
pub(crate) use reconcile::reconcile;
