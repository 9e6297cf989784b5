//! The command line.

use crate::{limits::RateLimits, site::More};
use clap::{Parser, Subcommand, ValueEnum};
use std::{net::SocketAddr, path::PathBuf};

/// The arguments of the program.
#[derive(Debug, Parser)]
#[command(version, about = "A Databricks workspace emulator: REST API, real notebooks on PySpark, real libraries")]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve workspaces until SIGTERM or Ctrl-C.
    Serve(Box<Serve>),
    /// Make a Python environment that the emulator can use.
    Setup(Setup),
}

/// How logs look.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The arguments of `serve`.
#[derive(clap::Args, Debug)]
pub struct Serve {
    /// One more workspace with state of its own, as NAME=ADDRESS, followed by any of ,token-file=FILE ,cluster=CLUSTER
    /// ,volume=VOLUME ,public-url=URL; may be given several times (in the environment variable, between semicolons).
    #[arg(long = "workspace", env = "BRICKLINE_EMULATOR_WORKSPACES", value_delimiter = ';', value_name = "WORKSPACE")]
    pub workspaces: Vec<More>,

    /// Address to listen on; with port 0 a free one is taken. The first line on stdout tells the URL.
    #[arg(long, env = "BRICKLINE_EMULATOR_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    pub listen: SocketAddr,

    /// Folder for all state; it is created, and found again after a restart.
    #[arg(long, env = "BRICKLINE_EMULATOR_DATA", value_name = "DIR")]
    pub data: PathBuf,

    /// File with the valid tokens, one a line: `TOKEN`, `USER TOKEN`, `oauth CLIENT SECRET` or `azure TENANT CLIENT
    /// SECRET [guest]`. Without it the same lines are read from the environment variable `BRICKLINE_EMULATOR_TOKENS`.
    #[arg(long, env = "BRICKLINE_EMULATOR_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,

    /// File with federation policies, a JSON list: whose JSON web tokens are exchanged for tokens of the workspace.
    #[arg(long, env = "BRICKLINE_EMULATOR_FEDERATION", value_name = "FILE")]
    pub federation: Option<PathBuf>,

    /// Python with PySpark 3.5, venv and pip; `setup` makes one.
    #[arg(long, env = "BRICKLINE_EMULATOR_PYTHON", default_value = "python3", value_name = "PATH")]
    pub python: PathBuf,

    /// A cluster to have, as ID, ID=NAME or ID=NAME=SPARK_VERSION; may be given several times. The version decides
    /// only what a runtime of that version would refuse.
    #[arg(
        long = "cluster",
        env = "BRICKLINE_EMULATOR_CLUSTERS",
        value_delimiter = ',',
        default_value = "0101-000000-emulator",
        value_name = "CLUSTER"
    )]
    pub clusters: Vec<String>,

    /// Serve the API only: files, notebooks and state. Needs neither Python nor Java; no cluster can start.
    #[arg(long, env = "BRICKLINE_EMULATOR_NO_DRIVERS", conflicts_with = "start")]
    pub no_drivers: bool,

    /// PEM file with certificate authorities that git trusts beside those in /etc/ssl/certs.
    #[arg(long, env = "BRICKLINE_EMULATOR_GIT_CA_BUNDLE", value_name = "FILE")]
    pub git_ca_bundle: Option<PathBuf>,

    /// Let runs take their source from repositories over plain HTTP, which the real service refuses.
    #[arg(long, env = "BRICKLINE_EMULATOR_INSECURE_GIT")]
    pub insecure_git: bool,

    /// Start these clusters at once; otherwise they are terminated until someone starts them or runs something.
    #[arg(long, env = "BRICKLINE_EMULATOR_START")]
    pub start: bool,

    /// A Unity Catalog volume to have, as CATALOG.SCHEMA.VOLUME; may be given several times.
    #[arg(long = "volume", env = "BRICKLINE_EMULATOR_VOLUMES", value_delimiter = ',', value_name = "VOLUME")]
    pub volumes: Vec<String>,

    /// Notebooks that run on one cluster at the same time; others wait.
    #[arg(long, env = "BRICKLINE_EMULATOR_MAX_RUNS", default_value_t = 8, value_name = "N")]
    pub max_runs: usize,

    /// Memory of a cluster's Spark, as Spark writes it.
    #[arg(long, env = "BRICKLINE_EMULATOR_SPARK_MEMORY", default_value = "512m", value_name = "SIZE")]
    pub spark_memory: String,

    /// A setting for Spark, as KEY=VALUE; may be given several times.
    #[arg(long = "spark-conf", value_name = "KEY=VALUE")]
    pub spark_conf: Vec<String>,

    /// Milliseconds that a cluster takes longer to start.
    #[arg(long, env = "BRICKLINE_EMULATOR_START_DELAY_MS", default_value_t = 0, value_name = "MS")]
    pub start_delay_ms: u64,

    /// Milliseconds that a cluster takes longer to restart.
    #[arg(long, env = "BRICKLINE_EMULATOR_RESTART_DELAY_MS", default_value_t = 0, value_name = "MS")]
    pub restart_delay_ms: u64,

    /// Whether the limits that Databricks documents hold: beyond them calls are answered with 429.
    #[arg(long, env = "BRICKLINE_EMULATOR_RATE_LIMITS", value_enum, default_value = "off")]
    pub rate_limits: RateLimits,

    /// Milliseconds that every call takes longer.
    #[arg(long, env = "BRICKLINE_EMULATOR_LATENCY_MS", default_value_t = 0, value_name = "MS")]
    pub latency_ms: u64,

    /// File with faults to begin with, a JSON list; see the documentation of `/emulator/faults`.
    #[arg(long, env = "BRICKLINE_EMULATOR_FAULTS", value_name = "FILE")]
    pub faults: Option<PathBuf>,

    /// Seconds for which an OAuth token is valid.
    #[arg(long, env = "BRICKLINE_EMULATOR_OAUTH_SECONDS", default_value_t = 3600, value_name = "SECONDS")]
    pub oauth_seconds: u64,

    /// URL by which clients reach the emulator, for the links it gives; by default that of --listen.
    #[arg(long, env = "BRICKLINE_EMULATOR_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,

    /// How logs look; they go to stderr, and `RUST_LOG` chooses what they tell.
    #[arg(long, env = "BRICKLINE_EMULATOR_LOG_FORMAT", value_enum, default_value = "text")]
    pub log_format: LogFormat,
}

/// The arguments of `setup`.
#[derive(clap::Args, Debug)]
pub struct Setup {
    /// Folder of the environment; one that is complete already is left alone.
    #[arg(long, value_name = "DIR")]
    pub venv: PathBuf,

    /// Python to make it with.
    #[arg(long, default_value = "python3", value_name = "PATH")]
    pub python: PathBuf,

    /// Also install what the emulator's own tests need: Databricks' SDK, setuptools and wheel, and beside it the
    /// legacy command line in `DIR-legacy-cli`.
    #[arg(long)]
    pub tests: bool,
}
