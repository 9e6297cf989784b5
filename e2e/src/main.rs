//! The command line of the local cluster, the demo and the tests: `cargo demo`, `cargo verify`, `cargo e2e`, `cargo load`.

use std::process::ExitCode;

use brickline_e2e::{args::Args, run};
use clap::Parser as _;

fn main() -> ExitCode {
    run(Args::parse())
}
