//! The REST surface, without any driver: shapes, codes and statuses that clients depend on.

mod support;

use reqwest::StatusCode;
use rstest::rstest;
use serde_json::{Value, json};
use support::{
    TOKEN,
    api::{Api, api, base64, notebook},
};

/// More than any body of JSON may have.
static LARGE: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| "x".repeat(17 * 1024 * 1024));

#[rstest]
#[case::not_there("GET", "/api/2.0/workspace/get-status?path=/none", None, 404, "RESOURCE_DOES_NOT_EXIST")]
#[case::relative("GET", "/api/2.0/workspace/get-status?path=none", None, 400, "INVALID_PARAMETER_VALUE")]
#[case::climbing("GET", "/api/2.0/dbfs/get-status?path=/a/../../x", None, 400, "INVALID_PARAMETER_VALUE")]
#[case::no_argument("GET", "/api/2.0/dbfs/get-status", None, 400, "MALFORMED_REQUEST")]
#[case::no_json("POST", "/api/2.0/dbfs/mkdirs", Some("{"), 400, "MALFORMED_REQUEST")]
#[case::no_cluster("GET", "/api/2.1/clusters/get?cluster_id=none", None, 400, "INVALID_PARAMETER_VALUE")]
#[case::no_run("GET", "/api/2.2/jobs/runs/get?run_id=5", None, 400, "INVALID_PARAMETER_VALUE")]
#[case::no_number("GET", "/api/2.2/jobs/runs/get?run_id=x", None, 400, "MALFORMED_REQUEST")]
#[case::no_endpoint("GET", "/api/2.0/none", None, 404, "ENDPOINT_NOT_FOUND")]
#[case::no_language(
    "POST",
    "/api/2.0/workspace/import",
    Some(r#"{"path":"/Shared/n","content":""}"#),
    400,
    "INVALID_PARAMETER_VALUE"
)]
#[case::no_flag("PUT", "/api/2.0/fs/files/Volumes/main/default/v/f?overwrite=perhaps", None, 400, "MALFORMED_REQUEST")]
#[case::no_text("GET", "/api/2.0/git-credentials/%FF", None, 400, "MALFORMED_REQUEST")]
#[case::other_method("GET", "/api/2.0/workspace/import", None, 404, "ENDPOINT_NOT_FOUND")]
#[case::many_runs("GET", "/api/2.2/jobs/runs/list?limit=25", None, 400, "INVALID_PARAMETER_VALUE")]
#[case::no_token("GET", "/api/2.2/jobs/runs/list?page_token=x", None, 400, "INVALID_PARAMETER_VALUE")]
#[case::too_large("POST", "/api/2.0/dbfs/mkdirs", Some(LARGE.as_str()), 413, "MALFORMED_REQUEST")]
#[case::no_base64("POST", "/api/2.0/dbfs/put", Some(r#"{"path":"/n","contents":"%"}"#), 400, "INVALID_PARAMETER_VALUE")]
#[case::no_volume("GET", "/api/2.0/fs/files/Volumes/main/default/none/f", None, 404, "RESOURCE_DOES_NOT_EXIST")]
#[case::not_running("POST", "/api/2.1/clusters/restart", Some(r#"{"cluster_id":"c1"}"#), 400, "INVALID_STATE")]
#[case::no_wheel(
    "POST",
    "/api/2.0/libraries/install",
    Some(r#"{"cluster_id":"c1","libraries":[{"whl":"dbfs:/x.zip"}]}"#),
    400,
    "INVALID_PARAMETER_VALUE"
)]
#[tokio::test]
async fn errors_have_databricks_shape(
    api: Api,
    #[case] method: &str,
    #[case] path: &str,
    #[case] body: Option<&str>,
    #[case] status: u16,
    #[case] code: &str,
) {
    let url = format!("{}{path}", api.emulator.url);
    let request = api.http.request(method.parse().unwrap(), url).bearer_auth(TOKEN);
    let response = request.body(body.unwrap_or_default().to_owned()).send().await.unwrap();
    let got = response.status().as_u16();
    let answer: Value = response.json().await.unwrap();
    assert_eq!((got, answer["error_code"].as_str()), (status, Some(code)), "{answer}");
    assert!(answer["message"].as_str().is_some_and(|message| !message.is_empty()));
}

#[rstest]
#[tokio::test]
async fn nobody_passes_without_a_token(api: Api) {
    for (header, status) in [
        (None, 401),
        (Some("Bearer wrong".to_owned()), 403),
        (Some(format!("Basic {}", base64(b"token:wrong"))), 403),
        (Some(format!("Basic {}", base64(format!("someone:{TOKEN}").as_bytes()))), 403),
        (Some(format!("Digest {TOKEN}")), 401),
        (Some(format!("Basic {}", base64(format!("token:{TOKEN}").as_bytes()))), 200),
    ] {
        for path in ["/api/2.0/preview/scim/v2/Me", "/emulator/requests"] {
            let mut request = api.http.get(format!("{}{path}", api.emulator.url));
            if let Some(header) = &header {
                request = request.header("authorization", header);
            }
            let response = request.send().await.unwrap();
            assert_eq!(response.status().as_u16(), status, "{path} {header:?}");
        }
    }
    let answer: Value = api
        .http
        .get(format!("{}/api/2.0/clusters/list", api.emulator.url))
        .bearer_auth("x")
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(answer, json!({ "error_code": 403, "message": "Invalid access token." }));
}

#[rstest]
#[tokio::test]
async fn notebooks_and_files_answer_differently_when_they_exist(api: Api) {
    let (status, _) = api.post("/api/2.0/workspace/import", notebook("/Shared/n.py")).await;
    assert_eq!(status, StatusCode::OK);
    let (status, answer) = api.post("/api/2.0/workspace/import", notebook("/Shared/n.py")).await;
    assert_eq!((status.as_u16(), &answer["error_code"]), (400, &json!("RESOURCE_ALREADY_EXISTS")));
    let (_, answer) = api.get("/api/2.0/workspace/export?path=/Shared/n.py&format=SOURCE").await;
    assert_eq!(answer["content"], base64(b"# Databricks notebook source\nprint(1)"));
    let raw = json!({ "path": "/Workspace/Shared/f", "format": "RAW", "content": base64(b"x") });
    assert_eq!(api.post("/api/2.0/workspace/import", raw.clone()).await.0, StatusCode::OK);
    assert_eq!(api.post("/api/2.0/workspace/import", raw).await.0, StatusCode::CONFLICT);
    let (_, listed) = api.get("/api/2.0/workspace/list?path=/Shared").await;
    let found: Vec<_> = listed["objects"].as_array().unwrap().iter().map(|o| (&o["path"], &o["object_type"])).collect();
    let want = [(json!("/Shared/f"), json!("FILE")), (json!("/Shared/n.py"), json!("NOTEBOOK"))];
    assert_eq!(found, want.iter().map(|(a, b)| (a, b)).collect::<Vec<_>>());
    assert!(listed["objects"][0]["modified_at"].is_i64() && listed["objects"][1]["modified_at"].is_null());
}

#[rstest]
#[tokio::test]
async fn limits_are_those_of_the_service(api: Api) {
    let mut big = notebook("/Shared/big.py");
    big["content"] = base64(&vec![b'#'; 10 * 1024 * 1024]).into();
    assert_eq!(api.post("/api/2.0/workspace/import", big.clone()).await.0, StatusCode::OK);
    big["content"] = base64(&vec![b'#'; 10 * 1024 * 1024 + 1]).into();
    let (status, answer) = api.post("/api/2.0/workspace/import", big).await;
    assert_eq!((status.as_u16(), &answer["error_code"]), (400, &json!("MAX_NOTEBOOK_SIZE_EXCEEDED")));
    let put = |size| json!({ "path": "/f", "overwrite": true, "contents": base64(&vec![0; size]) });
    assert_eq!(api.post("/api/2.0/dbfs/put", put(1024 * 1024)).await.0, StatusCode::OK);
    let (status, answer) = api.post("/api/2.0/dbfs/put", put(1024 * 1024 + 1)).await;
    assert_eq!((status.as_u16(), &answer["error_code"]), (400, &json!("MAX_BLOCK_SIZE_EXCEEDED")));
}

#[rstest]
#[tokio::test]
async fn a_stream_is_a_file_only_once_it_is_closed(api: Api) {
    let (_, answer) = api.post("/api/2.0/dbfs/create", json!({ "path": "dbfs:/a/b" })).await;
    let handle = answer["handle"].as_i64().unwrap();
    for part in [b"one", b"two"] {
        let block = json!({ "handle": handle, "data": base64(part) });
        assert_eq!(api.post("/api/2.0/dbfs/add-block", block).await.0, StatusCode::OK);
    }
    assert_eq!(api.get("/api/2.0/dbfs/get-status?path=/a/b").await.0, StatusCode::NOT_FOUND);
    assert_eq!(api.post("/api/2.0/dbfs/close", json!({ "handle": handle })).await.0, StatusCode::OK);
    let (_, answer) = api.get("/api/2.0/dbfs/read?path=/a/b&offset=2&length=3").await;
    assert_eq!(answer, json!({ "bytes_read": 3, "data": base64(b"etw") }));
    assert_eq!(api.post("/api/2.0/dbfs/close", json!({ "handle": handle })).await.0, StatusCode::NOT_FOUND);
}

#[rstest]
#[tokio::test]
async fn volumes_take_escaped_paths(api: Api) {
    let url = format!("{}/api/2.0/fs/files/Volumes%2Fmain%2Fdefault%2Fv%2Fa%20b", api.emulator.url);
    let put = |query: &str| api.http.put(format!("{url}{query}")).bearer_auth(TOKEN).body("abc").send();
    assert_eq!(put("").await.unwrap().status(), StatusCode::NO_CONTENT);
    assert_eq!(put("").await.unwrap().status(), StatusCode::CONFLICT);
    assert_eq!(put("?overwrite=true").await.unwrap().status(), StatusCode::NO_CONTENT);
    let head = api.http.head(&url).bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!(head.headers()["content-length"], "3");
    let (_, answer) = api.get("/api/2.0/fs/directories/Volumes/main/default/v").await;
    assert_eq!(answer["contents"][0]["path"], "/Volumes/main/default/v/a b");
    let deep = format!("{}/api/2.0/fs/files/Volumes/main/default/v/none/f", api.emulator.url);
    let missing = api.http.put(deep).bearer_auth(TOKEN).body("x").send().await.unwrap();
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
}

#[rstest]
#[tokio::test]
async fn libraries_of_a_stopped_cluster_wait(api: Api) {
    let (_, none) = api.get("/api/2.0/libraries/cluster-status?cluster_id=c1").await;
    assert_eq!(none, json!({ "cluster_id": "c1" }));
    let body = json!({ "cluster_id": "c1", "libraries": [{ "whl": "dbfs:/a-1-py3-none-any.whl" }, { "pypi": { "package": "x" } }] });
    assert_eq!(api.post("/api/2.0/libraries/install", body.clone()).await, (StatusCode::OK, json!({})));
    let status = |listed: Value| -> Vec<_> {
        listed["library_statuses"]
            .as_array()
            .unwrap()
            .iter()
            .map(|s| s["status"].as_str().unwrap().to_owned())
            .collect()
    };
    let path = "/api/2.0/libraries/cluster-status?cluster_id=c1";
    assert_eq!(status(api.get(path).await.1), ["PENDING", "PENDING"]);
    assert_eq!(api.post("/api/2.0/libraries/uninstall", body).await.0, StatusCode::OK);
    assert_eq!(status(api.get(path).await.1), ["UNINSTALL_ON_RESTART", "UNINSTALL_ON_RESTART"]);
}

#[rstest]
#[tokio::test]
async fn a_run_whose_cluster_cannot_start_says_so(api: Api) {
    api.post("/api/2.0/workspace/import", notebook("/Shared/n.py")).await;
    let body = json!({ "existing_cluster_id": "c1", "notebook_task": { "notebook_path": "/Shared/n.py" }, "idempotency_token": "t" });
    let (_, first) = api.post("/api/2.0/jobs/runs/submit", body.clone()).await;
    let (_, again) = api.post("/api/2.2/jobs/runs/submit", body).await;
    assert_eq!(first, again);
    let path = format!("/api/2.1/jobs/runs/get?run_id={}", first["run_id"]);
    let ended = async {
        loop {
            let (_, run) = api.get(&path).await;
            if run["state"]["life_cycle_state"] == "INTERNAL_ERROR" {
                return run;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let run = tokio::time::timeout(std::time::Duration::from_secs(20), ended).await.unwrap();
    assert!(run["state"]["state_message"].as_str().unwrap().contains("--no-drivers"), "{run}");
    assert_eq!(run["status"]["termination_details"]["code"], "CLUSTER_ERROR");
    let (_, cluster) = api.get("/api/2.1/clusters/get?cluster_id=c1").await;
    assert_eq!(
        (&cluster["state"], &cluster["termination_reason"]["code"]),
        (&json!("TERMINATED"), &json!("SPARK_STARTUP_FAILURE"))
    );
}

#[rstest]
#[tokio::test]
async fn a_client_gets_an_oauth_token(api: Api) {
    let url = format!("{}/oidc/v1/token", api.emulator.url);
    let form = [("grant_type", "client_credentials"), ("scope", "all-apis")];
    let ask = |secret: &'static str| api.http.post(&url).basic_auth("app-1", Some(secret)).form(&form).send();
    assert_eq!(ask("wrong").await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let answer: Value = ask("secret-of-app-1").await.unwrap().json().await.unwrap();
    let token = answer["access_token"].as_str().unwrap();
    let me = api.http.get(format!("{}/api/2.0/preview/scim/v2/Me", api.emulator.url)).bearer_auth(token);
    let me: Value = me.send().await.unwrap().json().await.unwrap();
    assert_eq!(me["userName"], "app-1");
}

#[rstest]
#[tokio::test]
async fn ordered_faults_strike_and_are_in_the_journal(api: Api) {
    let path = "/api/2.0/dbfs/mkdirs";
    let order = |fault: Value| api.post("/emulator/faults", fault);
    let target = json!({ "method": "POST", "path": "/api/*/dbfs/" });
    assert_eq!(order(json!({ "match": target, "kind": "after" })).await.0, StatusCode::OK);
    assert_eq!(api.post(path, json!({ "path": "/done" })).await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(api.get("/api/2.0/dbfs/get-status?path=/done").await.0, StatusCode::OK, "it was done all the same");
    order(json!({ "match": target, "kind": "reset" })).await;
    let url = format!("{}{path}", api.emulator.url);
    let broken = api.http.post(&url).bearer_auth(TOKEN).body(r#"{"path":"/not"}"#).send().await;
    assert!(broken.is_err(), "the connection is reset");
    assert_eq!(api.get("/api/2.0/dbfs/get-status?path=/not").await.0, StatusCode::NOT_FOUND);
    order(json!({ "match": target, "kind": "status", "status": 429, "retry_after": 7 })).await;
    let limited = api.http.post(&url).bearer_auth(TOKEN).body("{}").send().await.unwrap();
    assert_eq!((limited.status().as_u16(), &limited.headers()["retry-after"]), (429, &"7".parse().unwrap()));
    assert_eq!(order(json!({ "kind": "hang", "seconds": 1_000_000 })).await.0, StatusCode::BAD_REQUEST);
    let (_, journal) = api.get("/emulator/requests").await;
    let posts: Vec<_> =
        journal["requests"].as_array().unwrap().iter().filter(|note| note["method"] == "POST").collect();
    let faults: Vec<_> = posts.iter().map(|note| note["fault"].as_str().unwrap()).collect();
    assert_eq!(faults, ["after", "reset", "status"]);
    assert!(posts.iter().all(|note| note["path"] == path));
}

#[rstest]
#[tokio::test]
async fn only_the_latest_clusters_of_runs_are_remembered(api: Api) {
    let task =
        json!({ "notebook_task": { "notebook_path": "/n" }, "new_cluster": { "spark_version": "15.4.x-scala2.12" } });
    for _ in 0..105 {
        api.ok("/api/2.2/jobs/runs/submit", task.clone()).await;
    }
    api.until("/api/2.2/jobs/runs/list?active_only=true", |found| found["runs"] == json!([])).await;
    let (_, found) = api.get("/api/2.1/clusters/list").await;
    let (_, rest) = api.get("/api/2.1/clusters/list?page_token=100").await;
    let both = found["clusters"].as_array().into_iter().chain(rest["clusters"].as_array()).flatten();
    assert_eq!(both.filter(|cluster| cluster["cluster_source"] == "JOB").count(), 100);
}
