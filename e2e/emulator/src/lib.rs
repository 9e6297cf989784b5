//! A Databricks workspace for tests and demonstrations: the REST API that a release needs, with state on the disk,
//! notebooks that truly run on PySpark, and libraries that are truly installed.
//!
//! The words of this crate: the [`workspace`] is everything one emulator is; its `state` is what it remembers; a `spec` is
//! what a client asks for; `work`
//! is what goes on after a request was answered; `driver`s are the processes that do it; the `api` is what clients see;
//! a `fault` is a mishap ordered for a coming request, the `journal` what was asked so far.

pub mod args;

mod api;
mod driver;
mod export;
mod fault;
mod federation;
mod journal;
mod jupyter;
pub mod limits;
mod listen;
mod serve;
mod setup;
pub mod site;
mod spec;
mod stale;
mod state;
mod token;
mod work;
mod workspace;

use std::io::IsTerminal;

use args::{Args, Command, LogFormat, Serve};
pub use serve::Guest;
use tracing_subscriber::EnvFilter;

/// Does what the command line says; returns when that is done.
pub async fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Serve(serve) => {
            start_log(serve.log_format);
            serve::run(*serve).await
        }
        Command::Setup(setup) => setup::run(&setup).await,
    }
}

/// Serves within another program, as one that tests its own client does: it hears no signals and starts no log.
pub async fn start(args: &Serve) -> anyhow::Result<Guest> {
    serve::start(args).await
}

/// Logs go to stderr; `RUST_LOG` chooses what is told.
fn start_log(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let builder = builder.with_ansi(std::io::stderr().is_terminal());
    match format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
}
