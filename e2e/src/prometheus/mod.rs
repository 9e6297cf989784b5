//! Prometheus: Debian's, as a process of this machine, with the very rules that the chart ships.
//!
//! It scrapes the controller, and scenarios ask it whether an alert fires. It ends with its value, and leaves nothing.

mod alert;
mod settings;

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::de::DeserializeOwned;
use tempfile::TempDir;
use thiserror::Error;
use tokio::time::{Instant, sleep};

pub use self::alert::Alert;
use self::alert::{Alerts, Envelope, Targets};
use crate::{
    cache::{Cache, CacheError},
    command::{Command, CommandError, Leashed, tail},
    progress::Progress,
    requirements::{self, Need, RequirementError},
};

/// What this room runs.
pub const REQUIREMENTS: [Need; 1] = [Need { program: "prometheus", package: "prometheus" }];

const START_PATIENCE: Duration = Duration::from_mins(1);
const REQUEST_PATIENCE: Duration = Duration::from_secs(5);
const GLANCE: Duration = Duration::from_millis(200);

/// Why an alert could not be waited for.
#[derive(Debug, Error)]
pub enum PrometheusError {
    /// The program is missing and could not be installed.
    #[error(transparent)]
    Requirement(#[from] RequirementError),
    /// The cache could not be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The program could not be started.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A file could not be written, or no port was free.
    #[error("{path}: {source}")]
    Io {
        /// The file, or the address.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It ended or stayed silent instead of answering.
    #[error("Prometheus did not become ready; its log ends:\n{tail}")]
    NotReady {
        /// The log's last lines.
        tail: String,
    },
    /// It could not be asked.
    #[error("Prometheus did not answer: {0}")]
    Connection(#[from] reqwest::Error),
    /// The alert did not come, or did not go, in time.
    #[error("{alert} {what} after {} s; {seen}", .patience.as_secs())]
    Late {
        /// The alert's name and labels.
        alert: String,
        /// What did not happen.
        what: &'static str,
        /// How long it was waited for.
        patience: Duration,
        /// The alerts there are, and how scraping goes.
        seen: String,
    },
}

impl PrometheusError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

/// A running Prometheus: killed when this value is dropped or this process dies, its data removed.
#[derive(Debug)]
pub struct Prometheus {
    // Dropped before the folder is, or it would go on writing there.
    process: Leashed,
    folder: TempDir,
    address: SocketAddr,
    client: reqwest::Client,
}

impl Prometheus {
    /// Starts one that scrapes `target`, such as the address and port of the controller's Service for metrics.
    pub async fn start(cache: &Cache, progress: &Progress, target: SocketAddr) -> Result<Self, PrometheusError> {
        requirements::ensure(cache, progress, &REQUIREMENTS).await?;
        let parent = cache.folder("prometheus")?;
        let folder = tempfile::tempdir_in(&parent).map_err(PrometheusError::io(&parent))?;
        let config = folder.path().join("prometheus.yaml");
        fs::write(&config, settings::render(target, &rules())).map_err(PrometheusError::io(&config))?;
        let address = free_address()?;
        let process = command(folder.path(), &config, address).leashed()?;
        let client = reqwest::Client::builder().timeout(REQUEST_PATIENCE).no_proxy().build()?;
        let mut started = Self { process, folder, address, client };
        started.wait_until_ready().await?;
        Ok(started)
    }

    /// Waits until the alert fires with at least these labels, and returns it.
    pub async fn wait_for_alert(
        &self,
        name: &str,
        labels: &[(&str, &str)],
        patience: Duration,
    ) -> Result<Alert, PrometheusError> {
        let deadline = Instant::now() + patience;
        loop {
            let firing = self.alerts().await?.into_iter().find(|alert| alert.fires(name, labels));
            match firing {
                Some(alert) => return Ok(alert),
                None if Instant::now() < deadline => sleep(GLANCE).await,
                None => return Err(self.late(name, labels, "does not fire", patience).await),
            }
        }
    }

    /// Waits until no alert of this name fires with these labels.
    pub async fn wait_until_resolved(
        &self,
        name: &str,
        labels: &[(&str, &str)],
        patience: Duration,
    ) -> Result<(), PrometheusError> {
        let deadline = Instant::now() + patience;
        while self.alerts().await?.iter().any(|alert| alert.fires(name, labels)) {
            if Instant::now() >= deadline {
                return Err(self.late(name, labels, "still fires", patience).await);
            }
            sleep(GLANCE).await;
        }
        Ok(())
    }

    /// Every alert that is pending or firing.
    pub async fn alerts(&self) -> Result<Vec<Alert>, PrometheusError> {
        Ok(self.ask::<Alerts>("alerts").await?.alerts)
    }

    async fn ask<T: DeserializeOwned>(&self, what: &str) -> Result<T, PrometheusError> {
        let url = format!("http://{}/api/v1/{what}", self.address);
        let answer = self.client.get(url).send().await?.error_for_status()?;
        Ok(answer.json::<Envelope<T>>().await?.data)
    }

    async fn late(
        &self,
        name: &str,
        labels: &[(&str, &str)],
        what: &'static str,
        patience: Duration,
    ) -> PrometheusError {
        let alerts = self.alerts().await.map_or_else(|error| error.to_string(), |alerts| format!("{alerts:?}"));
        let targets = self.ask::<Targets>("targets").await;
        let targets = targets.map_or_else(|error| error.to_string(), |targets| format!("{:?}", targets.active));
        let seen = format!("alerts: {alerts}; targets: {targets}");
        PrometheusError::Late { alert: format!("{name} {labels:?}"), what, patience, seen }
    }

    async fn wait_until_ready(&mut self) -> Result<(), PrometheusError> {
        let deadline = Instant::now() + START_PATIENCE;
        let url = format!("http://{}/-/ready", self.address);
        while Instant::now() < deadline && self.process.alive() {
            if self.client.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            sleep(GLANCE).await;
        }
        Err(PrometheusError::NotReady { tail: tail(&log(self.folder.path()), 25).unwrap_or_default() })
    }
}

fn command(folder: &Path, config: &Path, address: SocketAddr) -> Command {
    Command::new("prometheus")
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
        .arg(format!("--web.listen-address={address}"))
        .arg("--log.level=warn")
        .current_dir(folder)
        .log(log(folder))
}

fn log(folder: &Path) -> PathBuf {
    folder.join("prometheus.log")
}

/// The rules that the chart ships.
fn rules() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts/brickline/files/rules.yaml")
}

/// A free port: the kernel chooses one, and it is given back just before Prometheus takes it.
fn free_address() -> Result<SocketAddr, PrometheusError> {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listener = TcpListener::bind(any).and_then(|listener| listener.local_addr());
    listener.map_err(PrometheusError::io(Path::new("127.0.0.1")))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
        sync::watch,
    };

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);
    const LABELS: [(&str, &str); 2] = [("namespace", "data"), ("pipeline", "dbxdemo")];

    fn metrics(failed: u8) -> String {
        let of = |pipeline: &str, failed: u8| {
            format!("brickline_pipeline_last_release_failed{{namespace=\"data\",pipeline=\"{pipeline}\"}} {failed}\n")
        };
        format!("brickline_leader 1\n{}{}", of("dbxdemo", failed), of("other", 0))
    }

    /// Answers every request with the newest text.
    async fn serve(listener: TcpListener, text: watch::Receiver<String>) {
        while let Ok((mut stream, _)) = listener.accept().await {
            let body = text.borrow().clone();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all((head + &body).as_bytes()).await;
        }
    }

    fn read(path: &str) -> String {
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap()
    }

    /// Every metric that a text names.
    fn named(text: &str) -> BTreeSet<&str> {
        let names = regex::Regex::new("brickline_[a-z_]+").unwrap();
        names.find_iter(text).map(|found| found.as_str()).collect()
    }

    #[test]
    fn rules_and_manual_name_the_metrics_that_there_are() {
        let source = read("controller/src/metrics.rs");
        let there = regex::Regex::new("\"(brickline_[a-z_]+)\"").unwrap();
        let there: BTreeSet<&str> = there.captures_iter(&source).map(|found| found.extract::<1>().1[0]).collect();
        let rules = read("charts/brickline/files/rules.yaml");
        assert!(named(&rules).is_subset(&there), "{:?} are no metrics", named(&rules).difference(&there));
        assert_eq!(named(&read("docs/operations.md")), there);

        let outcome = regex::Regex::new("outcome=\"([a-z_]+)\"").unwrap();
        let answers = read("controller/src/receiver/answer.rs");
        for (_, [word]) in outcome.captures_iter(&rules).map(|found| found.extract()) {
            assert!(answers.contains(&format!("=> \"{word}\"")), "no webhook ends {word}");
        }
    }

    #[test]
    fn every_alert_has_its_place_in_the_manual() {
        let (rules, manual) = (read("charts/brickline/files/rules.yaml"), read("docs/operations.md"));
        let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
        assert!(!alerts.is_empty());
        for alert in alerts {
            let runbook = format!("runbook_url: docs/operations.md#{}", alert.to_lowercase());
            assert!(rules.contains(&runbook), "{alert} has no runbook");
            assert!(manual.contains(&format!("\n### {alert}\n")), "{alert} has no chapter");
        }
    }

    #[tokio::test]
    async fn the_shipped_alert_follows_the_metric() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = listener.local_addr().unwrap();
        let (text, newest) = watch::channel(metrics(1));
        tokio::spawn(serve(listener, newest));
        let prometheus = Prometheus::start(&Cache::open().unwrap(), &Progress::default(), target).await.unwrap();

        let alert = prometheus.wait_for_alert("BricklineReleaseFailed", &LABELS, PATIENCE).await.unwrap();
        assert_eq!(alert.annotations["runbook_url"], "docs/operations.md#bricklinereleasefailed");
        let other = [("pipeline", "other")];
        prometheus.wait_until_resolved("BricklineReleaseFailed", &other, PATIENCE).await.unwrap();
        let quick = Duration::from_millis(1);
        let error = prometheus.wait_for_alert("BricklineReleaseFailed", &other, quick).await.unwrap_err();
        assert!(error.to_string().contains("dbxdemo"), "the error shows what there is: {error}");

        text.send(metrics(0)).unwrap();
        prometheus.wait_until_resolved("BricklineReleaseFailed", &LABELS, PATIENCE).await.unwrap();
    }
}
