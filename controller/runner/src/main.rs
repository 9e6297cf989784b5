//! The runner is one small static binary in every container of a build pod, and of one that deploys an
//! asset bundle.
//!
//! It reads in the order of a build: [`install`] puts it where the other containers find it, [`checkout`] brings the
//! commit, [`steps`] installs, builds and tests, and [`collect`] hands in what they leave. [`fetch`] brings an artifact to
//! the pod that deploys its asset bundle, where [`bundle`] becomes the Databricks CLI. Beneath them: [`place`] (the pod's
//! folders), [`source`] (what is known of the tree), [`process`] and [`journal`] (children and their output), [`secrets`]
//! (what is told to nobody), [`web`] (requests to the controller), [`git`], [`junit`] and [`beneath`] (reading what nobody
//! trusts).

mod beneath;
mod bundle;
mod checkout;
mod collect;
mod fetch;
mod git;
mod install;
mod journal;
mod junit;
mod last_words;
mod place;
mod process;
mod secrets;
mod source;
mod steps;
mod stop;
mod web;

use std::path::PathBuf;
use std::process::ExitCode;

use brickline_artifact::BuildPlan;
use brickline_artifact::result::Outcome;
use clap::{Parser, Subcommand};

use crate::place::Place;

/// Runs inside Brickline's pods; the controller starts it.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Copies this binary into a folder shared with the pod's other containers
    Install {
        /// The folder
        folder: PathBuf,
    },
    /// Checks the plan's commit out and says what changed
    Checkout,
    /// Installs, builds and tests; the exit code is the verdict
    Steps,
    /// Streams the logs and, once told to stop, hands in report, artifact and result
    Collect,
    /// Brings the artifact whose asset bundle is deployed
    Fetch,
    /// Becomes the Databricks CLI
    Bundle {
        /// What the CLI is told
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

/// What a container runs with.
struct Run {
    plan: BuildPlan,
    place: Place,
}

fn main() -> ExitCode {
    if let Some(answer) = git::askpass::answer() {
        return answer;
    }
    match Args::parse().task {
        Task::Install { folder } => installed(install::install(&folder)),
        Task::Checkout => finish(checkout::checkout),
        Task::Steps => finish(steps::steps),
        Task::Collect => with_run(|run| match collect::collect(&run) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => complain(&error),
        }),
        Task::Fetch => fetch::fetch(&Place::from_env()).map_or_else(
            |error| {
                complain(&error);
                ExitCode::from(error.exit_code())
            },
            |()| ExitCode::SUCCESS,
        ),
        Task::Bundle { arguments } => complain(&bundle::bundle(&arguments)),
    }
}

fn installed(result: std::io::Result<()>) -> ExitCode {
    result.map_or_else(|error| complain(&error), |()| ExitCode::SUCCESS)
}

/// Runs a task whose outcome is the container's exit code and last words.
fn finish(task: fn(&Run) -> Outcome) -> ExitCode {
    with_run(|run| {
        let outcome = task(&run);
        last_words::leave(&run.place, &outcome);
        ExitCode::from(outcome.exit_code())
    })
}

fn with_run(task: impl FnOnce(Run) -> ExitCode) -> ExitCode {
    let place = Place::from_env();
    match place::plan() {
        Ok(plan) => task(Run { plan, place }),
        Err(error) => complain(&error),
    }
}

fn complain(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("brickline-runner: {error}");
    ExitCode::FAILURE
}
