//! Who gets an artifact, and what they get.

use axum::Router;
use axum::body::{Body, to_bytes};
use brickline_artifact::upload::SHA256_HEADER;
use bytes::Bytes;
use http::{Request, StatusCode};
use rstest::rstest;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::super::place;
use super::super::samples::{Shop, built};
use super::router;
use crate::people::samples::kubernetes;

async fn get(router: Router, release: &str, token: Option<&str>) -> (StatusCode, Option<String>, Bytes) {
    let mut request = Request::get(format!("/v1/namespaces/data/releases/{release}/artifact"));
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let digest = response.headers().get(SHA256_HEADER).map(|digest| digest.to_str().unwrap().to_owned());
    (response.status(), digest, to_bytes(response.into_body(), usize::MAX).await.unwrap())
}

/// A store with the artifact of the release.
async fn shop() -> (Shop, Bytes, Value) {
    let (shop, zip) = (Shop::new(), built("dbxdemo", &[("a.py", "print(1)")], &[]));
    let digest = shop.hand_in("uid", &zip).await;
    let place = place::artifact(&digest).to_string();
    let status = json!({"observedGeneration": 1, "state": "Finished", "phases": [], "conditions": [],
        "artifact": {"digest": digest, "size": zip.len(), "uri": place}});
    (shop, zip, status)
}

#[tokio::test]
async fn who_may_get_it_gets_the_very_zip() {
    let (shop, zip, status) = shop().await;
    let hex = brickline_artifact::Digest::of(&zip).hex();
    let router = router(kubernetes("artifact", status), shop.artifacts.clone());
    assert_eq!(get(router, "dbxdemo", Some("ana")).await, (StatusCode::OK, Some(hex), zip));
}

#[rstest]
#[case::nobody(None, "dbxdemo", StatusCode::UNAUTHORIZED, "no token of this cluster")]
#[case::unknown(Some("eve"), "dbxdemo", StatusCode::UNAUTHORIZED, "no token of this cluster")]
#[case::without_the_right(Some("bob"), "dbxdemo", StatusCode::FORBIDDEN, "bob may not get databricksreleases/artifact")]
#[case::without_the_right_to_know(Some("bob"), "other", StatusCode::FORBIDDEN, "bob may not get")]
#[case::no_such_release(Some("ana"), "other", StatusCode::NOT_FOUND, "there is no such release")]
#[tokio::test]
async fn others_get_nothing(
    #[case] token: Option<&str>,
    #[case] release: &str,
    #[case] status: StatusCode,
    #[case] said: &str,
) {
    let (shop, _, stored) = shop().await;
    let (answered, digest, text) =
        get(router(kubernetes("artifact", stored), shop.artifacts.clone()), release, token).await;
    assert_eq!((answered, digest), (status, None));
    assert!(text.starts_with(said.as_bytes()), "{text:?}");
}

#[tokio::test]
async fn what_is_not_there_or_no_longer_is_said() {
    let (shop, zip, status) = shop().await;
    let mut bare = status.clone();
    bare.as_object_mut().unwrap().remove("artifact");
    let none = get(router(kubernetes("artifact", bare), shop.artifacts.clone()), "dbxdemo", Some("ana")).await;
    assert_eq!((none.0, none.1), (StatusCode::NOT_FOUND, None));
    std::fs::remove_file(shop.file(&place::artifact(&brickline_artifact::Digest::of(&zip)))).unwrap();
    let gone = get(router(kubernetes("artifact", status), shop.artifacts.clone()), "dbxdemo", Some("ana")).await;
    assert_eq!((gone.0, gone.1), (StatusCode::GONE, None));
}
