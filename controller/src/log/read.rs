//! Reading logs as HTTP, beside the endpoint of build pods. Following one is asking again from where the last answer ended.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /v1/namespaces/NAMESPACE/releases/NAME/log/PHASE?offset=N` | the phase's log from byte N on, up to 1 MiB |
//! | `GET .../releases/NAME/attempts/ATTEMPT/log/CONTAINER?offset=N` | the same of a build's container: `checkout` or `steps` |
//! | `GET .../releases/NAME/jobs/JOB/attempts/ATTEMPT/log/CONTAINER?offset=N` | the same of a further job of the build |
//!
//! The header `brickline-log-length` has the log's whole length so far. 401 without a token of this cluster, 403 without the
//! right to get `databricksreleases/log`, 404 for a release or phase that doesn't exist.

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use brickline_artifact::{layout, upload};
use brickline_crds::Build;
use kube::ResourceExt;
use serde::Deserialize;

use super::keep::phase;
use crate::artifact::{Artifacts, place};
use crate::people::{Door, Refusal, Wish};

/// Where a phase's log is read.
const ROUTE: &str = "/v1/namespaces/{namespace}/releases/{name}/log/{phase}";
/// The most bytes of one answer.
const MOST: usize = 1024 * 1024;
/// The answer's header with the log's whole length.
const LENGTH: &str = "brickline-log-length";

#[derive(Clone)]
struct Endpoint {
    door: Door,
    artifacts: Artifacts,
}

#[derive(Deserialize)]
struct Address {
    namespace: String,
    name: String,
    phase: Option<String>,
    job: Option<String>,
    attempt: Option<u32>,
    container: Option<String>,
}

#[derive(Deserialize)]
struct Offset {
    #[serde(default)]
    offset: u64,
}

/// The routes of readers.
pub(crate) fn router(kube: kube::Client, artifacts: Artifacts) -> Router {
    let endpoint = Endpoint { door: Door::new(kube), artifacts };
    let routes = [ROUTE, upload::LOG_ROUTE, upload::JOB_LOG_ROUTE];
    routes.iter().fold(Router::new(), |router, route| router.route(route, get(read))).with_state(endpoint)
}

async fn read(
    State(endpoint): State<Endpoint>,
    Path(address): Path<Address>,
    Query(Offset { offset }): Query<Offset>,
    headers: HeaderMap,
) -> Response {
    let read = async {
        let wish = Wish { namespace: &address.namespace, name: &address.name, subresource: "log" };
        let uid = endpoint.door.admit(&headers, wish).await?.uid().unwrap_or_default();
        let Some(folder) = folder(&address, &uid) else { return Ok(StatusCode::NOT_FOUND.into_response()) };
        Ok::<_, Refusal>(match endpoint.artifacts.part(&folder, offset, MOST).await {
            Ok((part, length)) => {
                let headers = [
                    (header::CONTENT_TYPE.as_str(), "text/plain; charset=utf-8".to_owned()),
                    (LENGTH, length.to_string()),
                ];
                (headers, part).into_response()
            }
            Err(trouble) => (StatusCode::SERVICE_UNAVAILABLE, trouble.message).into_response(),
        })
    };
    read.await.unwrap_or_else(IntoResponse::into_response)
}

/// Where the log lies; none if there is none of that name.
fn folder(address: &Address, uid: &str) -> Option<object_store::path::Path> {
    let namespace = &address.namespace;
    match (&address.phase, address.attempt, &address.container) {
        (Some(word), ..) => Some(place::of_log(namespace, uid, phase(word)?)),
        (None, Some(attempt), Some(container)) => {
            let known = [layout::CONTAINER_CHECKOUT, layout::CONTAINER_STEPS].contains(&container.as_str());
            let job = address.job.as_deref().unwrap_or(Build::ARTIFACT);
            let is_job = job.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '-' | '.'));
            (known && is_job).then(|| place::of_job(namespace, uid, job, attempt, &format!("log/{container}")))
        }
        _ => None,
    }
}
