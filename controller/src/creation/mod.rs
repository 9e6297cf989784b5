//! Creation: the one place where something that happened becomes a `DatabricksRelease`. Webhooks, polls, schedules,
//! promotions and rollbacks share it.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `stages.rs` | where releases begin: the stages that depend on no other |
//! | `parameters.rs` | the values a release is given |
//! | `pull_request.rs` | what a release of a pull request does instead |
//! | `release.rs` | pure: from pipeline, stage and occasion to the object |
//! | `name.rs` | its name: the same for the same occasion, however often it is told |
//! | `create.rs` | creates it, once by that name |

mod create;
mod name;
pub(crate) mod parameters;
mod pull_request;
mod release;
pub(crate) mod stages;

pub(crate) use create::{Creation, create};
pub(crate) use release::{Draft, Occasion, Root, canonical, remembered};
