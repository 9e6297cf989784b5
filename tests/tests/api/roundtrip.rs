//! Statuses with something in every field: taken, given back as they were, and read as the controller reads them.

use anyhow::{Context as _, ensure};
use brickline_crds::{DatabricksReleaseStatus, DatabricksWorkspaceStatus, ReleasePipelineStatus, all_crds};
use brickline_tests::{Lab, Mode, Suite, object};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

const TIME: &str = "2026-11-21T10:00:00Z";

/// Adds the tests.
pub fn add(suite: &mut Suite) {
    suite.add("a workspace's status comes back as it was", async |lab: &Lab| {
        comes_back::<DatabricksWorkspaceStatus>(lab, object::workspace("full"), &workspace()).await
    });
    suite.add("a pipeline's status comes back as it was", async |lab: &Lab| {
        comes_back::<ReleasePipelineStatus>(lab, object::pipeline("full"), &pipeline()).await
    });
    suite.add("a release's status comes back as it was", async |lab: &Lab| {
        comes_back::<DatabricksReleaseStatus>(lab, object::release("full"), &release()).await
    });
    suite.add("an object that nobody has looked at is not current", unseen);
}

async fn comes_back<S: DeserializeOwned + Serialize>(lab: &Lab, object: Value, status: &Value) -> anyhow::Result<()> {
    let kind = object["kind"].as_str().unwrap_or_default().to_owned();
    let crd = all_crds().into_iter().find(|crd| crd.spec.names.kind == kind).context("no such kind")?;
    let schema = serde_json::to_value(&crd.spec.versions[0].schema)?;
    let mut missing = Vec::new();
    left_out(&schema["openAPIV3Schema"]["properties"]["status"], status, "status", &mut missing);
    ensure!(missing.is_empty(), "not tried: {missing:?}");
    let room = lab.room("roundtrip").await?;
    room.create(&object, Mode::Real).await?.accepted()?;
    let meta = json!({"name": object["metadata"]["name"]});
    let applied = json!({"apiVersion": object["apiVersion"], "kind": kind, "metadata": meta, "status": status});
    let stored = room.apply_status(&applied, "brickline").await?.accepted()?;
    ensure!(&stored["status"] == status, "stored {:#}\nbut applied {status:#}", stored["status"]);
    let read = serde_json::to_value(serde_json::from_value::<S>(status.clone())?)?;
    ensure!(&read == status, "the controller reads {read:#}\nbut the API server has {status:#}");
    Ok(())
}

/// The fields of the schema that the value has nothing in.
fn left_out(schema: &Value, value: &Value, path: &str, missing: &mut Vec<String>) {
    if value.is_null() {
        missing.push(path.to_owned());
        return;
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        left_out(field, &value[name], &format!("{path}.{name}"), missing);
    }
    if let Some(items) = value.as_array() {
        // Among several, each field is in one.
        let properties = schema["items"]["properties"].as_object();
        for (name, field) in properties.into_iter().flatten() {
            let filled = items.iter().find(|item| !item[name].is_null()).map_or(&Value::Null, |item| &item[name]);
            left_out(field, filled, &format!("{path}[].{name}"), missing);
        }
        if items.is_empty() {
            missing.push(path.to_owned());
        }
    }
}

fn conditions() -> Value {
    json!([{
        "type": "Ready",
        "status": "False",
        "reason": "Progressing",
        "message": "under way",
        "lastTransitionTime": TIME,
        "observedGeneration": 1,
    }])
}

fn workspace() -> Value {
    json!({
        "observedGeneration": 1,
        "identity": {"userName": "sp-release", "id": "4711"},
        "lastHandledRequestedAt": "1",
        "conditions": conditions(),
    })
}

fn pipeline() -> Value {
    let artifact = json!({
        "release": "dbxdemo-4f2c91d0a7be",
        "run": "20261121.4",
        "commit": "9b1c0de4a1f25c3e7d6b8a9f0c1d2e3f4a5b6c7d",
        "ref": "refs/heads/release",
        "before": "1f2e3d4c5b6a1f2e3d4c5b6a1f2e3d4c5b6a1f2e",
        "artifact": object::digest(),
        "created": TIME,
    });
    json!({
        "observedGeneration": 1,
        "webhookPaths": ["/hooks/data/dbxdemo", "/hooks/data"],
        "observedCommits": [{"ref": "refs/heads/release", "commit": "9b1c0de4a1f25c3e7d6b8a9f0c1d2e3f4a5b6c7d"}],
        "stages": [{"name": "staging", "deployed": artifact, "lastGood": artifact, "promoted": artifact}],
        "polledGeneration": 1,
        "observedArtifacts": [{"pipeline": "libs", "newest": artifact}],
        "lastScheduleTime": TIME,
        "nextScheduleTime": TIME,
        "last": "promotion dbxdemo-4f2c91d0a7be to production",
        "lastHandledRequestedAt": "1",
        "runCounter": {"date": "20261121", "last": 4},
        "conditions": conditions(),
    })
}

fn release() -> Value {
    let counts = json!({"total": 4, "passed": 2, "failed": 1, "skipped": 1});
    json!({
        "observedGeneration": 1,
        "run": "20261121.1",
        "state": "Waiting",
        "waiting": {"reason": "WaitingForWindow", "message": "opens on Monday", "since": TIME, "until": TIME},
        "phase": "Test",
        "result": "SucceededWithIssues",
        "startTime": TIME,
        "completionTime": TIME,
        "duration": "2m10s",
        "activeSeconds": 95,
        "branch": "release",
        "origin": {
            "url": "https://git.example.com/data/dbxdemo.git",
            "ref": "refs/heads/release",
            "commit": "9b1c0de4a1f25c3e7d6b8a9f0c1d2e3f4a5b6c7d",
            "provider": "gitea",
            "credentialsRef": {"name": "git"},
        },
        "variables": {"params.env": "staging", "workspace.vars.catalog": "main_staging"},
        "approvals": [{"approver": "ana@example.com", "decision": "Approved", "comment": "seen", "time": TIME}],
        "locks": [{"name": "lock-0123456789abcdef0123", "target": "cluster 0123-456789-abc", "kept": true}],
        "phases": [build(), test()],
        "artifact": {"digest": object::digest(), "size": 12345, "uri": "releases/data/0b7c2c1e/1/artifact.zip"},
        "tests": {
            "summary": "3/4",
            "build": counts,
            "notebooks": counts,
            "firstFailures": [{"name": "notebooks/a.py: TestA.test_b", "message": "1 != 2", "page": "https://adb-1.2.azuredatabricks.net/#job/1/run/7"}],
            "report": "releases/data/0b7c2c1e/1/junit.xml",
        },
        "changes": {"added": 2, "changed": 1, "removed": 1, "drifted": 1, "unchanged": 7, "libraries": 1, "report": "releases/data/0b7c2c1e/deploy/plan.json"},
        "jobs": [{"name": "nightly", "id": 901_234_567_890_123_i64, "nextRun": TIME}],
        "issues": [{"reason": "NotebookFailed", "name": "notebooks/a.py", "message": "passed when run again"}],
        "issueCount": 1,
        "waited": [{"reason": "WaitingForApproval", "seconds": 90}],
        "lastHandledRequestedAt": "1",
        "reported": "failure",
        "traceId": "0af7651916cd43dd8448eb211c80319c",
        "conditions": conditions(),
    })
}

fn build() -> Value {
    json!({
        "name": "Build",
        "state": "Running",
        "attempts": 2,
        "faults": 1,
        "retries": 3,
        "startTime": TIME,
        "retryAt": TIME,
        "reason": "RunnerLost",
        "message": "the node is gone",
        "jobs": [
            {"name": "artifact", "state": "Running", "attempts": 2, "startTime": TIME, "retryAt": TIME},
            {"name": "unit.py311", "state": "Failed", "attempts": 1, "startTime": TIME, "completionTime": TIME,
             "reason": "TestsFailed", "message": "1 of 9 tests failed"},
        ],
        "stopping": {"state": "TimedOut", "reason": "TimedOut", "message": "after 1h", "since": TIME, "teardown": TIME, "asked": true},
    })
}

fn test() -> Value {
    let restart = json!({"cluster": "0123-456789-abc", "contextBefore": "8129400481", "since": TIME});
    json!({
        "name": "Test",
        "state": "Failed",
        "attempts": 1,
        "completionTime": TIME,
        "ticket": {
            "job": "dbxdemo-4f2c91d0a7be-build-2",
            "deploy": {"sequence": 7},
            "bundle": {"job": "dbxdemo-4f2c91d0a7be-4a49acf8-bundle-1", "created": true},
            "restarts": [restart],
            "starts": [{"cluster": "0123-456789-abd", "since": TIME}],
            "additions": ["0123-456789-abe"],
            "idleSince": TIME,
            "idleSeconds": 90,
            "notebooks": 5000,
            "done": 17,
            "verdict": {"reason": "InnerTestsFailed", "message": "1 != 2"},
            "inFlight": [{"index": 17, "try": 1, "runId": 901_234_567_890_123_i64, "failed": "1 != 2"}],
        },
    })
}

/// kstatus takes an object without a status for current, and Helm's `--wait` would be content at once.
async fn unseen(lab: &Lab) -> anyhow::Result<()> {
    let room = lab.room("unseen").await?;
    for new in [object::workspace("new"), object::pipeline("new"), object::release("new")] {
        let kind = new["kind"].as_str().unwrap_or_default().to_owned();
        let made = room.create(&new, Mode::Real).await?.accepted()?;
        let read = room.get(&format!("{}/new", room.collection(&kind)?)).await?.accepted()?;
        for seen in [&made, &read] {
            ensure!(seen["status"]["observedGeneration"] == -1, "{kind}: {}", seen["status"]);
            ensure!(seen["metadata"]["generation"] == 1, "{kind}: {}", seen["metadata"]["generation"]);
        }
    }
    Ok(())
}
