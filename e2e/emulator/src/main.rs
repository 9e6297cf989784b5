//! The emulator's program.

use brickline_emulator::{args::Args, run};
use clap::Parser;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    run(Args::parse()).await
}
