//! The scripts that Brickline replaces, written anew from their description, with their pauses: import the notebook, put the
//! wheel on DBFS, uninstall, restart, install, submit, poll, judge. One thing after the other, as a release agent runs them.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use data_encoding::BASE64;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::system::Emulator;

/// The pause between two looks at a restarting cluster.
const RESTART_PAUSE: Duration = Duration::from_secs(30);
/// The pause between two looks at a run, and how many looks there are before the script gives up.
const RUN_PAUSE: Duration = Duration::from_secs(10);
const RUN_LOOKS: u32 = 13;

/// What the scripts release.
pub(super) struct Release<'a> {
    pub(super) cluster: &'a str,
    /// The notebook's name and content.
    pub(super) notebook: (&'a str, &'a [u8]),
    /// The wheel's file name and content.
    pub(super) wheel: (&'a str, &'a [u8]),
}

/// How a release by the scripts went.
pub(super) struct Ran {
    pub(super) took: Duration,
    /// What their evaluation says: the run's `result_state`.
    pub(super) result: String,
}

/// Runs all of them.
pub(super) async fn run(workspace: &Emulator, release: &Release<'_>) -> anyhow::Result<Ran> {
    let begun = Instant::now();
    let (name, content) = release.notebook;
    let notebook = format!("/Shared/{name}");
    let import = json!({
        "path": notebook, "format": "SOURCE", "language": "PYTHON", "overwrite": true, "content": BASE64.encode(content),
    });
    workspace.post("/api/2.0/workspace/import", &import).await?;
    let (wheel, content) = release.wheel;
    let library = format!("/libraries/python/libs/{wheel}");
    let put = json!({"path": library, "contents": BASE64.encode(content), "overwrite": true});
    workspace.post("/api/2.0/dbfs/put", &put).await?;
    install(workspace, release.cluster, &format!("dbfs:{library}")).await?;
    let result = execute(workspace, release.cluster, &notebook).await?;
    Ok(Ran { took: begun.elapsed(), result })
}

/// Uninstalls and restarts if a library of this path is there, then installs.
async fn install(workspace: &Emulator, cluster: &str, library: &str) -> anyhow::Result<()> {
    let change = json!({"cluster_id": cluster, "libraries": [{"whl": library}]});
    let statuses = workspace.get(&format!("/api/2.0/libraries/cluster-status?cluster_id={cluster}")).await?;
    let installed = statuses["library_statuses"].as_array().map(Vec::as_slice).unwrap_or_default();
    if installed.iter().any(|status| status["library"]["whl"] == library) {
        workspace.post("/api/2.0/libraries/uninstall", &change).await?;
        workspace.post("/api/2.0/clusters/restart", &json!({"cluster_id": cluster})).await?;
        loop {
            sleep(RESTART_PAUSE).await;
            let state = workspace.get(&format!("/api/2.0/clusters/get?cluster_id={cluster}")).await?;
            if ["TERMINATED", "RUNNING", "INTERNAL_ERROR", "SKIPPED"].iter().any(|end| state["state"] == *end) {
                break;
            }
        }
    }
    workspace.post("/api/2.0/libraries/install", &change).await.map(drop)
}

/// Submits the notebook and asks until it is over; answers how it ended.
async fn execute(workspace: &Emulator, cluster: &str, notebook: &str) -> anyhow::Result<String> {
    let submit = json!({
        "run_name": "notebook", "existing_cluster_id": cluster, "timeout_seconds": 3600,
        "notebook_task": {"notebook_path": notebook},
    });
    let submitted = workspace.post("/api/2.0/jobs/runs/submit", &submit).await?;
    let id = submitted["run_id"].as_i64().context("no run_id")?;
    let mut run = Value::Null;
    for _ in 0..RUN_LOOKS {
        sleep(RUN_PAUSE).await;
        run = workspace.get(&format!("/api/2.0/jobs/runs/get?run_id={id}")).await?;
        let state = &run["state"]["life_cycle_state"];
        if ["TERMINATED", "INTERNAL_ERROR", "SKIPPED"].iter().any(|end| state == end) {
            break;
        }
    }
    let result = run["state"]["result_state"].as_str().unwrap_or_default().to_owned();
    ensure!(!result.is_empty(), "the scripts gave up while the run went on: {run}");
    Ok(result)
}
