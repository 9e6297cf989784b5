//! Serving: the workspaces are opened, clients are answered until the signal to leave, and nothing is left running.

use crate::{
    args::Serve,
    driver::{Program, generation::Settings, program::probe_java},
    site::Site,
};
use anyhow::Context as _;
use std::{collections::BTreeMap, io::Write, sync::Arc};
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinHandle,
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Serves until a signal.
pub(crate) async fn run(args: Serve) -> anyhow::Result<()> {
    let leave = watch_signals()?;
    if !args.no_drivers {
        probe_java().await?;
    }
    let sites = open(&args).await?;
    announce(&sites)?;
    futures::future::try_join_all(sites.into_iter().map(|site| site.serve(leave.clone()))).await?;
    tracing::info!("left");
    Ok(())
}

/// Opens workspaces and serves them within this process. What their Python needs is for the other program to know.
pub(crate) async fn start(args: &Serve) -> anyhow::Result<Guest> {
    let sites = open(args).await?;
    let url = sites.first().map(|site| site.url.clone()).context("there is no workspace")?;
    let leave = CancellationToken::new();
    let serving = sites.into_iter().map(|site| site.serve(leave.clone()));
    let serving = tokio::spawn(futures::future::try_join_all(serving));
    Ok(Guest { url, leave: leave.drop_guard(), serving })
}

/// An emulator within another program; dropping it tells it to leave.
pub struct Guest {
    url: String,
    leave: DropGuard,
    serving: JoinHandle<anyhow::Result<Vec<()>>>,
}

impl Guest {
    /// The address of its first workspace.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Ends it, and waits until nothing of it is left.
    pub async fn leave(self) -> anyhow::Result<()> {
        drop(self.leave);
        self.serving.await?.map(drop)
    }
}

async fn open(args: &Serve) -> anyhow::Result<Vec<Site>> {
    std::fs::create_dir_all(&args.data).with_context(|| format!("{} can't be made", args.data.display()))?;
    let data = args.data.canonicalize()?;
    let program = if args.no_drivers { None } else { Some(Arc::new(Program::prepare(&args.python, &data).await?)) };
    Site::open_all(args, &data, program, &settings(args)?).await
}

fn watch_signals() -> anyhow::Result<CancellationToken> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let leave = CancellationToken::new();
    let told = leave.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("leaving");
        told.cancel();
    });
    Ok(leave)
}

/// Settings of Spark that keep it small, local and quiet; the user's come last.
fn settings(args: &Serve) -> anyhow::Result<Settings> {
    let mut conf: BTreeMap<String, String> = [
        ("spark.master", "local[2]"),
        ("spark.app.name", "brickline-emulator"),
        ("spark.ui.enabled", "false"),
        ("spark.ui.showConsoleProgress", "false"),
        ("spark.driver.bindAddress", "127.0.0.1"),
        ("spark.driver.host", "127.0.0.1"),
        ("spark.sql.shuffle.partitions", "4"),
        ("spark.driver.memory", &args.spark_memory),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .collect();
    for pair in &args.spark_conf {
        let (key, value) = pair.split_once('=').with_context(|| format!("--spark-conf {pair} is no KEY=VALUE"))?;
        conf.insert(key.to_owned(), value.to_owned());
    }
    Ok(Settings { conf, max_runs: args.max_runs.max(1) })
}

/// Tells the addresses to people in the log and to programs on stdout: the first workspace's alone, each further one's
/// behind its name.
fn announce(sites: &[Site]) -> anyhow::Result<()> {
    let mut lines = String::new();
    for Site { name, url, .. } in sites {
        tracing::info!(workspace = name, url, "listening");
        let name = name.as_ref().map(|name| format!("{name} ")).unwrap_or_default();
        lines.extend([&name, url.as_str(), "\n"]);
    }
    // In one piece: a program that only wants the first line may stop reading behind it.
    let mut stdout = std::io::stdout();
    stdout.write_all(lines.as_bytes())?;
    Ok(stdout.flush()?)
}
