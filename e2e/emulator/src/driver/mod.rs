//! Drivers are the processes that do the work of clusters: a JVM with Spark for each cluster, a Python worker for each
//! run, all in process groups that die with the emulator.

pub(crate) mod environment;
pub(crate) mod error;
pub(crate) mod generation;
pub(crate) mod group;
pub(crate) mod orphans;
pub(crate) mod program;
pub(crate) mod worker;

pub(crate) use environment::Environment;
pub(crate) use error::DriverError;
pub(crate) use generation::Generation;
pub(crate) use group::{Group, Reaper};
pub(crate) use program::Program;
