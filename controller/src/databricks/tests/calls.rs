//! The calls that are more than one request.

use rstest::rstest;
use serde_json::{Value, json};
use wiremock::matchers::{method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::super::dbfs::BLOCK;
use super::super::workspace::{Format, Language};
use super::super::{Answer, Upload};
use super::{client, sent};

fn ok(body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

fn missing() -> ResponseTemplate {
    ResponseTemplate::new(404).set_body_json(json!({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no folder"}))
}

async fn on(server: &MockServer, verb: &str, at: &str, answer: ResponseTemplate) {
    Mock::given(method(verb)).and(path(at)).respond_with(answer).mount(server).await;
}

async fn once(server: &MockServer, verb: &str, at: &str, answer: ResponseTemplate) {
    Mock::given(method(verb)).and(path(at)).respond_with(answer).up_to_n_times(1).with_priority(1).mount(server).await;
}

async fn paths(server: &MockServer) -> Vec<String> {
    sent(server).await.iter().map(|request| request.url.path().replace("/api/2.0/", "")).collect()
}

#[tokio::test]
async fn an_import_makes_the_missing_folder() {
    let server = MockServer::start().await;
    once(&server, "POST", "/api/2.0/workspace/import", missing()).await;
    on(&server, "POST", "/api/2.0/workspace/import", ok(&json!({}))).await;
    on(&server, "POST", "/api/2.0/workspace/mkdirs", ok(&json!({}))).await;
    let (path, format, language) = ("/Shared/demo/n.py", Format::Source, Some(Language::Python));
    client(&server).0.import(path, format, language, &Upload::of("print(1)")).await.expect("imported");
    assert_eq!(paths(&server).await, ["workspace/import", "workspace/mkdirs", "workspace/import"]);
    let bodies: Vec<Value> = sent(&server).await.iter().map(|request| request.body_json().expect("JSON")).collect();
    assert_eq!(bodies[1], json!({"path": "/Shared/demo"}));
    let content = "cHJpbnQoMSk=";
    let expected =
        json!({"path": path, "format": "SOURCE", "language": "PYTHON", "overwrite": true, "content": content});
    assert_eq!(bodies[2], expected);
}

#[tokio::test]
async fn dbfs_takes_blocks_of_one_mebibyte() {
    let server = MockServer::start().await;
    on(&server, "POST", "/api/2.0/dbfs/create", ok(&json!({"handle": 9_007_199_254_740_993_i64}))).await;
    on(&server, "POST", "/api/2.0/dbfs/add-block", ok(&json!({}))).await;
    on(&server, "POST", "/api/2.0/dbfs/close", ok(&json!({}))).await;
    let content = vec![7; 2 * BLOCK + 5];
    client(&server).0.upload("dbfs:/libs/a/x.whl", &Upload::of(content)).await.expect("uploaded");
    let add = "dbfs/add-block";
    assert_eq!(paths(&server).await, ["dbfs/create", add, add, add, "dbfs/close"]);
    let requests = sent(&server).await;
    assert_eq!(requests[0].body_json::<Value>().expect("JSON"), json!({"path": "/libs/a/x.whl", "overwrite": true}));
    assert_eq!(requests[3].body_json::<Value>().expect("JSON")["data"], "BwcHBwc=");
    assert_eq!(requests[4].body_json::<Value>().expect("JSON"), json!({"handle": 9_007_199_254_740_993_i64}));
}

#[rstest]
#[case(100)]
#[case(9 << 20)]
#[tokio::test]
async fn volumes_take_small_files_whole_and_large_ones_streamed(#[case] size: usize) {
    let server = MockServer::start().await;
    let at = "/api/2.0/fs/files/Volumes/main/rel/libs/a%20b/x.whl";
    on(&server, "PUT", at, ResponseTemplate::new(204)).await;
    on(&server, "PUT", "/api/2.0/fs/directories/Volumes/main/rel/libs/a%20b", ResponseTemplate::new(204)).await;
    let upload = client(&server).0;
    let location = "/Volumes/main/rel/libs/a b/x.whl";
    upload.upload(location, &Upload::of(vec![1; size])).await.expect("uploaded");
    let requests = sent(&server).await;
    let request = requests.last().expect("a request");
    assert_eq!((request.body.len(), request.url.query()), (size, Some("overwrite=true")));
    assert_eq!(request.headers["content-type"], "application/octet-stream");
}

#[tokio::test]
async fn a_file_of_any_size_is_sent_again() {
    for size in [10, 9 << 20] {
        let server = MockServer::start().await;
        on(&server, "PUT", "/api/2.0/fs/directories/Volumes/c/s/v", ResponseTemplate::new(204)).await;
        once(&server, "PUT", "/api/2.0/fs/files/Volumes/c/s/v/f", ResponseTemplate::new(503)).await;
        on(&server, "PUT", "/api/2.0/fs/files/Volumes/c/s/v/f", ResponseTemplate::new(204)).await;
        let put = client(&server).0.upload("/Volumes/c/s/v/f", &Upload::of(vec![1; size])).await;
        let puts = paths(&server).await.iter().filter(|path| path.starts_with("fs/files")).count();
        assert_eq!((put, puts), (Ok(()), 2));
    }
}

#[tokio::test]
async fn a_reader_that_lies_about_its_size_uploads_nothing() {
    let server = super::always(ok(&json!({}))).await;
    let short = Upload::new(11, || futures::stream::iter([Ok(vec![1; 10].into())]));
    let error = client(&server).0.upload("/Volumes/c/s/v/f", &short).await;
    assert!(error.expect_err("refused").to_string().contains("10 bytes instead of 11"));
    assert!(sent(&server).await.is_empty());
}

#[tokio::test]
async fn volumes_make_the_missing_folder() {
    let server = MockServer::start().await;
    once(&server, "PUT", "/api/2.0/fs/files/Volumes/c/s/v/d/f", missing()).await;
    on(&server, "PUT", "/api/2.0/fs/files/Volumes/c/s/v/d/f", ResponseTemplate::new(204)).await;
    on(&server, "PUT", "/api/2.0/fs/directories/Volumes/c/s/v/d", ResponseTemplate::new(204)).await;
    client(&server).0.upload("/Volumes/c/s/v/d/f", &Upload::of(b"abc".to_vec())).await.expect("uploaded");
    assert_eq!(sent(&server).await[2].body, b"abc");
}

#[tokio::test]
async fn workspace_files_make_their_folder() {
    let server = MockServer::start().await;
    let at = "/api/2.0/workspace-files/import-file/Workspace/Shared/libs/x.whl";
    once(&server, "POST", at, missing()).await;
    on(&server, "POST", at, ok(&json!({}))).await;
    on(&server, "POST", "/api/2.0/workspace/mkdirs", ok(&json!({}))).await;
    let uploaded = client(&server).0.upload("/Workspace/Shared/libs/x.whl", &Upload::of(b"abc".to_vec())).await;
    uploaded.expect("uploaded");
    assert_eq!(sent(&server).await[2].body, b"abc");
}

#[rstest]
#[case("dbfs:/l/x", "/api/2.0/dbfs/get-status", Some(json!({"file_size": 5})), Some(5))]
#[case("dbfs:/l/x", "/api/2.0/dbfs/get-status", Some(json!({"is_dir": true})), None)]
#[case("dbfs:/l/x", "/api/2.0/dbfs/get-status", None, None)]
#[case("/Workspace/l/x", "/api/2.0/workspace/get-status", Some(json!({"object_type": "FILE", "size": 6})), Some(6))]
#[case("/Workspace/l/x", "/api/2.0/workspace/get-status", Some(json!({"object_type": "NOTEBOOK"})), None)]
#[case("/Workspace/l/x", "/api/2.0/workspace/get-status", None, None)]
#[tokio::test]
async fn a_stored_file_has_a_size(
    #[case] location: &str,
    #[case] at: &str,
    #[case] body: Option<Value>,
    #[case] size: Option<u64>,
) {
    let server = MockServer::start().await;
    on(&server, "GET", at, body.as_ref().map_or_else(missing, ok)).await;
    assert_eq!(client(&server).0.stored_size(location).await, Ok(size));
}

#[tokio::test]
async fn a_volume_tells_sizes_in_headers() {
    let server = MockServer::start().await;
    let at = "/api/2.0/fs/files/Volumes/c/s/v/f";
    on(&server, "HEAD", at, ResponseTemplate::new(200).set_body_bytes(vec![1; 42])).await;
    assert_eq!(client(&server).0.stored_size("/Volumes/c/s/v/f").await, Ok(Some(42)));
    assert_eq!(client(&server).0.stored_size("/Volumes/c/s/v/g").await, Ok(None));
}

#[tokio::test]
async fn downloads_are_bounded() {
    let server = MockServer::start().await;
    let at = "/api/2.0/fs/files/Volumes/c/s/v/f";
    on(&server, "GET", at, ResponseTemplate::new(200).set_body_bytes(vec![1; 42])).await;
    let (mut kept, mut cut) = (Vec::new(), Vec::new());
    assert_eq!(client(&server).0.download_file("/Volumes/c/s/v/f", &mut kept, 42, Answer::File).await, Ok(42));
    let error =
        client(&server).0.download_file("/Volumes/c/s/v/f", &mut cut, 41, Answer::File).await.expect_err("too large");
    assert_eq!(error.to_string(), "fs/files/get: the file is larger than 41 bytes");
}

#[tokio::test]
async fn what_is_gone_counts_as_deleted() {
    let server = super::always(missing()).await;
    for location in ["dbfs:/l/x", "/Workspace/l/x", "/Volumes/c/s/v/f"] {
        assert_eq!(client(&server).0.remove(location).await, Ok(()));
    }
}

/// What lies beyond them may use the cluster that somebody wants to restart.
#[tokio::test]
async fn runs_under_way_are_all_of_them_or_none() {
    let page = json!({"runs": [{"run_id": 7}], "next_page_token": "more"});
    let server = super::always(ok(&page)).await;
    let error = client(&server).0.active_runs().await.expect_err("no end");
    assert!(error.to_string().contains("runs are under way"), "{error}");
    let asked = &sent(&server).await[0];
    let limit: usize =
        asked.url.query_pairs().find(|(name, _)| name == "limit").expect("a limit").1.parse().expect("a number");
    assert!(limit < 25, "Databricks refuses 25");
}

#[tokio::test]
async fn a_run_is_read_with_all_its_pages() {
    let server = MockServer::start().await;
    let page = |task: i64, next: &str| json!({"run_id": 5, "tasks": [{"run_id": task}], "next_page_token": next});
    let at = "/api/2.2/jobs/runs/get";
    let second = Mock::given(path(at)).and(query_param("page_token", "two"));
    second.respond_with(ok(&page(2, ""))).with_priority(1).mount(&server).await;
    on(&server, "GET", at, ok(&page(1, "two"))).await;
    let run = client(&server).0.run(5).await.expect("a run");
    assert_eq!(run.tasks.iter().map(|task| task.run_id).collect::<Vec<_>>(), [1, 2]);
}

/// Reconcilers run on many threads.
#[test]
fn calls_can_move_between_threads() {
    fn moves(_: impl Send) {}
    let http = super::connect(&super::HttpConfig::default()).expect("connections");
    let host = "http://127.0.0.1:1".parse().expect("an address");
    let (auth, timings, observer) =
        (super::Auth::Token("t".into()), super::quick(), std::sync::Arc::new(super::super::Unobserved));
    let config = super::ClientConfig { host, auth, http, timings, limits: super::Limits::default(), observer };
    let client = super::Client::new(config).expect("a client");
    moves(client.me());
    moves(client.upload("/Volumes/a/b/c/d", &Upload::of(vec![])));
    moves(client.download_file("/Volumes/a/b/c/d", &mut Vec::new(), 0, Answer::File));
}

/// What was sent so far is no file: the request has no end.
#[tokio::test]
async fn a_file_that_breaks_off_while_it_is_sent_is_never_whole() {
    let server = super::always(ok(&json!({}))).await;
    let broken = || {
        let parts = (0..8).map(|_| Ok(vec![1; 64 << 10].into()));
        futures::stream::iter(parts.chain([Err(std::io::Error::other("not what its manifest says"))]))
    };
    for location in ["/Volumes/c/s/v/f", "/Workspace/Shared/f"] {
        let error = client(&server).0.upload(location, &Upload::new(1 << 20, broken)).await.expect_err("broken");
        assert!(error.to_string().contains("not what its manifest says"), "{error}");
    }
    let whole = paths(&server).await;
    assert!(whole.iter().all(|path| path.contains("mkdirs") || path.contains("directories")), "{whole:?}");
}
