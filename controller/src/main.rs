//! The controller's binary.

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        eprintln!("brickline: a second TLS provider was installed");
        return ExitCode::FAILURE;
    }
    match brickline::run(brickline::Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("brickline: {error:#}");
            ExitCode::FAILURE
        }
    }
}
