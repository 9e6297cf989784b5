//! Work is what goes on by itself after a request was answered: clusters start and stop, libraries are installed, runs
//! run.

pub(crate) mod cluster;
pub(crate) mod compute;
pub(crate) mod git;
pub(crate) mod install;
pub(crate) mod job;
pub(crate) mod load;
pub(crate) mod queue;
pub(crate) mod run;
pub(crate) mod task;
