//! Logs and traces: structured lines on standard error, spans to an OpenTelemetry collector if there is one.

use std::time::SystemTime;

use brickline_crds::{DatabricksRelease, PhaseStatus};
use data_encoding::HEXLOWER;
use kube::ResourceExt;
use opentelemetry::trace::{
    Span, SpanContext, SpanId, Status, TraceContextExt, TraceFlags, TraceId, TraceState, Tracer, TracerProvider,
};
use opentelemetry::{Context, KeyValue, global};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use sha2::{Digest, Sha256};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::args::{Args, LogFormat};

/// Sends what is left of the traces when the process ends.
pub(crate) struct Telemetry(Option<SdkTracerProvider>);

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.0.as_ref().map(SdkTracerProvider::shutdown) {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// Starts logging and, if a collector is named, tracing.
pub(crate) fn start(args: &Args) -> anyhow::Result<Telemetry> {
    let filter = EnvFilter::try_new(&args.log)?;
    let lines = match args.log_format {
        LogFormat::Json => {
            tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(std::io::stderr).boxed()
        }
        LogFormat::Text => tracing_subscriber::fmt::layer().with_writer(std::io::stderr).boxed(),
    };
    let provider = args.otlp_endpoint.as_ref().map(|endpoint| provider(endpoint.as_str())).transpose()?;
    let spans = provider.as_ref().map(|provider| {
        // The exporter's own requests must not be traced, or each would cause another.
        let own = EnvFilter::new("info,hyper=off,reqwest=off,h2=off,opentelemetry=off");
        tracing_opentelemetry::layer().with_tracer(provider.tracer("brickline")).with_filter(own)
    });
    tracing_subscriber::registry().with(lines.with_filter(filter)).with(spans).try_init()?;
    Ok(Telemetry(provider))
}

fn provider(endpoint: &str) -> anyhow::Result<SdkTracerProvider> {
    let traces = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
    let exporter = SpanExporter::builder().with_http().with_endpoint(traces).build()?;
    let resource = Resource::builder().with_service_name("brickline").build();
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
    global::set_tracer_provider(provider.clone());
    Ok(provider)
}

/// One span for a phase that ended, with the times of its status: it is right whatever restarted in between.
pub(crate) fn phase_span(release: &DatabricksRelease, phase: &PhaseStatus) {
    let Some((start, end)) = phase.start_time.as_ref().zip(phase.completion_time.as_ref()) else { return };
    let status = release.status.as_ref();
    let Some(parent) = status.and_then(|status| status.trace_id.as_deref()).and_then(|id| parent(id, release)) else {
        return;
    };
    let tracer = global::tracer("brickline");
    let mut span = tracer
        .span_builder(phase.name.to_string())
        .with_start_time(SystemTime::from(start.0))
        .with_attributes([
            KeyValue::new("k8s.namespace.name", release.namespace().unwrap_or_default()),
            KeyValue::new("brickline.release", release.name_any()),
            KeyValue::new("brickline.state", phase.state.to_string()),
            KeyValue::new("brickline.attempts", i64::from(phase.attempts)),
        ])
        .start_with_context(&tracer, &parent);
    if !phase.state.is_good() {
        span.set_status(Status::error(phase.message.clone()));
    }
    span.end_with_timestamp(SystemTime::from(end.0));
}

/// The release itself as the parent: its ids are derived from its uid.
fn parent(trace_id: &str, release: &DatabricksRelease) -> Option<Context> {
    let trace = TraceId::from_hex(trace_id).ok()?;
    let hash = Sha256::digest(format!("{}/release", release.uid().unwrap_or_default()));
    let span = SpanId::from_bytes(hash[..8].try_into().ok()?);
    let remote = SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::default());
    Some(Context::new().with_remote_span_context(remote))
}

/// The trace of a release: derived from its uid, so that every phase lands in the same one whichever process ran it.
pub(crate) fn trace_id(release: &DatabricksRelease) -> String {
    HEXLOWER.encode(&Sha256::digest(release.uid().unwrap_or_default())[..16])
}

#[cfg(test)]
mod tests {
    use super::*;
    use brickline_crds::{DatabricksReleaseSpec, DatabricksReleaseStatus, Phase};
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use opentelemetry_sdk::trace::InMemorySpanExporter;

    #[test]
    fn a_phase_that_ended_is_one_span_of_its_releases_trace() {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
        global::set_tracer_provider(provider);
        let spec: DatabricksReleaseSpec = serde_json::from_value(serde_json::json!({"source": {}})).unwrap();
        let mut release = DatabricksRelease::new("dbxdemo-1", spec);
        let trace_id = "0123456789abcdef0123456789abcdef".to_owned();
        release.status = Some(DatabricksReleaseStatus { trace_id: Some(trace_id.clone()), ..Default::default() });
        let at = |second| Some(Time(jiff::Timestamp::from_second(second).unwrap()));
        let phase = PhaseStatus {
            state: brickline_crds::PhaseState::Failed,
            message: "1 of 2 tests failed".to_owned(),
            start_time: at(100),
            completion_time: at(160),
            ..PhaseStatus::pending(Phase::Build)
        };

        phase_span(&release, &phase);

        let spans = exporter.get_finished_spans().unwrap();
        let span = spans.iter().find(|span| span.name == "Build").unwrap();
        assert_eq!(span.span_context.trace_id().to_string(), trace_id);
        assert_eq!(span.end_time.duration_since(span.start_time).unwrap().as_secs(), 60);
        assert_eq!(span.status, Status::error("1 of 2 tests failed"));
    }
}
