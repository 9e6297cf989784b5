//! Serving: the workspace is opened, clients are answered until the signal to leave, and nothing is left running.

use crate::{
    api::{self, Context},
    args::Serve,
    driver::{Program, generation::Settings, program::TOKENS_VARIABLE},
    fault::Faults,
    journal::Journal,
    limits::Limits,
    listen::{Listener, Plug},
    stale::Past,
    state::{ClusterRecord, SafePath, lock},
    token::Tokens,
    work,
    workspace::{Delays, Workspace},
};
use anyhow::Context as _;
use axum::Router;
use std::{collections::BTreeMap, io::Write, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;

const SPARK_VERSION: &str = "14.3.x-scala2.12";
/// How long clients' last answers and the drivers' ends may take.
const PATIENCE: Duration = Duration::from_secs(8);

/// Serves until a signal.
pub(crate) async fn run(args: Serve) -> anyhow::Result<()> {
    let leave = watch_signals()?;
    let lifetime = Duration::from_secs(args.oauth_seconds);
    let tokens = Tokens::load(args.token_file.as_deref(), TOKENS_VARIABLE, lifetime)?;
    std::fs::create_dir_all(&args.data).with_context(|| format!("{} can't be made", args.data.display()))?;
    let data = args.data.canonicalize()?;
    let program = if args.no_drivers { None } else { Some(Program::prepare(&args.python, &data).await?) };
    let folders = ["/Shared", "/Users", "/Users/admin@example.com", "/Repos"].map(str::to_owned);
    let workspace = Workspace::open(&data, &folders, program, settings(&args)?)?;
    furnish(&workspace, &args)?;
    let faults = Faults::default();
    if let Some(file) = &args.faults {
        let script = std::fs::read(file).with_context(|| format!("{} can't be read", file.display()))?;
        faults.order(api::script(&script)?)?;
    }
    let listener = TcpListener::bind(args.listen).await.with_context(|| format!("can't listen on {}", args.listen))?;
    let url = format!("http://{}", listener.local_addr()?);
    let context = Context {
        workspace: Arc::clone(&workspace),
        tokens: Arc::new(tokens),
        faults: Arc::new(faults),
        journal: Arc::new(Journal::default()),
        limits: Arc::new(Limits::new(args.rate_limits, args.latency_ms)),
        past: Arc::new(Past::default()),
        is_chosen: args.public_url.is_some(),
        public_url: args.public_url.as_deref().unwrap_or(&url).trim_end_matches('/').into(),
    };
    workspace.work.tasks.spawn(work::job::keep_schedules(Arc::clone(&workspace)));
    announce(&url)?;
    answer(listener, api::router(context), leave).await?;
    workspace.close(PATIENCE).await;
    tracing::info!("left");
    Ok(())
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

/// What the command line wants to be there.
fn furnish(workspace: &Arc<Workspace>, args: &Serve) -> anyhow::Result<()> {
    let delays = Delays { start_ms: args.start_delay_ms, restart_ms: args.restart_delay_ms, install_ms: 0 };
    *lock(&workspace.work.delays) = delays;
    for volume in &args.volumes {
        let path = SafePath::volume(&format!("/Volumes/{}", volume.replace('.', "/")));
        let path = path.with_context(|| format!("--volume {volume} is no CATALOG.SCHEMA.VOLUME"))?;
        workspace.volumes.mkdirs(&path)?;
    }
    for text in &args.clusters {
        let mut parts = text.splitn(3, '=');
        let id = parts.next().unwrap_or_default();
        anyhow::ensure!(is_id(id), "--cluster {text}: the id may hold letters, digits, - and _ only");
        let (name, version) = (parts.next().unwrap_or(id), parts.next().unwrap_or(SPARK_VERSION));
        let cluster = workspace.clusters.define(ClusterRecord::new(id, name, version));
        if args.start {
            work::cluster::start(workspace, &cluster)?;
        }
    }
    Ok(())
}

/// The id is a folder's name.
fn is_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= 100 && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

/// Tells the address to people in the log and to programs on stdout.
fn announce(url: &str) -> anyhow::Result<()> {
    tracing::info!(url, "listening");
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{url}")?;
    Ok(stdout.flush()?)
}

async fn answer(listener: TcpListener, router: Router, leave: CancellationToken) -> anyhow::Result<()> {
    let service = router.into_make_service_with_connect_info::<Plug>();
    let told = leave.clone();
    let server = axum::serve(Listener(listener), service).with_graceful_shutdown(async move { told.cancelled().await });
    let impatient = async {
        leave.cancelled().await;
        tokio::time::sleep(PATIENCE).await;
    };
    tokio::select! {
        end = server => Ok(end?),
        // A request that hangs, perhaps by an ordered fault, doesn't keep the emulator.
        () = impatient => Ok(()),
    }
}
