//! The endpoint for our pods: `brickline_artifact::upload` as HTTP. Build pods hand in, pods of asset bundles fetch.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use brickline_artifact::plan::Limits;
use brickline_artifact::result::MAX_RESULT_BYTES;
use brickline_artifact::upload::{self, LogState};
use brickline_artifact::{Digest, layout};
use brickline_crds::Phase;
use futures::TryStreamExt;
use serde::Deserialize;

use super::admit::{Claim, Door, Pass, Refusal};
use super::receive::{Attempt, Refused};
use super::{Artifacts, Sent};
use crate::metrics::Metrics;
use crate::phase::job::Jobs;
use crate::trouble::Trouble;

#[derive(Clone)]
struct Endpoint {
    door: Arc<Door>,
    artifacts: Artifacts,
    metrics: Metrics,
}

#[derive(Deserialize)]
struct Address {
    namespace: String,
    name: String,
    job: Option<String>,
    attempt: u32,
    container: Option<String>,
}

#[derive(Deserialize)]
struct Offset {
    offset: u64,
}

/// The endpoint's routes.
pub(crate) fn router(kube: kube::Client, jobs: Jobs, artifacts: Artifacts, metrics: Metrics) -> Router {
    let endpoint = Endpoint { door: Arc::new(Door::new(kube, jobs)), artifacts, metrics };
    Router::new()
        .route(upload::LOG_ROUTE, post(log))
        .route(upload::REPORT_ROUTE, put(report))
        .route(upload::ARTIFACT_ROUTE, put(artifact))
        .route(upload::RESULT_ROUTE, put(result))
        .route(upload::JOB_LOG_ROUTE, post(log))
        .route(upload::JOB_REPORT_ROUTE, put(report))
        .route(upload::JOB_RESULT_ROUTE, put(result))
        .route(upload::FETCH_ROUTE, get(fetch))
        .with_state(endpoint)
}

async fn log(
    State(endpoint): State<Endpoint>,
    Path(address): Path<Address>,
    Query(offset): Query<Offset>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let received = async {
        let attempt = endpoint.admit(&headers, &address).await?;
        let container = address.container.as_deref().unwrap_or_default();
        if container != layout::CONTAINER_CHECKOUT && container != layout::CONTAINER_STEPS {
            return Err(Refused::Invalid("no such container".to_owned()).into());
        }
        let part = whole(body, upload::MAX_LOG_PART_BYTES).await?;
        let state = endpoint.artifacts.append_log(&attempt, container, offset.offset, part).await?;
        Ok((StatusCode::OK, Json(state)).into_response())
    };
    endpoint.answer("log", received.await)
}

async fn report(
    State(endpoint): State<Endpoint>,
    Path(address): Path<Address>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let received = async {
        let attempt = endpoint.admit(&headers, &address).await?;
        let limit = usize::try_from(Limits::default().report_bytes).unwrap_or(usize::MAX);
        endpoint.artifacts.receive_report(&attempt, whole(body, limit).await?).await?;
        Ok(StatusCode::CREATED.into_response())
    };
    endpoint.answer("report", received.await)
}

async fn artifact(
    State(endpoint): State<Endpoint>,
    Path(address): Path<Address>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let received = async {
        let attempt = endpoint.admit(&headers, &address).await?;
        let announced = headers.get(upload::SHA256_HEADER).and_then(|value| value.to_str().ok());
        let digest = announced.and_then(|hex| Digest::from_hex(hex).ok());
        let digest = digest.ok_or_else(|| Refused::Invalid(format!("{} is missing", upload::SHA256_HEADER)))?;
        let stream = Box::pin(body.into_data_stream().map_err(|error| error.to_string()));
        endpoint.artifacts.receive_artifact(&attempt, digest, Limits::default().artifact_bytes, stream).await?;
        Ok(StatusCode::CREATED.into_response())
    };
    endpoint.answer("artifact", received.await)
}

async fn result(
    State(endpoint): State<Endpoint>,
    Path(address): Path<Address>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let received = async {
        let attempt = endpoint.admit(&headers, &address).await?;
        endpoint.artifacts.receive_result(&attempt, whole(body, MAX_RESULT_BYTES).await?).await?;
        Ok(StatusCode::CREATED.into_response())
    };
    endpoint.answer("result", received.await)
}

/// The artifact of the release whose bundle the pod deploys, streamed: whoever gets it checks its digest.
async fn fetch(State(endpoint): State<Endpoint>, Path(address): Path<Address>, headers: HeaderMap) -> Response {
    let sent = async {
        let pass = endpoint.enter(&headers, &address, Phase::Deploy).await?;
        Ok(zip(endpoint.artifacts.send(pass.artifact.as_ref()).await?))
    };
    endpoint.answer("fetch", sent.await)
}

/// An artifact as an answer, with its digest in [`upload::SHA256_HEADER`].
pub(super) fn zip(sent: Sent) -> Response {
    let (digest, size, stream) = sent;
    let headers = [
        (header::CONTENT_TYPE.as_str(), "application/zip".to_owned()),
        (header::CONTENT_LENGTH.as_str(), size.to_string()),
        (upload::SHA256_HEADER, digest.hex()),
    ];
    (headers, Body::from_stream(stream)).into_response()
}

/// Reads a body that fits into memory.
async fn whole(body: Body, limit: usize) -> Result<bytes::Bytes, Refused> {
    axum::body::to_bytes(body, limit).await.map_err(|_| Refused::TooLarge(limit as u64))
}

/// Why a request was not carried out.
enum Failure {
    Admission(Refusal),
    Reception(Refused),
    Sending(Trouble),
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        Self::Sending(trouble)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Admission(refusal)
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self::Reception(refused)
    }
}

impl Failure {
    fn status(&self) -> StatusCode {
        match self {
            Self::Admission(Refusal::Unauthenticated) => StatusCode::UNAUTHORIZED,
            Self::Admission(Refusal::Forbidden) => StatusCode::FORBIDDEN,
            // Nothing that is tried again brings back what retention removed.
            Self::Sending(trouble) if !trouble.transient => StatusCode::GONE,
            Self::Sending(_) | Self::Admission(Refusal::Kubernetes(_)) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Reception(refused) => match refused {
                Refused::Sealed | Refused::Offset(_) => StatusCode::CONFLICT,
                Refused::Gone => StatusCode::GONE,
                Refused::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
                Refused::Invalid(_) | Refused::Broken(_) => StatusCode::BAD_REQUEST,
                Refused::Busy | Refused::Store(_) | Refused::Staging(_) => StatusCode::SERVICE_UNAVAILABLE,
            },
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Admission(refusal) => refusal.to_string(),
            Self::Reception(refused) => refused.to_string(),
            Self::Sending(trouble) => trouble.message.clone(),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = self.status();
        if let Self::Reception(Refused::Offset(length)) = self {
            return (status, Json(LogState { length })).into_response();
        }
        (status, Json(upload::Refusal { message: self.message() })).into_response()
    }
}

impl Endpoint {
    /// The attempt that a build pod hands in for.
    async fn admit(&self, headers: &HeaderMap, address: &Address) -> Result<Attempt, Failure> {
        Ok(self.enter(headers, address, Phase::Build).await?.attempt)
    }

    async fn enter(&self, headers: &HeaderMap, address: &Address, phase: Phase) -> Result<Pass, Failure> {
        let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header.and_then(|value| value.strip_prefix("Bearer ")).ok_or(Refusal::Unauthenticated)?;
        let Address { namespace, name: release, attempt, job, .. } = address;
        let claim = Claim { namespace, release, phase, job: job.as_deref(), attempt: *attempt };
        Ok(self.door.admit(token, &claim).await?)
    }

    fn answer(&self, part: &'static str, received: Result<Response, Failure>) -> Response {
        let response = received.unwrap_or_else(|failure| {
            // A log's offset and a second delivery are part of the protocol, not faults.
            if failure.status() != StatusCode::CONFLICT {
                tracing::warn!(part, status = failure.status().as_u16(), error = %failure.message(), "a pod was refused");
            }
            failure.into_response()
        });
        self.metrics.upload(part, response.status().as_u16());
        response
    }
}
