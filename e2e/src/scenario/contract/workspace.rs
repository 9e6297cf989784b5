//! The workspace as the emulator itself shows it, past Brickline.

use std::time::Duration;

use anyhow::Context as _;
use reqwest::Method;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::system::Team;

/// Asks the emulator.
async fn call(team: &Team, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<(u16, Value)> {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build()?;
    let url = format!("{}{path}", team.emulator);
    let request = client.request(method, url).bearer_auth(team.token.expose_secret());
    let request = body.into_iter().fold(request, |request, body| request.json(&body));
    let answer = request.send().await?;
    let status = answer.status().as_u16();
    Ok((status, answer.json().await.unwrap_or_default()))
}

/// Whether there is something at this path.
pub(super) async fn has(team: &Team, path: &str) -> anyhow::Result<bool> {
    let (status, _) = call(team, Method::GET, &format!("/api/2.0/workspace/get-status?path={path}"), None).await?;
    Ok(status == 200)
}

/// A run as it is.
pub(super) async fn run(team: &Team, id: u64) -> anyhow::Result<Value> {
    let (status, run) = call(team, Method::GET, &format!("/api/2.1/jobs/runs/get?run_id={id}"), None).await?;
    anyhow::ensure!(status == 200, "run {id}: {status} {run}");
    Ok(run)
}

/// Stops a run.
pub(super) async fn cancel(team: &Team, id: u64) -> anyhow::Result<()> {
    let (status, said) = call(team, Method::POST, "/api/2.1/jobs/runs/cancel", Some(json!({"run_id": id}))).await?;
    anyhow::ensure!(status == 200, "run {id}: {status} {said}");
    Ok(())
}

/// The runs whose names begin with this.
pub(super) async fn runs(team: &Team, name: &str) -> anyhow::Result<Vec<Value>> {
    let (mut found, mut page) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/2.1/jobs/runs/list?limit=25&expand_tasks=true{page}");
        let (_, answer) = call(team, Method::GET, &path, None).await?;
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
    let (status, said) = call(team, Method::POST, "/emulator/faults", Some(fault)).await?;
    anyhow::ensure!(status < 300, "the fault was refused: {said}");
    Ok(())
}

/// Lets requests pass again.
pub(super) async fn heal(team: &Team) -> anyhow::Result<()> {
    call(team, Method::DELETE, "/emulator/faults", Some(json!({}))).await.map(drop)
}
