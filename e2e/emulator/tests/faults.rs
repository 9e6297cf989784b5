//! What goes wrong on demand: limits, scripts of faults, stale reads, expired tokens, crashes; and that uploads don't.

mod support;

use reqwest::StatusCode;
use rstest::rstest;
use serde_json::{Value, json};
use support::{
    TOKEN,
    api::{Api, api, base64, notebook},
};

const STATUS: &str = "/api/2.0/workspace/get-status?path=/Shared/new";
const MKDIRS: &str = "/api/2.0/workspace/mkdirs";

async fn order(api: &Api, faults: Value) {
    api.ok("/emulator/faults", faults).await;
}

#[tokio::test]
async fn calls_beyond_a_limit_are_refused_and_counted() {
    let api = Api::start(&["--rate-limits", "documented"]);
    let settings = api.get("/emulator/limits").await.1;
    assert_eq!((&settings["rates"]["submit"], &settings["rates"]["import"]), (&json!(35.0), &json!(30.0)));
    // Slow enough that no second token comes while this test runs.
    api.ok("/emulator/limits", json!({ "rates": { "import": 0.001 } })).await;
    let send = || api.http.post(format!("{}/api/2.0/workspace/import", api.emulator.url)).bearer_auth(TOKEN);
    let import = async || send().body(notebook("/Shared/n").to_string()).send().await.unwrap();
    assert_eq!(import().await.status(), StatusCode::OK);
    let refused = import().await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap() > 0);
    assert_eq!(refused.json::<Value>().await.unwrap()["error_code"], "REQUEST_LIMIT_EXCEEDED");
    api.ok("/emulator/limits", json!({ "retry_after": false })).await;
    // Changing a setting fills the buckets again.
    assert_eq!(import().await.status(), StatusCode::BAD_REQUEST, "it exists");
    assert!(import().await.headers().get("retry-after").is_none());
    let counts = api.get("/emulator/limits").await.1;
    assert_eq!(
        (&counts["passed"]["import"], &counts["throttled"]["import"], &counts["throttled_total"]),
        (&json!(2), &json!(2), &json!(2))
    );
    let journal = api.get("/emulator/requests").await.1;
    let met = journal["requests"].as_array().unwrap().iter().filter(|note| note["fault"] == "limit").count();
    assert_eq!(met, 2);
    api.ok("/emulator/limits", json!({ "mode": "off" })).await;
    assert_eq!(import().await.status(), StatusCode::BAD_REQUEST);
    assert_eq!(import().await.status(), StatusCode::BAD_REQUEST);
    assert_eq!(api.post("/emulator/limits", json!({ "rates": { "none": 1.0 } })).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn only_so_many_files_are_under_way_at_once() {
    let api = Api::start(&["--rate-limits", "documented"]);
    let url = format!("{}/api/2.0/fs/directories/Volumes/main/default/v", api.emulator.url);
    let list = async || api.http.get(&url).bearer_auth(TOKEN).send().await.unwrap();
    // Two calls that don't end are all that is allowed.
    api.ok("/emulator/limits", json!({ "at_once": { "files": 2 } })).await;
    order(&api, json!({ "match": { "path": "/api/*/fs/" }, "kind": "hang", "times": 2 })).await;
    let hung: Vec<_> = (0..2).map(|_| tokio::spawn(api.http.get(&url).bearer_auth(TOKEN).send())).collect();
    api.until("/emulator/requests", |seen| seen["requests"].as_array().is_some_and(|all| all.len() == 2)).await;
    let refused = list().await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.json::<Value>().await.unwrap()["error_code"], "RESOURCE_EXHAUSTED");
    hung.iter().for_each(tokio::task::JoinHandle::abort);
    // Callers that went away make room, and each answered call does.
    let answered = async || Some(list().await).filter(|answer| answer.status() == StatusCode::OK);
    support::wait_for_async("room", std::time::Duration::from_secs(20), answered).await;
    for _ in 0..5 {
        assert_eq!(list().await.status(), StatusCode::OK);
    }
}

#[rstest]
#[tokio::test]
async fn all_calls_take_their_time(api: Api) {
    api.ok("/emulator/limits", json!({ "latency_ms": 150 })).await;
    let begun = std::time::Instant::now();
    api.get("/api/2.0/clusters/list").await;
    assert!(begun.elapsed().as_millis() >= 150);
}

#[tokio::test]
async fn faults_come_from_a_script() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("faults.json");
    let target = json!({ "path": "/api/*/clusters/list" });
    let script = json!([{ "match": target, "kind": "status", "status": 500 }, { "match": target, "kind": "xml200" }]);
    std::fs::write(&file, script.to_string()).unwrap();
    let api = Api::start(&["--faults", file.to_str().unwrap()]);
    let list = async || api.get("/api/2.0/clusters/list").await;
    assert_eq!(list().await.0, StatusCode::INTERNAL_SERVER_ERROR);
    let (status, page) = list().await;
    assert!(status == StatusCode::OK && page.as_str().unwrap().starts_with("<?xml"), "{page}");
    assert_eq!(list().await.0, StatusCode::OK);
    let wrong = json!([{ "kind": "xml200" }, { "kind": "nonsense" }]);
    assert_eq!(api.post("/emulator/faults", wrong).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(api.get("/emulator/faults").await.1, json!({ "faults": [] }), "all of a script or nothing");
}

#[rstest]
#[tokio::test]
async fn a_stale_read_is_that_of_before(api: Api) {
    let reads = json!({ "method": "GET", "path": "/api/*/workspace/" });
    order(&api, json!({ "match": reads, "kind": "stale", "times": 2, "after": 1 })).await;
    assert_eq!(api.get(STATUS).await.0, StatusCode::NOT_FOUND);
    api.ok(MKDIRS, json!({ "path": "/Shared/new" })).await;
    assert_eq!(api.get(STATUS).await.0, StatusCode::NOT_FOUND, "stale");
    assert_eq!(api.get(STATUS).await.0, StatusCode::NOT_FOUND, "stale again");
    assert_eq!(api.get(STATUS).await.0, StatusCode::OK);
    // What was overwritten is still seen, too.
    let path = "/api/2.0/workspace/export?path=/Shared/n&format=SOURCE";
    let mut import = notebook("/Shared/n");
    api.ok("/api/2.0/workspace/import", import.clone()).await;
    order(&api, json!({ "match": reads, "kind": "stale", "after": 1 })).await;
    let before = api.get(path).await;
    import["content"] = base64(b"print(2)").into();
    import["overwrite"] = true.into();
    api.ok("/api/2.0/workspace/import", import).await;
    assert_eq!(api.get(path).await, before);
    assert_ne!(api.get(path).await, before);
}

#[rstest]
#[tokio::test]
async fn a_token_expires_in_the_middle(api: Api) {
    let issue = async || {
        let form = [("grant_type", "client_credentials")];
        let url = format!("{}/oidc/v1/token", api.emulator.url);
        let answer = api.http.post(url).basic_auth("app-1", Some("secret-of-app-1")).form(&form).send().await.unwrap();
        answer.json::<Value>().await.unwrap()["access_token"].as_str().unwrap().to_owned()
    };
    let list = async |token: &str| {
        let request = api.http.get(format!("{}/api/2.0/clusters/list", api.emulator.url)).bearer_auth(token);
        request.send().await.unwrap().status().as_u16()
    };
    let target = json!({ "path": "/api/*/clusters/list" });
    order(&api, json!({ "match": target, "kind": "expire", "after": 1, "status": 401 })).await;
    let token = issue().await;
    assert_eq!([list(&token).await, list(&token).await, list(&token).await], [200, 401, 401]);
    assert_eq!(list(&issue().await).await, 200, "a new one is fine");
    let all = api.http.delete(format!("{}/emulator/faults", api.emulator.url)).bearer_auth(TOKEN);
    assert_eq!(all.send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(list(&token).await, 200, "the fault has ended");
}

#[rstest]
#[case::before(false)]
#[case::after(true)]
#[tokio::test]
async fn the_emulator_dies_at_a_call(mut api: Api, #[case] done: bool) {
    order(&api, json!({ "match": { "path": "/api/*/workspace/mkdirs" }, "kind": "kill", "done": done })).await;
    let body = json!({ "path": "/Shared/new" }).to_string();
    let call = api.http.post(format!("{}{MKDIRS}", api.emulator.url)).bearer_auth(TOKEN).body(body).send().await;
    assert!(call.is_err(), "nobody answers");
    api.emulator.died();
    let api = api.restart();
    assert_eq!(api.get(STATUS).await.0 == StatusCode::OK, done);
}

#[rstest]
#[tokio::test]
async fn a_connection_is_reset_after_the_effect(api: Api) {
    order(&api, json!({ "match": { "path": "/api/*/workspace/mkdirs" }, "kind": "after_reset" })).await;
    let body = json!({ "path": "/Shared/new" }).to_string();
    let call = api.http.post(format!("{}{MKDIRS}", api.emulator.url)).bearer_auth(TOKEN).body(body).send().await;
    assert!(call.is_err());
    assert_eq!(api.get(STATUS).await.0, StatusCode::OK, "it was done all the same");
}

/// Large files go to the disk as they come.
#[rstest]
#[case::volume("PUT", "/api/2.0/fs/files/Volumes/main/default/v/big")]
#[case::workspace_file("POST", "/api/2.0/workspace-files/import-file/Shared%2Fbig.py")]
#[tokio::test]
async fn memory_stays_flat(api: Api, #[case] method: &str, #[case] path: &str) {
    const PART: usize = 1024 * 1024;
    const PARTS: usize = 256;
    api.get("/api/2.0/clusters/list").await;
    let before = api.emulator.peak();
    let parts = futures::stream::iter((0..PARTS).map(|_| Ok::<_, std::io::Error>(vec![b'#'; PART])));
    let request = api.http.request(method.parse().unwrap(), format!("{}{path}", api.emulator.url)).bearer_auth(TOKEN);
    let answer = request.body(reqwest::Body::wrap_stream(parts)).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    let grown = api.emulator.peak() - before;
    assert!(grown < 32 * 1024, "{PARTS} MiB took {grown} KiB of memory");
}
