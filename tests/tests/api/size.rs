//! Sizes: what a release may hold at most stays far below what etcd takes.

use anyhow::ensure;
use brickline_tests::{Lab, Mode, Suite, object};
use serde_json::{Map, Value, json};

const TIME: &str = "2026-11-21T10:00:00Z";
/// The most that a status may have.
const LIMIT: usize = 64 << 10;

/// Adds the tests.
pub fn add(suite: &mut Suite) {
    suite.add("the status of a release of 5,000 notebooks is small", small);
    suite.add("a release and a pipeline of the largest size in use are taken", large);
}

/// Names and messages as long as real ones get: a traceback's tail, a path of a dozen folders.
fn text(length: usize) -> String {
    "notebooks/domain/table.py ".chars().cycle().take(length).collect()
}

fn many(count: usize, item: impl Fn(usize) -> Value) -> Vec<Value> {
    (0..count).map(item).collect()
}

/// In the middle of Test, when everything has gone wrong that can.
fn status() -> Value {
    let kinds =
        ["Ready", "Reconciling", "Stalled", "Succeeded", "Built", "Deployed", "Installed", "Tested", "Operated"];
    // A phase's condition has the beginning of what the phase says.
    let conditions = kinds.map(|kind| {
        let message = text(if kind.ends_with("ed") && kind != "Stalled" && kind != "Succeeded" { 512 } else { 1024 });
        json!({"type": kind, "status": "False", "reason": "ProgressingWithRetry", "message": message,
               "lastTransitionTime": TIME, "observedGeneration": 3})
    });
    let phases = ["Build", "Deploy", "Install", "Test", "Operate"].map(|name| {
        json!({"name": name, "state": "SucceededWithIssues", "attempts": 20, "faults": 20, "retries": 99, "startTime": TIME,
               "completionTime": TIME, "reason": "InnerTestsFailed", "message": text(1024)})
    });
    let variables: Map<_, _> = (0..64).map(|number| (format!("params.variable{number}"), json!(text(64)))).collect();
    let in_flight = many(
        50,
        |index| json!({"index": 4950 + index, "try": 5, "runId": 901_234_567_890_123_i64, "failed": text(80)}),
    );
    let waited = ["WaitingForApproval", "WaitingForWindow", "WaitingForSlot", "DependencyNotReady"]
        .map(|reason| json!({"reason": reason, "seconds": 86_400}));
    let mut status = json!({
        "observedGeneration": 3,
        "run": "20261121.1234",
        "state": "Running",
        "phase": "Test",
        "waiting": {"reason": "WaitingForCluster", "message": text(512), "since": TIME},
        "waited": waited,
        "startTime": TIME,
        "branch": text(64),
        "activeSeconds": 7000,
        "variables": variables,
        "approvals": many(3, |n| json!({"approver": format!("person{n}@example.com"), "decision": "Approved", "comment": text(200), "time": TIME})),
        "locks": many(10, |n| json!({"name": format!("lock-0123456789abcdef01{n}"), "target": text(120)})),
        "phases": phases,
        "artifact": {"digest": object::digest(), "size": 123_456_789, "uri": text(120)},
        "tests": {
            "summary": "19999/20000",
            "build": {"total": 15000, "passed": 14999, "failed": 1, "skipped": 0},
            "notebooks": {"total": 5000, "passed": 4990, "failed": 10, "skipped": 0},
            "firstFailures": many(10, |_| json!({"name": text(160), "message": text(1024), "page": text(256)})),
            "report": text(120),
        },
        "jobs": many(16, |n| json!({"name": format!("{}{n}", text(100)), "id": 901_234_567_890_123_i64, "nextRun": TIME})),
        "issues": many(20, |_| json!({"reason": "NotebookFailed", "name": text(160), "message": text(256)})),
        "issueCount": 5000,
        "traceId": "0af7651916cd43dd8448eb211c80319c",
        "conditions": conditions,
    });
    status["phases"][0]["jobs"] = json!(many(13, |n| {
        json!({"name": format!("{}.{n}", text(38)), "state": "SucceededWithIssues", "attempts": 20, "startTime": TIME,
               "completionTime": TIME, "reason": "TestsFailed", "message": text(64)})
    }));
    status["phases"][3]["ticket"] = json!({
        "notebooks": 5000,
        "done": 4950,
        "verdict": {"reason": "InnerTestsFailed", "message": text(2048)},
        "inFlight": in_flight,
    });
    status["phases"][3]["stopping"] =
        json!({"state": "TimedOut", "reason": "TimedOut", "message": text(1024), "since": TIME, "asked": true});
    status
}

async fn small(lab: &Lab) -> anyhow::Result<()> {
    let room = lab.room("size").await?;
    let release = object::release("big");
    room.create(&release, Mode::Real).await?.accepted()?;
    let meta = json!({"name": "big"});
    let applied =
        json!({"apiVersion": release["apiVersion"], "kind": release["kind"], "metadata": meta, "status": status()});
    let stored = room.apply_status(&applied, "brickline").await?.accepted()?;
    let bytes = stored["status"].to_string().len();
    println!("the largest status has {bytes} bytes of {LIMIT}");
    ensure!(bytes < LIMIT, "{bytes} bytes");
    // What is stored has a second list of all fields in it: still far from etcd's 1.5 MiB.
    ensure!(stored.to_string().len() < 4 * LIMIT, "{} bytes in all", stored.to_string().len());
    Ok(())
}

/// A plan with every list full of what people write in it.
fn plan() -> Value {
    let parameters: Map<_, _> = (0..64).map(|number| (format!("widget{number}"), json!(text(200)))).collect();
    let globs = many(100, |number| json!(format!("libraries/python/team{number}/**")));
    json!({
        "build": {"include": globs, "exclude": globs, "wheels": globs},
        "deploy": {"items": many(100, |n| json!({"from": format!("notebooks/team{n}/**"), "to": format!("/Shared/$(params.env)/team{n}")}))},
        "install": {"clusters": many(8, |number| json!(format!("cluster-{number}")))},
        "test": {"allowOtherCluster": true, "notebooks": many(50, |n| json!({"match": format!("notebooks/team{n}/**"), "parameters": parameters}))},
        "tags": many(16, |number| json!(format!("tag-{number}"))),
    })
}

async fn large(lab: &Lab) -> anyhow::Result<()> {
    let room = lab.room("size").await?;
    let parameters: Map<_, _> = (0..64).map(|number| (format!("p{number}"), json!(text(200)))).collect();
    let mut release = object::with(object::release("large"), "spec.parameters", json!(parameters));
    for (part, value) in plan().as_object().into_iter().flatten() {
        release = object::with(release, &format!("spec.{part}"), value.clone());
    }
    room.create(&release, Mode::Real).await?.accepted()?;
    let suspended = json!({"spec": {"suspend": true}});
    room.merge("DatabricksRelease", "large", &suspended, Mode::Real).await?.accepted()?;
    let mut pipeline = object::with(object::pipeline("large"), "spec.template.spec", plan());
    // Each stage has parts of its own.
    let stages = many(16, |number| {
        let overrides = json!({"deploy": {"items": plan()["deploy"]["items"]}, "timeouts": {"test": "3h"}});
        json!({"name": format!("s{number}"), "workspaceRef": {"name": "w"}, "parameters": {"p0": "a"}, "overrides": overrides})
    });
    pipeline = object::with(pipeline, "spec.stages", json!(stages));
    pipeline = object::with(pipeline, "spec.parameters", json!(many(64, |n| json!({"name": format!("p{n}")}))));
    room.create(&pipeline, Mode::Real).await?.accepted().map(drop)
}
