//! Metrics: every name in one place, `brickline_<noun>_<unit>[_total]`, labels only from bounded sets.
//!
//! Labels that name objects (namespace, pipeline) are dropped with the object: see [`Metrics::forget_pipeline`].

use brickline_crds::{Phase, PhaseState, Reason, ReleaseResult};
use prometheus::{
    Encoder, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry, TextEncoder, histogram_opts,
    opts,
};

/// Seconds of a reconcile or a request.
const SHORT: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];
/// Seconds of a phase.
const LONG: [f64; 10] = [1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 900.0, 1800.0, 3600.0];

/// Every metric of the controller.
#[derive(Clone)]
pub(crate) struct Metrics {
    registry: Registry,
    work: Work,
    traffic: Traffic,
    leader: IntGauge,
    store_bytes: IntGauge,
    artifacts_collected: IntCounter,
}

/// What is worked on.
#[derive(Clone)]
struct Work {
    reconciles: IntCounterVec,
    reconcile_seconds: HistogramVec,
    phases: IntCounterVec,
    phase_seconds: HistogramVec,
    releases: IntCounterVec,
    release_failed: IntGaugeVec,
    release_running_since: IntGaugeVec,
}

impl Work {
    fn new(make: &Maker) -> Result<Self, prometheus::Error> {
        Ok(Self {
            reconciles: make.counter(
                "brickline_reconciles_total",
                "Reconciles by kind and outcome.",
                &["kind", "outcome"],
            )?,
            reconcile_seconds: make.histogram(
                "brickline_reconcile_seconds",
                "How long a reconcile took.",
                &["kind"],
                &SHORT,
            )?,
            phases: make.counter(
                "brickline_phases_total",
                "Phases that ended, by state and reason.",
                &["namespace", "phase", "state", "reason"],
            )?,
            phase_seconds: make.histogram(
                "brickline_phase_seconds",
                "How long a phase took, from its start to its end.",
                &["namespace", "phase"],
                &LONG,
            )?,
            releases: make.counter(
                "brickline_releases_total",
                "Releases that ended, by result.",
                &["namespace", "pipeline", "result"],
            )?,
            release_failed: make.gauge(
                "brickline_pipeline_last_release_failed",
                "1 while the last finished release of the pipeline did not succeed.",
                &["namespace", "pipeline"],
            )?,
            release_running_since: make.gauge(
                "brickline_pipeline_oldest_unfinished_release_timestamp_seconds",
                "When the oldest unfinished release of the pipeline was created, in seconds since 1970; absent if none is.",
                &["namespace", "pipeline"],
            )?,
        })
    }
}

/// What comes from outside and goes there.
#[derive(Clone)]
struct Traffic {
    webhooks: IntCounterVec,
    kubernetes: IntCounterVec,
    requests: IntCounterVec,
    request_seconds: HistogramVec,
    uploads: IntCounterVec,
}

impl Traffic {
    fn new(make: &Maker) -> Result<Self, prometheus::Error> {
        Ok(Self {
            webhooks: make.counter(
                "brickline_webhooks_total",
                "Webhook deliveries, by provider and outcome.",
                &["provider", "outcome"],
            )?,
            kubernetes: make.counter(
                "brickline_kubernetes_requests_total",
                "Requests to Kubernetes, by verb and resource.",
                &["verb", "resource"],
            )?,
            requests: make.counter(
                "brickline_databricks_requests_total",
                "Requests to Databricks, each attempt counted.",
                &["operation", "outcome"],
            )?,
            request_seconds: make.histogram(
                "brickline_databricks_request_seconds",
                "How long a request to Databricks took.",
                &["operation"],
                &SHORT,
            )?,
            uploads: make.counter(
                "brickline_artifact_uploads_total",
                "Requests of build pods to the artifact endpoint, by part and status.",
                &["part", "status"],
            )?,
        })
    }
}

/// Makes metrics and registers them.
struct Maker<'a>(&'a Registry);

impl Maker<'_> {
    fn counter(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
        let metric = IntCounterVec::new(opts!(name, help), labels)?;
        self.0.register(Box::new(metric.clone())).map(|()| metric)
    }

    fn gauge(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, prometheus::Error> {
        let metric = IntGaugeVec::new(opts!(name, help), labels)?;
        self.0.register(Box::new(metric.clone())).map(|()| metric)
    }

    fn histogram(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: &[f64],
    ) -> Result<HistogramVec, prometheus::Error> {
        let metric = HistogramVec::new(histogram_opts!(name, help, buckets.to_vec()), labels)?;
        self.0.register(Box::new(metric.clone())).map(|()| metric)
    }
}

impl Metrics {
    /// Registers every metric. Fails only if two share a name.
    pub(crate) fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let make = Maker(&registry);
        let (work, traffic) = (Work::new(&make)?, Traffic::new(&make)?);
        let leader = IntGauge::new("brickline_leader", "1 on the replica that reconciles.")?;
        let store_bytes = IntGauge::new(
            "brickline_artifact_store_bytes",
            "Bytes in the artifact store after the last sweep of the replica that reconciles.",
        )?;
        let artifacts_collected =
            IntCounter::new("brickline_artifacts_collected_total", "Artifacts deleted because no release needs them.")?;
        registry.register(Box::new(leader.clone()))?;
        registry.register(Box::new(store_bytes.clone()))?;
        registry.register(Box::new(artifacts_collected.clone()))?;
        Ok(Self { registry, work, traffic, leader, store_bytes, artifacts_collected })
    }

    /// The text format that Prometheus scrapes.
    pub(crate) fn render(&self) -> Vec<u8> {
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "metrics can't be written");
        }
        text
    }

    /// One reconcile.
    pub(crate) fn reconciled(&self, kind: &str, ok: bool, seconds: f64) {
        self.work.reconciles.with_label_values(&[kind, if ok { "ok" } else { "error" }]).inc();
        self.work.reconcile_seconds.with_label_values(&[kind]).observe(seconds);
    }

    /// One phase ended.
    pub(crate) fn phase_ended(&self, namespace: &str, phase: Phase, state: PhaseState, reason: Reason, seconds: f64) {
        self.work.phases.with_label_values(&[namespace, phase.into(), state.into(), reason.into()]).inc();
        self.work.phase_seconds.with_label_values(&[namespace, phase.into()]).observe(seconds);
    }

    /// One release ended.
    pub(crate) fn release_ended(&self, namespace: &str, pipeline: &str, result: ReleaseResult) {
        self.work.releases.with_label_values(&[namespace, pipeline, result.into()]).inc();
    }

    /// Whether the last finished release of a pipeline failed.
    pub(crate) fn last_release(&self, namespace: &str, pipeline: &str, failed: bool) {
        self.work.release_failed.with_label_values(&[namespace, pipeline]).set(i64::from(failed));
    }

    /// The creation time of the pipeline's oldest unfinished release, or none.
    pub(crate) fn oldest_unfinished(&self, namespace: &str, pipeline: &str, since: Option<i64>) {
        match since {
            Some(since) => self.work.release_running_since.with_label_values(&[namespace, pipeline]).set(since),
            // An error here only means that the series was not there.
            None => drop(self.work.release_running_since.remove_label_values(&[namespace, pipeline])),
        }
    }

    /// Drops the series of a pipeline that is gone.
    pub(crate) fn forget_pipeline(&self, namespace: &str, pipeline: &str) {
        for result in <ReleaseResult as strum::IntoEnumIterator>::iter() {
            drop(self.work.releases.remove_label_values(&[namespace, pipeline, result.into()]));
        }
        drop(self.work.release_failed.remove_label_values(&[namespace, pipeline]));
        drop(self.work.release_running_since.remove_label_values(&[namespace, pipeline]));
    }

    /// One webhook delivery.
    pub(crate) fn webhook(&self, provider: &str, outcome: &str) {
        self.traffic.webhooks.with_label_values(&[provider, outcome]).inc();
    }

    /// One request of a build pod.
    pub(crate) fn upload(&self, part: &str, status: u16) {
        self.traffic.uploads.with_label_values(&[part, &status.to_string()]).inc();
    }

    /// One sweep of the artifact store.
    pub(crate) fn swept(&self, artifacts: u64, kept: u64) {
        self.artifacts_collected.inc_by(artifacts);
        self.store_bytes.set(i64::try_from(kept).unwrap_or(i64::MAX));
    }

    /// One request to Kubernetes.
    pub(crate) fn kubernetes_request(&self, verb: &'static str, resource: &'static str) {
        self.traffic.kubernetes.with_label_values(&[verb, resource]).inc();
    }

    /// Whether this replica reconciles.
    pub(crate) fn leading(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }
}

impl crate::databricks::Observer for Metrics {
    fn request(&self, operation: &'static str, outcome: &'static str, seconds: f64) {
        self.traffic.requests.with_label_values(&[operation, outcome]).inc();
        self.traffic.request_seconds.with_label_values(&[operation]).observe(seconds);
    }
}
