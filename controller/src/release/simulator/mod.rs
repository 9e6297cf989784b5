//! The simulator: the real reconciler against a world in memory, killed before and after every effect and every write.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `world.rs` | everything outside the reconciler, and the point at which its process dies |
//! | `outside.rs` | what it shows and what it does |
//! | `server.rs` | the API server: versions, conflicts, a history that a cache can be behind in |
//! | `jobs.rs`, `elsewhere.rs`, `bundles.rs`, `databricks.rs`, `tasks.rs`, `clusters.rs`, `saved.rs`, `forge.rs`, `locks.rs` | the other parts of the outside |
//! | `script.rs` | how the outside and its users behave |
//! | `ticket.rs`, `rules.rs` | what every effect and every write must keep |
//! | `run.rs` | one run from a release's creation to its end |
//! | `kill.rs`, `promises.rs` | all points of a scenario, and what must hold after each |
//! | `contract.rs` | the parts of the outside, shown what the real ones are shown |
//! | `properties.rs` | several kills in a row, clocks that jump, and `decide` shown anything at all |
//! | `many` | several releases of one pipeline |
//! | `stories.rs` | what users see of one release, told one by one |
//! | `budget.rs` | how many requests to Kubernetes a release costs |
//! | `scenarios.rs` and below, `report.rs` | the scenarios and the closing table |

mod budget;
pub(super) mod bundles;
pub(super) mod clusters;
mod contract;
pub(super) mod databricks;
mod elsewhere;
mod forge;
pub(super) mod jobs;
mod kill;
mod locks;
mod many;
mod outside;
mod promises;
mod properties;
mod report;
pub(super) mod rules;
pub(super) mod run;
pub(super) mod saved;
pub(super) mod scenarios;
pub(super) mod script;
mod server;
mod stories;
mod tasks;
mod ticket;
pub(super) mod world;
