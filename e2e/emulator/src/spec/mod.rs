//! Specs are what clients ask for: tasks, the plan of a run that holds them, and the settings of a saved job. They are
//! checked here, before anything runs, and made into records. Nothing here does any I/O.

pub(crate) mod compute;
pub(crate) mod git;
pub(crate) mod job;
pub(crate) mod plan;
pub(crate) mod quartz;
pub(crate) mod task;
pub(crate) mod workload;

pub(crate) use job::JobSettings;
pub(crate) use plan::Plan;
pub(crate) use quartz::Quartz;
pub(crate) use workload::Workload;

use crate::state::Refusal;

/// `INVALID_PARAMETER_VALUE`.
pub(crate) fn invalid<T>(message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Invalid(message.into()))
}
