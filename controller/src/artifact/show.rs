//! Artifacts for people, to take them to another cluster or to look into them.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /v1/namespaces/NAMESPACE/releases/NAME/artifact` | the zip that the release built or deploys; its digest in `x-brickline-sha256` |
//!
//! 401 without a token of this cluster, 403 without the right to get `databricksreleases/artifact`, 404 for a release that
//! doesn't exist or has no artifact, 410 for an artifact that retention has removed.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;

use super::Artifacts;
use super::server::zip;
use crate::people::{Door, Refusal, Wish};

/// Where a release's artifact is fetched.
const ROUTE: &str = "/v1/namespaces/{namespace}/releases/{name}/artifact";

#[derive(Clone)]
struct Endpoint {
    door: Door,
    artifacts: Artifacts,
}

#[derive(Deserialize)]
struct Address {
    namespace: String,
    name: String,
}

/// The route.
pub(crate) fn router(kube: kube::Client, artifacts: Artifacts) -> Router {
    Router::new().route(ROUTE, get(show)).with_state(Endpoint { door: Door::new(kube), artifacts })
}

async fn show(State(endpoint): State<Endpoint>, Path(address): Path<Address>, headers: HeaderMap) -> Response {
    let Address { namespace, name } = &address;
    let shown = async {
        let release = endpoint.door.admit(&headers, Wish { namespace, name, subresource: "artifact" }).await?;
        let Some(artifact) = release.status.and_then(|status| status.artifact) else {
            return Ok((StatusCode::NOT_FOUND, "the release has no artifact\n").into_response());
        };
        Ok::<_, Refusal>(match endpoint.artifacts.send(Some(&artifact)).await {
            Ok(sent) => zip(sent),
            Err(trouble) if trouble.transient => (StatusCode::SERVICE_UNAVAILABLE, trouble.message).into_response(),
            Err(trouble) => (StatusCode::GONE, format!("{}\n", trouble.message)).into_response(),
        })
    };
    shown.await.unwrap_or_else(IntoResponse::into_response)
}

#[cfg(test)]
mod tests;
