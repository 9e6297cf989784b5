//! Brickline's controller. It reads in the order of the road from a merge to a tested release:
//!
//! | room | what it is |
//! | --- | --- |
//! | `receiver` | a forge's webhook becomes a `DatabricksRelease` |
//! | `creation` | the one place where something that happened becomes a `DatabricksRelease` |
//! | `order` | which of two releases is newer |
//! | `pipeline` | what follows from releases, the numbers of runs, schedules, conditions of stages |
//! | `release` | the reconciler: observe, decide, record or act |
//! | `phase` | Build, Deploy, Install, Test and Finish, all of one shape |
//! | `lock` | one writer for each cluster and each target folder |
//! | `artifact` | what builds hand in, kept by digest |
//! | `log` | the log of each phase, written and read |
//! | `workspace` | from a reference to a Databricks client |
//! | `databricks` | the REST client |
//! | `verdict` | what a notebook's run says of its tests |
//! | `watches`, `requests` | what is known without asking Kubernetes, and how often it is asked |
//! | `forge` | commit statuses, the newest commits of branches |

mod app;
mod args;
mod artifact;
mod changes;
mod condition;
mod context;
#[cfg(test)]
mod contract;
mod creation;
pub mod databricks;
mod forge;
mod given;
mod graph;
mod health;
mod hosts;
mod installation;
#[cfg(test)]
mod kstatus;
mod leader;
mod lock;
mod log;
mod metrics;
mod order;
mod people;
mod phase;
mod pipeline;
mod pool;
mod queue;
mod receiver;
mod record;
mod release;
mod requests;
mod secret;
mod telemetry;
mod trouble;
pub mod verdict;
mod versions;
mod watches;
mod workspace;

pub use app::run;
pub use args::{Args, LogFormat};
