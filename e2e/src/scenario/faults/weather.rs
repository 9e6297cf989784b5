//! Bad weather: a workspace that refuses, hangs up, lies and forgets, while a release goes on.

use anyhow::ensure;
use brickline_crds::{DatabricksRelease, ReleaseResult};
use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::super::road::status;
use crate::{forge::Change, system::Team};

/// What the requests of one release meet, each on the way of a different phase. All of it passes.
fn script() -> Vec<Value> {
    let fault = |method: &str, path: &str, fault: Value| {
        let mut order = json!({"match": {"method": method, "path": path}});
        if let (Some(whole), Some(part)) = (order.as_object_mut(), fault.as_object()) {
            whole.extend(part.clone());
        }
        order
    };
    let refused = json!({"kind": "status", "status": 429, "error_code": "REQUEST_LIMIT_EXCEEDED", "retry_after": 1});
    let busy = json!({"kind": "status", "status": 429, "error_code": "RESOURCE_EXHAUSTED", "times": 2});
    let down = json!({"kind": "status", "status": 503, "error_code": "TEMPORARILY_UNAVAILABLE"});
    vec![
        fault("POST", "/api/*/workspace/import", refused),
        fault("POST", "/api/*/workspace-files/import-file", json!({"kind": "after_reset"})),
        fault("GET", "/api/*/libraries/cluster-status", busy),
        fault("POST", "/api/*/libraries/install", json!({"kind": "after", "status": 503})),
        fault("GET", "/api/*/clusters/get", json!({"kind": "xml200"})),
        // Done, but the answer is lost: the same token must find the same run.
        fault("POST", "/api/*/jobs/runs/submit", json!({"kind": "after", "status": 503})),
        fault("GET", "/api/*/jobs/runs/get-output", down.clone()),
        fault("GET", "/api/*/jobs/runs/export", json!({"kind": "reset"})),
        fault("GET", "/api/*/jobs/runs/list", json!({"kind": "xml200"})),
        fault("GET", "/api/*/jobs/runs/get", down),
    ]
}

/// A merge is released as on a good day: nothing is done twice, and nobody has to do anything.
pub(super) async fn a_release_goes_through(team: &Team) -> anyhow::Result<()> {
    let merged = team.repository.merge(&Change::Behaviour).await?;
    team.emulator.post("/emulator/faults", &Value::Array(script())).await?;
    let name = team.release_of(&merged.commit).await?;
    let release = team.finished(&name).await?;
    team.emulator.call(reqwest::Method::DELETE, "/emulator/faults", None).await?;
    good(team, &release).await
}

async fn good(team: &Team, release: &DatabricksRelease) -> anyhow::Result<()> {
    let (name, status) = (release.name_any(), status(release)?);
    let phases: Vec<_> = status.phases.iter().map(|phase| format!("{}: {}", phase.name, phase.message)).collect();
    ensure!(status.result == ReleaseResult::Succeeded, "{name} ended {}: {}", status.result, phases.join("; "));
    let runs = team.emulator.get("/api/2.2/jobs/runs/list?limit=24").await?;
    let runs = runs["runs"].as_array().cloned().unwrap_or_default();
    ensure!(runs.len() == 1, "one notebook has {} runs", runs.len());
    let met = team.emulator.requests(0).await?.iter().filter(|request| !request["fault"].is_null()).count();
    ensure!(met >= 8, "only {met} requests met a fault: the script is out of date");
    Ok(())
}
