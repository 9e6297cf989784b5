//! What is too much, too slow, or must not be seen.

use super::*;

#[tokio::test]
async fn a_large_body_is_refused_before_anything_else() {
    let scene = Scene::new();
    let body = vec![b' '; LIMITS.body + 1];
    // Even where no pipeline is.
    let reply = scene.send("/hooks/other/x", gitea_signed("push", &body, TOKEN), body.clone()).await;
    assert_eq!(reply.code, 413);
    let chunks = body.chunks(1 << 16).map(|chunk| Ok::<_, Infallible>(chunk.to_vec())).collect::<Vec<_>>();
    let stream = Body::from_stream(futures::stream::iter(chunks));
    let reply = scene.send("/hooks/data/dbxdemo", gitea_signed("push", &body, TOKEN), stream).await;
    assert_eq!((reply.code, scene.requests()), (413, 0));
}

#[tokio::test]
async fn a_promised_large_body_is_not_waited_for() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut connection = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let served = tokio::spawn(axum::serve(listener, Scene::new().router()).into_future());
    let head = format!("POST /hooks/data/dbxdemo HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", LIMITS.body + 1);
    connection.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 413 "), "{}", String::from_utf8_lossy(&answer));
    served.abort();
}

#[tokio::test]
async fn a_body_at_the_cap_is_taken() {
    let scene = Scene::new();
    let mut body = gitea_push("refs/heads/release");
    body.resize(LIMITS.body, b' ');
    assert_eq!(scene.gitea(body, TOKEN).await.code, 202);
}

#[tokio::test]
async fn an_endless_body_is_cut_short() {
    let mut scene = Scene::new();
    scene.limits.read = Duration::from_millis(20);
    let stream = Body::from_stream(futures::stream::pending::<Result<Vec<u8>, Infallible>>());
    let reply = scene.send("/hooks/data/dbxdemo", gitea_headers("push"), stream).await;
    assert_eq!(reply.code, 408);
}

#[tokio::test]
async fn a_hanging_api_server_is_not_waited_for() {
    let mut scene = Scene::new().with(|cluster| cluster.hangs = true);
    scene.limits.work = Duration::from_millis(20);
    assert_eq!(scene.push().await.code, 503);
}

#[tokio::test]
async fn too_many_deliveries_are_shed() {
    let mut scene = Scene::new();
    scene.limits.deliveries = 1;
    let router = scene.router();
    let (slow, started) = futures::channel::mpsc::unbounded::<Result<Vec<u8>, Infallible>>();
    let request = |body: Body| Request::post("/hooks/data/dbxdemo").body(body).unwrap();
    let first = tokio::spawn(router.clone().oneshot(request(Body::from_stream(started))));
    // The first delivery holds the only place until its body ends; it takes it as soon as it runs.
    let mut second = Reply::of(router.clone().oneshot(request(Body::empty())).await.unwrap()).await;
    for _ in 0..1000 {
        if second.code == 503 {
            break;
        }
        tokio::task::yield_now().await;
        second = Reply::of(router.clone().oneshot(request(Body::empty())).await.unwrap()).await;
    }
    assert_eq!((second.code, second.retry_after.as_deref()), (503, Some("5")));
    assert!(scene.counted("unknown", "overloaded"));
    drop(slow);
    assert_eq!(first.await.unwrap().unwrap().status(), StatusCode::UNAUTHORIZED);
    let third = router.oneshot(request(Body::empty())).await.unwrap();
    assert_eq!(third.status(), StatusCode::UNAUTHORIZED, "the place is free again");
}

#[tokio::test]
async fn a_namespace_path_reaches_every_pipeline_that_wants_the_push() {
    let mut scene = Scene::new();
    let mut foreign = samples::pipeline_named("foreign");
    foreign.spec.repository.url = "https://git.example.com/data/other.git".to_owned();
    let mut elsewhere = samples::pipeline_named("elsewhere");
    elsewhere.metadata.namespace = Some("other".to_owned());
    let mut hidden = samples::pipeline_named("hidden");
    hidden.spec.trigger.webhook.as_mut().unwrap().secret_ref.name = "another".to_owned();
    scene.pipelines.extend([samples::pipeline_named("second"), foreign, elsewhere, hidden]);
    let scene = scene.with(|cluster| {
        cluster.secrets.insert("another".to_owned(), secret(&[("token", "another")]));
    });
    let body = gitea_push("refs/heads/release");
    let reply = scene.send("/hooks/data", gitea_signed("push", &body, TOKEN), body).await;
    let names: Vec<String> = scene.releases().into_keys().collect();
    assert_eq!(reply.code, 202);
    assert_eq!(reply.body["releases"], json!(names));
    assert!(matches!(&names[..], [one, two] if one.starts_with("dbxdemo-") && two.starts_with("second-")), "{names:?}");
}

#[tokio::test]
async fn a_namespace_path_tells_if_a_secret_was_not_there() {
    let mut scene = Scene::new();
    scene.pipelines[0].spec.trigger.branches = vec!["other".to_owned()];
    let mut hidden = samples::pipeline_named("hidden");
    hidden.spec.trigger.webhook.as_mut().unwrap().secret_ref.name = "missing".to_owned();
    scene.pipelines.push(hidden);
    let body = gitea_push("refs/heads/release");
    let reply = scene.send("/hooks/data", gitea_signed("push", &body, TOKEN), body).await;
    assert_eq!((reply.code, scene.releases().len()), (503, 0));
}

#[tokio::test]
async fn only_post_is_answered() {
    let request = Request::get("/hooks/data/dbxdemo").body(Body::empty()).unwrap();
    let response = Scene::new().router().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
}

/// Log lines of this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Which log lines are on is decided for all threads together: while other tests begin and end theirs, one may miss some.
const TRIES: usize = 10;

#[tokio::test]
async fn neither_secrets_nor_bodies_are_logged() {
    for _ in 0..TRIES {
        let text = logged().await;
        assert!(!text.contains("canary"), "{text}");
        let is_whole = text.contains("0b0d2b6e-0000-4000-8000-000000000002") && text.contains("unauthenticated");
        if is_whole && (text.contains("1?outcome") || text.contains("1??outcome")) {
            return;
        }
    }
    panic!("the deliveries were never logged");
}

/// What is logged of deliveries that are signed, forged, broken, and meant to break the log.
async fn logged() -> String {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let scene = Scene::new();
    let canary = String::from_utf8(gitea_push("refs/heads/release")).unwrap().replace("Merge", "canary-message");
    for (body, token) in [(canary.clone(), TOKEN), (canary.clone(), "another"), (canary.replace(':', ""), TOKEN)] {
        scene.gitea(body.into_bytes(), token).await;
    }
    let mut headers = gitea_signed("push", canary.as_bytes(), TOKEN);
    headers.insert("x-gitea-delivery", http::HeaderValue::from_static("1\" outcome=\"created"));
    scene.send("/hooks/data/a%0Ab", headers, canary).await;
    drop(guard);
    String::from_utf8(log.0.lock().unwrap().clone()).unwrap()
}
