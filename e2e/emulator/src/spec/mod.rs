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

use crate::state::{Clusters, Refusal};

/// What a plan is checked against: the workspace's clusters and its rules.
#[derive(Clone, Copy)]
pub(crate) struct Known<'a> {
    pub(crate) clusters: &'a Clusters,
    /// Whether repositories may be read over plain HTTP.
    pub(crate) insecure_git: bool,
}

#[cfg(test)]
impl<'a> Known<'a> {
    /// As strict as the real service.
    pub(crate) fn strict(clusters: &'a Clusters) -> Self {
        Self { clusters, insecure_git: false }
    }
}

/// `INVALID_PARAMETER_VALUE`.
pub(crate) fn invalid<T>(message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Invalid(message.into()))
}
