//! The local cluster, the demo and the tests of the whole road.
//!
//! Reading order: [`args`] says what can be asked for; [`cluster`] is the Kubernetes that everything runs on; [`scenario`]
//! holds the stories that are told against it; the rest are the tools they share.

mod action;
pub mod args;
pub mod cache;
pub mod cluster;
pub mod command;
mod demo;
pub mod forge;
pub mod go;
pub mod images;
pub mod load;
pub mod progress;
pub mod prometheus;
pub mod requirements;
pub mod scenario;
pub mod system;
mod verify;

use std::process::ExitCode;

use args::Args;

/// Does what the command line asks for.
#[must_use]
pub fn run(args: Args) -> ExitCode {
    action::run(args.action)
}
