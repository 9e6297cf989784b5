//! What survives the emulator's end and what must not: state is found again, processes are gone.

mod support;

use serde_json::{Value, json};
use std::{path::Path, time::Duration};
use support::{Emulator, TOKEN, python, wait_for};

struct Client(reqwest::Client, tokio::runtime::Runtime);

impl Client {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self(reqwest::Client::new(), runtime)
    }

    fn get(&self, emulator: &Emulator, path: &str) -> Value {
        let request = self.0.get(format!("{}{path}", emulator.url)).bearer_auth(TOKEN);
        self.1.block_on(async { request.send().await.unwrap().json().await.unwrap() })
    }

    fn post(&self, emulator: &Emulator, path: &str, body: &Value) -> Value {
        let request = self.0.post(format!("{}{path}", emulator.url)).bearer_auth(TOKEN).json(body);
        self.1.block_on(async {
            let response = request.send().await.unwrap();
            assert!(response.status().is_success(), "{path}: {}", response.text().await.unwrap());
            response.json().await.unwrap()
        })
    }
}

/// The processes that have `folder` in their command line or environment, the emulator itself left out.
fn drivers(folder: &Path) -> Vec<String> {
    let needle = folder.to_str().unwrap().as_bytes();
    let mentions = |bytes: Vec<u8>| bytes.windows(needle.len()).any(|part| part == needle);
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let process = entry.path();
        let command = std::fs::read(process.join("cmdline")).unwrap_or_default();
        let environment = std::fs::read(process.join("environ")).unwrap_or_default();
        let command_text = String::from_utf8_lossy(&command).replace('\0', " ");
        let is_driver = command_text.contains("brickline_driver") || command_text.contains("SparkSubmit");
        if is_driver && (mentions(command) || mentions(environment)) {
            found.push(command_text);
        }
    }
    found
}

#[test]
fn a_killed_emulator_leaves_no_process_and_finds_its_state_again() {
    let python = python();
    let folder = tempfile::tempdir().unwrap();
    let path = python.display().to_string();
    let more = ["--python", &path, "--cluster", "main", "--start"];
    let client = Client::new();

    let emulator = Emulator::start(folder.path(), &more);
    let source =
        data_encoding::BASE64.encode(b"import subprocess, time\nsubprocess.Popen(['sleep', '600'])\ntime.sleep(600)");
    let import = json!({ "path": "/Shared/slow", "format": "SOURCE", "language": "PYTHON", "content": source });
    client.post(&emulator, "/api/2.0/workspace/import", &import);
    let contents = data_encoding::BASE64.encode(b"kept");
    client.post(&emulator, "/api/2.0/dbfs/put", &json!({ "path": "/a/b.txt", "contents": contents }));
    let submit = json!({ "existing_cluster_id": "main", "notebook_task": { "notebook_path": "/Shared/slow" } });
    let run = client.post(&emulator, "/api/2.2/jobs/runs/submit", &submit)["run_id"].as_i64().unwrap();
    let query = format!("/api/2.2/jobs/runs/get?run_id={run}");
    let minutes = Duration::from_mins(2);
    wait_for("the run", minutes, || {
        (client.get(&emulator, &query)["state"]["life_cycle_state"] == "RUNNING").then_some(())
    });
    assert!(drivers(folder.path()).len() >= 3, "a cluster, its JVM and a worker are there");
    let context = client.get(&emulator, "/api/2.1/clusters/get?cluster_id=main")["spark_context_id"].clone();
    emulator.kill();
    wait_for("the end of the drivers", Duration::from_secs(20), || drivers(folder.path()).is_empty().then_some(()));

    let emulator = Emulator::start(folder.path(), &more);
    let lost = client.get(&emulator, &query);
    assert_eq!(lost["state"]["life_cycle_state"], "INTERNAL_ERROR");
    assert_eq!(lost["status"]["termination_details"]["code"], "CLUSTER_ERROR");
    let read = client.get(&emulator, "/api/2.0/dbfs/read?path=/a/b.txt");
    assert_eq!(read["data"], contents);
    assert_eq!(client.get(&emulator, "/api/2.0/workspace/get-status?path=/Shared/slow")["object_type"], "NOTEBOOK");
    wait_for("the cluster", minutes, || {
        let cluster = client.get(&emulator, "/api/2.1/clusters/get?cluster_id=main");
        (cluster["state"] == "RUNNING").then(|| assert_ne!(cluster["spark_context_id"], context))
    });
    assert!(emulator.terminate(), "the emulator did not leave cleanly");
    wait_for("the end of the drivers", Duration::from_secs(5), || drivers(folder.path()).is_empty().then_some(()));
}
