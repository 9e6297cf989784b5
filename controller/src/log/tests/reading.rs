//! Who may read, and what they get.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::routing::post;
use brickline_artifact::upload;
use http::{Request, StatusCode};
use rstest::rstest;
use tower::ServiceExt;

use super::super::router;
use super::*;
use crate::people::samples::kubernetes;

async fn get(router: Router, path: &str, token: Option<&str>) -> (StatusCode, Option<String>, String) {
    let mut request = Request::get(path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let length = response.headers().get("brickline-log-length").map(|length| length.to_str().unwrap().to_owned());
    let status = response.status();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, length, String::from_utf8(body.to_vec()).unwrap())
}

async fn shop() -> (tempfile::TempDir, Router) {
    let folder = tempfile::tempdir().unwrap();
    let artifacts = Artifacts::in_folder(folder.path()).unwrap();
    let steps = crate::artifact::place::of_job("data", "uid", "artifact", 1, "log/steps");
    artifacts.add(&super::folder(), 0, "one\n".into()).await.unwrap();
    artifacts.add(&super::folder(), 4, "two\n".into()).await.unwrap();
    let of_a_job = crate::artifact::place::of_job("data", "uid", "unit.py311", 2, "log/steps");
    artifacts.add(&of_a_job, 0, "ruff\n".into()).await.unwrap();
    artifacts.add(&steps, 0, "collected 1 item\n".into()).await.unwrap();
    // As the real endpoint does: builds write where people read.
    let writers = Router::new().route(upload::LOG_ROUTE, post(async || StatusCode::OK));
    (folder, writers.merge(router(kubernetes("log", json!({})), artifacts)))
}

const RELEASE: &str = "/v1/namespaces/data/releases/dbxdemo";

#[rstest]
#[case::whole("/log/Install", "one\ntwo\n", "8")]
#[case::in_any_case("/log/install?offset=4", "two\n", "8")]
#[case::at_its_end("/log/install?offset=8", "", "8")]
#[case::nothing_yet("/log/test", "", "0")]
#[case::a_builds_container("/attempts/1/log/steps?offset=10", "1 item\n", "17")]
#[case::a_jobs_container("/jobs/unit.py311/attempts/2/log/steps", "ruff\n", "5")]
#[tokio::test]
async fn who_may_read_gets_the_log_from_where_they_are(#[case] path: &str, #[case] text: &str, #[case] length: &str) {
    let (_folder, router) = shop().await;
    let read = get(router, &format!("{RELEASE}{path}"), Some("ana")).await;
    assert_eq!(read, (StatusCode::OK, Some(length.to_owned()), text.to_owned()));
}

#[rstest]
#[case::nobody(None, "/dbxdemo/log/install", StatusCode::UNAUTHORIZED, "no token of this cluster")]
#[case::unknown(Some("eve"), "/dbxdemo/log/install", StatusCode::UNAUTHORIZED, "no token of this cluster")]
#[case::without_the_right(
    Some("bob"),
    "/dbxdemo/log/install",
    StatusCode::FORBIDDEN,
    "bob may not get databricksreleases/log"
)]
#[case::without_the_right_to_know(Some("bob"), "/other/log/install", StatusCode::FORBIDDEN, "bob may not get")]
#[case::no_such_release(Some("ana"), "/other/log/install", StatusCode::NOT_FOUND, "there is no such release")]
#[case::no_such_phase(Some("ana"), "/dbxdemo/log/lunch", StatusCode::NOT_FOUND, "")]
#[case::no_such_container(Some("ana"), "/dbxdemo/attempts/1/log/..%2F..", StatusCode::NOT_FOUND, "")]
#[case::no_such_job(Some("ana"), "/dbxdemo/jobs/..%2F1/attempts/1/log/steps", StatusCode::NOT_FOUND, "")]
#[tokio::test]
async fn others_get_nothing(
    #[case] token: Option<&str>,
    #[case] path: &str,
    #[case] status: StatusCode,
    #[case] said: &str,
) {
    let (_folder, router) = shop().await;
    let (answered, length, text) = get(router, &format!("/v1/namespaces/data/releases{path}"), token).await;
    assert_eq!((answered, length), (status, None));
    assert!(text.starts_with(said), "{text}");
}
