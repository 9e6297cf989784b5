//! A generation is what a cluster is between two starts: one environment, one JVM, and the workers attached to it.

use crate::driver::{
    DriverError, Environment, Group, Program,
    worker::{Event, Gateway, Job, Order, Outcome, Worker},
};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin},
    sync::{Mutex, Semaphore, mpsc},
};
use tokio_util::sync::CancellationToken;

const START_TIMEOUT: Duration = Duration::from_mins(3);
/// How long the JVM may take to leave by itself.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// How much of a failed start's log is shown, bytes.
const MAX_TAIL: usize = 3000;

/// What all clusters' drivers are started with.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Settings of Spark.
    pub(crate) conf: BTreeMap<String, String>,
    /// Notebooks that run on one cluster at the same time.
    pub(crate) max_runs: usize,
}

#[derive(Deserialize)]
struct Ready {
    #[serde(flatten)]
    gateway: Gateway,
    version: String,
}

/// The living part of a running cluster.
pub(crate) struct Generation {
    program: Arc<Program>,
    environment: Arc<Environment>,
    gateway: Gateway,
    log: PathBuf,
    /// Names of Spark job groups to cancel.
    cancels: mpsc::Sender<String>,
    /// Canceled when the driver is to stop, or has stopped by itself.
    gone: CancellationToken,
    /// Canceled when its processes have ended.
    closed: CancellationToken,
    slots: Semaphore,
    /// A worker that has started already.
    spare: Mutex<Option<Worker>>,
}

impl Generation {
    /// Builds an empty environment and starts the JVM.
    pub(crate) async fn start(
        program: &Arc<Program>,
        settings: &Settings,
        folder: &Path,
        number: u64,
        runtime: &str,
    ) -> Result<Arc<Self>, DriverError> {
        let environment = Arc::new(Environment::create(program, folder, number).await?);
        let log = folder.join("driver.log");
        std::fs::write(&log, "")?;
        let variables = [
            ("PYSPARK_PYTHON", environment.python().display().to_string()),
            ("DATABRICKS_RUNTIME_VERSION", runtime.to_owned()),
        ];
        let (mut child, group) = program.start("cluster", program.python(), &log, &variables)?;
        let start = start_spark(&mut child, settings, &environment);
        let started = tokio::time::timeout(START_TIMEOUT, start).await;
        let started = started.unwrap_or(Err(DriverError::Late(START_TIMEOUT)));
        let broken = |source| DriverError::Spark { log: tail(&log), source: Box::new(source) };
        let (stdin, ready) = started.map_err(broken)?;
        tracing::info!(spark = ready.version, port = ready.gateway.port, "Spark is up");
        let gone = CancellationToken::new();
        let (cancels, inbox) = mpsc::channel(64);
        let tending = tend(child, group, stdin, inbox, gone.clone());
        let kept = Arc::clone(&environment);
        let closed = CancellationToken::new();
        let told = closed.clone();
        tokio::spawn(async move {
            tending.await;
            // The JVM writes into the environment's folder until its end.
            drop(kept);
            told.cancel();
        });
        let generation = Self {
            program: Arc::clone(program),
            environment,
            gateway: ready.gateway,
            log,
            cancels,
            gone,
            closed,
            slots: Semaphore::new(settings.max_runs),
            spare: Mutex::new(None),
        };
        generation.prepare_spare().await;
        Ok(Arc::new(generation))
    }

    /// The environment that libraries are installed into.
    pub(crate) fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Notices the end of this generation.
    pub(crate) fn gone(&self) -> &CancellationToken {
        &self.gone
    }

    /// Notices that nothing of it is left.
    pub(crate) fn closed(&self) -> &CancellationToken {
        &self.closed
    }

    /// Ends the generation: its workers' runs end first, for they wait on [`Self::gone`].
    pub(crate) fn stop(&self) {
        self.gone.cancel();
    }

    /// Waits for one of the places for running notebooks.
    pub(crate) async fn slot(&self) -> Result<tokio::sync::SemaphorePermit<'_>, DriverError> {
        Ok(self.slots.acquire().await?)
    }

    async fn prepare_spare(&self) {
        let mut spare = self.spare.lock().await;
        if spare.is_none() {
            *spare = Worker::start(&self.program, &self.environment, &self.log)
                .inspect_err(|error| tracing::warn!(%error, "no worker could be started ahead"))
                .ok();
        }
    }

    /// Runs one notebook to its end. Dropping this kills its process; Spark's jobs then need [`Self::cancel`].
    pub(crate) async fn run(&self, job: &Job, report: impl FnMut(Event)) -> Result<Outcome, DriverError> {
        let spare = self.spare.lock().await.take();
        let worker = match spare {
            Some(worker) => worker,
            None => Worker::start(&self.program, &self.environment, &self.log)?,
        };
        self.prepare_spare().await;
        let scratch = tempfile::tempdir_in(self.environment.folder())?;
        let order = Order {
            job,
            gateway: &self.gateway,
            sites: [self.environment.site()],
            scratch: scratch.path(),
            pip: self.environment.pip().map(|word| word.to_string_lossy().into_owned()).to_vec(),
        };
        worker.work(&order, report).await
    }

    /// Cancels what a killed worker left running in Spark.
    pub(crate) async fn cancel(&self, group: &str) {
        // The driver may be gone already, and its jobs with it.
        let _ = self.cancels.send(group.to_owned()).await;
    }
}

impl Drop for Generation {
    fn drop(&mut self) {
        self.gone.cancel();
    }
}

/// The end of a log.
fn tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    String::from_utf8_lossy(&text[text.len().saturating_sub(MAX_TAIL)..]).trim().to_owned()
}

async fn start_spark(
    child: &mut Child,
    settings: &Settings,
    environment: &Environment,
) -> Result<(ChildStdin, Ready), DriverError> {
    let mut stdin = child.stdin.take().ok_or(DriverError::Mute)?;
    let mut conf = settings.conf.clone();
    let local = environment.folder().join("spark").display().to_string();
    conf.insert("spark.local.dir".to_owned(), local.clone());
    conf.insert("spark.sql.warehouse.dir".to_owned(), format!("{local}/warehouse"));
    stdin.write_all(format!("{}\n", serde_json::json!({ "conf": conf })).as_bytes()).await?;
    let mut line = String::new();
    let stdout = child.stdout.take().ok_or(DriverError::Mute)?;
    BufReader::new(stdout).read_line(&mut line).await?;
    if line.is_empty() {
        return Err(DriverError::Ended(child.wait().await?));
    }
    Ok((stdin, serde_json::from_str(&line)?))
}

/// Owns the driver's process: hands on what is to be canceled, and ends it or notices its end.
async fn tend(
    mut child: Child,
    group: Group,
    mut stdin: ChildStdin,
    mut inbox: mpsc::Receiver<String>,
    gone: CancellationToken,
) {
    loop {
        tokio::select! {
            () = gone.cancelled() => break,
            status = child.wait() => {
                tracing::warn!(?status, "a cluster's driver ended by itself");
                gone.cancel();
                return;
            }
            Some(name) = inbox.recv() => {
                let line = format!("{}\n", serde_json::json!({ "cancel": name }));
                if let Err(error) = stdin.write_all(line.as_bytes()).await {
                    tracing::warn!(%error, "a cluster's driver does not listen");
                }
            }
        }
    }
    drop(stdin);
    if tokio::time::timeout(CLOSE_TIMEOUT, child.wait()).await.is_err() {
        tracing::warn!("a cluster's driver is killed: it did not leave in time");
    }
    drop(group);
}
