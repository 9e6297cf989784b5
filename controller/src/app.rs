//! The controller put together: servers on every replica, reconcilers on the one that leads, one shutdown for all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use brickline_crds::{DatabricksRelease, DatabricksWorkspace, FIELD_MANAGER, ReleaseApproval, ReleasePipeline};
use futures::{Stream, StreamExt, stream};
use kube::ResourceExt;
use kube::api::Api;
use kube::runtime::controller::{self, Action, Config, Controller};
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::store::WriterDropped;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;
use secrecy::ExposeSecret;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::args::Args;
use crate::artifact::{self, Artifacts};
use crate::changes::{self, Changed, Changes};
use crate::context::{Context, Settings};
use crate::databricks::{HttpConfig, connect};
use crate::given::Given;
use crate::health::{self, Readiness};
use crate::installation::Installation;
use crate::leader::{self, Leadership};
use crate::lock::{Leftovers, Locks};
use crate::log::{self, Logs};
use crate::metrics::Metrics;
use crate::phase::job::Jobs;
use crate::pipeline::{Follow, Followers};
use crate::queue::{Limits, Queue};
use crate::receiver::{self, Receiver};
use crate::secret::Watches;
use crate::versions::Versions;
use crate::watches::Watching;
use crate::{pipeline, pool, release, requests, telemetry, workspace};

/// How long open requests and reconciles get to end after SIGTERM.
const DRAIN: Duration = Duration::from_secs(20);
/// The first pause after Kubernetes itself failed; kube's own client has already retried.
const RETRY: Duration = Duration::from_secs(5);

/// Releases that something inside the controller wakes.
type WokenReleases = UnboundedReceiver<ObjectRef<DatabricksRelease>>;

/// What something inside the controller wakes.
struct Woken {
    releases: WokenReleases,
    pipelines: Followers,
    /// Wakes the releases that may wait for it.
    news: UnboundedReceiver<Changed>,
}

/// Runs the controller until SIGTERM, SIGINT, or the loss of leadership.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let _telemetry = telemetry::start(&args)?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "starting");
    let shutdown = CancellationToken::new();
    tokio::spawn(on_signal(shutdown.clone()));
    let metrics = Metrics::new()?;
    let kube = requests::client(&metrics).await.context("no way to reach Kubernetes")?;
    let host = args.artifact_url.host_str().context("BRICKLINE_ARTIFACT_URL names no host")?.to_owned();
    let identity = artifact::tls::identity(&kube, &args.namespace, &host).await?;
    let tasks = TaskTracker::new();
    let readiness = Readiness::default();
    let (changes, news) = changes::channel();
    let known = Known::watch(&metrics, changes, Watching { kube: &kube, tasks: &tasks, shutdown: &shutdown });
    let (follow, followers) = Follow::new(known.pipelines.clone());
    let (context, releases) = context(args, kube, metrics, known, follow, identity.ca.clone())?;
    let woken = Woken { releases, pipelines: followers, news };
    serve(&context, identity, &readiness, &tasks, &shutdown).await?;
    tokio::select! {
        filled = filled(&context) => { filled?; readiness.ready() }
        () = shutdown.cancelled() => {}
    }
    let args = &context.settings.args;
    if let Some(leadership) = leader::lead(&context.kube, &args.namespace, &args.identity, &shutdown).await? {
        reconcile(&context, woken, &leadership, &shutdown).await;
        if leadership.lost.is_cancelled() {
            anyhow::bail!("leadership was lost: leaving, so that nothing is done twice");
        }
        leadership.release().await;
    }
    tasks.close();
    if tokio::time::timeout(DRAIN, tasks.wait()).await.is_err() {
        tracing::warn!("some requests were cut off");
    }
    Ok(())
}

async fn on_signal(shutdown: CancellationToken) {
    let mut terminate = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(error) => return tracing::error!(%error, "SIGTERM can't be received"),
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    tracing::info!("shutting down");
    shutdown.cancel();
}

/// Everything that is made once, and the releases to wake.
fn context(
    args: Args,
    kube: kube::Client,
    metrics: Metrics,
    known: Known,
    follow: Follow,
    artifact_ca: String,
) -> anyhow::Result<(Context, WokenReleases)> {
    let pools = pool::read(&args.build_pools).context("BRICKLINE_BUILD_POOLS")?;
    let (queue, woken) = Queue::new(Limits {
        controller: args.build_slots.into(),
        namespace: args.build_slots_per_namespace.into(),
        pools: pools.iter().map(|(name, pool)| (name.clone(), pool.slots)).collect(),
    });
    let bundle = args.ca_bundle.as_ref().map(std::fs::read_to_string).transpose().context("BRICKLINE_CA_BUNDLE")?;
    let http = connect(&HttpConfig {
        extra_ca_bundle: bundle.clone().map(String::into_bytes),
        proxy: args.https_proxy.clone(),
        no_proxy: args.no_proxy.clone(),
        connect_timeout: None,
    })?;
    let reporter = Reporter { controller: FIELD_MANAGER.to_owned(), instance: Some(args.identity.clone()) };
    let context = Context {
        recorder: Recorder::new(kube.clone(), reporter),
        metrics,
        artifacts: Artifacts::in_folder(&args.artifact_dir).context("BRICKLINE_ARTIFACT_DIR")?,
        log: Logs::default(),
        clients: workspace::Clients::default(),
        follow,
        pipelines: known.pipelines,
        workspaces: known.workspaces,
        jobs: known.jobs,
        given: Given::default(),
        leftovers: Leftovers::default(),
        versions: Versions::default(),
        installation: Arc::new(Installation::of(&args, kube.clone())),
        queue,
        secrets: Watches::new(kube.clone()),
        http,
        settings: Arc::new(Settings { args, ca_bundle: bundle, pools, artifact_ca }),
        kube,
    };
    Ok((context, woken))
}

/// What every replica knows: webhooks are matched, and build pods let in, without asking the API server.
struct Known {
    pipelines: Store<ReleasePipeline>,
    workspaces: Store<DatabricksWorkspace>,
    jobs: Jobs,
}

impl Known {
    fn watch(metrics: &Metrics, changes: Changes, watching: Watching) -> Self {
        let (metrics, changes) = (metrics.clone(), Arc::new(changes));
        let of_workspaces = Arc::clone(&changes);
        let told = move |event: &watcher::Event<ReleasePipeline>| {
            changes.note(event);
            if let watcher::Event::Delete(pipeline) = event {
                metrics.forget_pipeline(&pipeline.namespace().unwrap_or_default(), &pipeline.name_any());
            }
        };
        let all = watcher::Config::default;
        Self {
            pipelines: watching.keep(all(), |_| (), told),
            workspaces: watching.keep(all(), |_| (), move |event| of_workspaces.note(event)),
            jobs: Jobs::watch(watching),
        }
    }
}

/// Waits until everything there is has been seen once.
async fn filled(context: &Context) -> Result<(), WriterDropped> {
    context.pipelines.wait_until_ready().await?;
    context.workspaces.wait_until_ready().await?;
    context.jobs.wait_until_ready().await
}

/// Starts the three servers.
async fn serve(
    context: &Context,
    identity: artifact::tls::Identity,
    readiness: &Readiness,
    tasks: &TaskTracker,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    let args = &context.settings.args;
    let (kube, metrics) = (context.kube.clone(), context.metrics.clone());
    let pipelines = context.pipelines.clone();
    let webhooks = receiver::router(Receiver { kube: kube.clone(), metrics: metrics.clone(), pipelines });
    plain(args.webhook_address, webhooks, tasks, shutdown)?;
    plain(args.metrics_address, health::router(readiness.clone(), metrics.clone()), tasks, shutdown)?;
    let readers = log::router(kube.clone(), context.artifacts.clone());
    let uploads = artifact::server::router(kube, context.jobs.clone(), context.artifacts.clone(), metrics);
    let uploads = uploads.merge(readers).merge(artifact::show::router(context.kube.clone(), context.artifacts.clone()));
    let tls =
        RustlsConfig::from_pem(identity.certificate.into_bytes(), identity.key.expose_secret().as_bytes().to_vec())
            .await?;
    let listener = listen(args.artifact_address)?;
    let handle = handle(shutdown);
    tasks.spawn(async move {
        let served = axum_server::from_tcp_rustls(listener, tls).map(|server| server.handle(handle));
        match served {
            Ok(tls_server) => log_end(tls_server.serve(uploads.into_make_service()).await),
            Err(error) => log_end(Err(error)),
        }
    });
    Ok(())
}

fn plain(
    address: std::net::SocketAddr,
    router: Router,
    tasks: &TaskTracker,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    let listener = listen(address)?;
    let handle = handle(shutdown);
    tasks.spawn(async move {
        match axum_server::from_tcp(listener) {
            Ok(server) => log_end(server.handle(handle).serve(router.into_make_service()).await),
            Err(error) => log_end(Err(error)),
        }
    });
    Ok(())
}

fn listen(address: std::net::SocketAddr) -> anyhow::Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind(address).with_context(|| format!("can't listen on {address}"))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn handle(shutdown: &CancellationToken) -> Handle<std::net::SocketAddr> {
    let (handle, stop, stopped) = (Handle::new(), shutdown.clone(), Handle::clone);
    let server = stopped(&handle);
    tokio::spawn(async move {
        stop.cancelled().await;
        server.graceful_shutdown(Some(DRAIN));
    });
    handle
}

fn log_end(ended: std::io::Result<()>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a server ended");
    }
}

/// The time that reconciles get after a shutdown.
async fn drained(shutdown: &CancellationToken) {
    shutdown.cancelled().await;
    tokio::time::sleep(DRAIN).await;
}

/// Runs the reconcilers while this replica leads.
async fn reconcile(context: &Context, woken: Woken, leadership: &Leadership, shutdown: &CancellationToken) {
    context.metrics.leading(true);
    tracing::info!("leading");
    if let Err(error) = release::recall(context).await {
        tracing::warn!(%error, "the results of finished releases are not known: the alert on failed ones waits for the next");
    }
    let stop = CancellationToken::new();
    let (all, lost, stopping) = (stop.clone(), leadership.lost.clone(), shutdown.clone());
    tokio::spawn(async move {
        tokio::select! { () = lost.cancelled() => {}, () = stopping.cancelled() => {} }
        all.cancel();
    });
    let context = Arc::new(context.clone());
    let collecting = tokio::spawn(artifact::collect_garbage(Arc::clone(&context)));
    let logging = tokio::spawn(log::keep(context.log.clone(), context.artifacts.clone()));
    let running = async {
        tokio::join!(
            run_releases(&context, woken.releases, woken.news, &stop),
            run_workspaces(&context, &stop),
            run_pipelines(&context, woken.pipelines, &stop),
        );
    };
    // Lost leadership cuts reconciles off; a shutdown lets them end.
    tokio::select! {
        () = running => {}
        () = leadership.lost.cancelled() => {}
        () = drained(shutdown) => tracing::warn!("some reconciles were cut off; they are found again by their tickets"),
    }
    collecting.abort();
    logging.abort();
    context.log.flush(&context.artifacts).await;
    context.metrics.leading(false);
}

async fn run_releases(
    context: &Arc<Context>,
    woken: WokenReleases,
    news: UnboundedReceiver<Changed>,
    stop: &CancellationToken,
) {
    let releases: Api<DatabricksRelease> = Api::all(context.kube.clone());
    let unfinished = watcher::Config::default().fields("status.result=");
    let concurrency = Config::default().concurrency(context.settings.args.concurrency);
    let controller = Controller::new(releases, unfinished);
    context.queue.watch(controller.store());
    let unfinished = tokio::spawn(release::watch_age(controller.store(), context.metrics.clone()));
    let locks = tokio::spawn(watch_locks(context.clone()));
    let waiting = tokio::spawn(watch_changes(context.clone(), news));
    let approvals: Api<ReleaseApproval> = Api::all(context.kube.clone());
    let given = context.given.clone();
    let release_of = move |approval: ReleaseApproval| {
        given.changed();
        let namespace = approval.namespace().unwrap_or_default();
        Some(ObjectRef::new(&approval.spec.release_ref.name).within(&namespace))
    };
    controller
        .with_config(concurrency)
        .watches(approvals, watcher::Config::default(), release_of)
        .reconcile_on(woken_releases(woken))
        .reconcile_on(context.jobs.woken())
        .graceful_shutdown_on(stop.clone().cancelled_owned())
        .run(
            |release, context| timed("DatabricksRelease", context, |context| release::reconcile(release, context)),
            retry,
            Arc::clone(context),
        )
        .for_each(|_| async {})
        .await;
    unfinished.abort();
    locks.abort();
    waiting.abort();
}

fn woken_releases(woken: WokenReleases) -> impl Stream<Item = ObjectRef<DatabricksRelease>> + Send + 'static {
    stream::unfold(woken, |mut woken| async move { woken.recv().await.map(|release| (release, woken)) })
}

/// Wakes the releases that wait for what was changed.
async fn watch_changes(context: Arc<Context>, mut news: UnboundedReceiver<Changed>) {
    while let Some(changed) = news.recv().await {
        context.queue.wake_waiting(|release| changed.concerns(release));
    }
}

/// Wakes the first release that waits for a lock when that is free.
async fn watch_locks(context: Arc<Context>) {
    let (leases, freed) = Locks::of(&context).watch();
    context.leftovers.watch(leases);
    freed.for_each(|lock| async { context.queue.freed(&{ lock }) }).await;
}

async fn run_workspaces(context: &Arc<Context>, stop: &CancellationToken) {
    let workspaces: Api<DatabricksWorkspace> = Api::all(context.kube.clone());
    Controller::new(workspaces, watcher::Config::default())
        .reconcile_on(context.secrets.woken())
        .graceful_shutdown_on(stop.clone().cancelled_owned())
        .run(
            |object, context| timed("DatabricksWorkspace", context, |context| workspace::reconcile(object, context)),
            retry,
            Arc::clone(context),
        )
        .for_each(|result| async move { forget("DatabricksWorkspace", result.err(), context) })
        .await;
}

async fn run_pipelines(context: &Arc<Context>, followers: Followers, stop: &CancellationToken) {
    let pipelines: Api<ReleasePipeline> = Api::all(context.kube.clone());
    Controller::new(pipelines, watcher::Config::default())
        .reconcile_on(followers)
        .reconcile_on(context.secrets.woken())
        .graceful_shutdown_on(stop.clone().cancelled_owned())
        .run(
            |object, context| timed("ReleasePipeline", context, |context| pipeline::reconcile(object, context)),
            retry,
            Arc::clone(context),
        )
        .for_each(|result| async move { forget("ReleasePipeline", result.err(), context) })
        .await;
}

/// What was kept for an object that is gone: its deletion asks for a reconcile that finds nothing.
fn forget<E>(kind: &str, error: Option<controller::Error<kube::Error, E>>, context: &Context) {
    if let Some(controller::Error::ObjectNotFound(gone)) = error {
        let namespace = gone.namespace.as_deref().unwrap_or_default();
        context.secrets.forget(kind, namespace, &gone.name);
        if kind == "DatabricksWorkspace" {
            context.clients.forget(namespace, &gone.name);
        }
    }
}

/// Measures a reconcile and logs what Kubernetes refused.
async fn timed<F>(
    kind: &'static str,
    context: Arc<Context>,
    reconcile: impl FnOnce(Arc<Context>) -> F,
) -> Result<Action, kube::Error>
where
    F: Future<Output = Result<Action, kube::Error>>,
{
    let begun = Instant::now();
    let result = reconcile(Arc::clone(&context)).await;
    context.metrics.reconciled(kind, result.is_ok(), begun.elapsed().as_secs_f64());
    if let Err(error) = &result {
        tracing::warn!(kind, %error, "reconcile failed");
    }
    result
}

#[allow(clippy::needless_pass_by_value)] // the shape kube asks for
fn retry<K>(_object: Arc<K>, _error: &kube::Error, _context: Arc<Context>) -> Action {
    Action::requeue(RETRY)
}
