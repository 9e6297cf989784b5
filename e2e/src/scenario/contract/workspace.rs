//! The workspace as the emulator itself shows it, past Brickline.

use anyhow::Context as _;
use reqwest::Method;
use serde_json::{Value, json};

use crate::system::Team;

/// Whether there is something at this path.
pub(super) async fn has(team: &Team, path: &str) -> anyhow::Result<bool> {
    let (status, _) =
        team.emulator.call(Method::GET, &format!("/api/2.0/workspace/get-status?path={path}"), None).await?;
    Ok(status == 200)
}

/// A run as it is.
pub(super) async fn run(team: &Team, id: u64) -> anyhow::Result<Value> {
    team.emulator.get(&format!("/api/2.1/jobs/runs/get?run_id={id}")).await
}

/// Stops a run.
pub(super) async fn cancel(team: &Team, id: u64) -> anyhow::Result<()> {
    team.emulator.post("/api/2.1/jobs/runs/cancel", &json!({"run_id": id})).await.map(drop)
}

/// The runs whose names begin with this.
pub(super) async fn runs(team: &Team, name: &str) -> anyhow::Result<Vec<Value>> {
    let (mut found, mut page) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/2.1/jobs/runs/list?limit=24&expand_tasks=true{page}");
        let answer = team.emulator.get(&path).await?;
        let runs = answer["runs"].as_array().cloned().unwrap_or_default();
        found.extend(runs.into_iter().filter(|run| run["run_name"].as_str().is_some_and(|has| has.starts_with(name))));
        match answer["next_page_token"].as_str() {
            Some(token) if !token.is_empty() => page = format!("&page_token={token}"),
            _ => return Ok(found),
        }
    }
}

/// The cluster that a run's only task is on.
pub(super) fn cluster_of(run: &Value) -> anyhow::Result<&str> {
    run["tasks"][0]["existing_cluster_id"].as_str().with_context(|| format!("a run without cluster: {run}"))
}

/// Makes requests meet a fault.
pub(super) async fn fault(team: &Team, fault: Value) -> anyhow::Result<()> {
    team.emulator.post("/emulator/faults", &fault).await.map(drop)
}

/// Lets requests pass again.
pub(super) async fn heal(team: &Team) -> anyhow::Result<()> {
    team.emulator.call(Method::DELETE, "/emulator/faults", None).await.map(drop)
}
