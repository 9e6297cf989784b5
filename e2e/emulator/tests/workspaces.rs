//! Several workspaces in one process: each has an address, tokens and state of its own.

mod support;

use reqwest::StatusCode;
use serde_json::{Value, json};
use std::io::BufRead;
use support::{TOKEN, api::Api};

#[tokio::test]
async fn workspaces_know_nothing_of_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("prod-tokens");
    std::fs::write(&tokens, "bo@example.com token-of-prod\n").unwrap();
    let prod = format!("prod=127.0.0.1:0,token-file={},cluster=p1", tokens.display());
    let mut api = Api::start(&["--workspace", &prod]);
    let mut line = String::new();
    api.emulator.stdout().read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("prod ").unwrap().to_owned();
    let get = async |token: &str, path: &str| {
        let answer = api.http.get(format!("{url}{path}")).bearer_auth(token).send().await.unwrap();
        let id = answer.headers()["x-databricks-org-id"].clone();
        (answer.status(), id, answer.json::<Value>().await.unwrap())
    };
    assert_eq!(get(TOKEN, "/api/2.0/clusters/list").await.0, StatusCode::FORBIDDEN, "tokens are its own");
    let (_, prod_id, clusters) = get("token-of-prod", "/api/2.0/clusters/list").await;
    assert_eq!(clusters["clusters"][0]["cluster_id"], "p1");
    api.ok("/api/2.0/workspace/mkdirs", json!({ "path": "/Shared/first" })).await;
    let (status, ..) = get("token-of-prod", "/api/2.0/workspace/get-status?path=/Shared/first").await;
    assert_eq!(status, StatusCode::NOT_FOUND, "state is its own");
    let list = format!("{}/api/2.0/clusters/list", api.emulator.url);
    let first = api.http.get(list).bearer_auth(TOKEN).send().await.unwrap();
    assert_ne!(first.headers()["x-databricks-org-id"], prod_id);
    api.ok("/emulator/faults", json!({ "kind": "status", "status": 500 })).await;
    assert_eq!(get("token-of-prod", "/api/2.0/clusters/list").await.0, StatusCode::OK, "faults are its own");
    assert!(api.emulator.terminate(), "the emulator did not leave cleanly");
}
