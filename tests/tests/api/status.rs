//! The status of a release: how it is applied, merged and printed.

use anyhow::ensure;
use brickline_tests::{Answer, Lab, Mode, Room, Suite, object};
use serde_json::{Value, json};

/// Adds the tests.
pub fn add(suite: &mut Suite) {
    suite.add("a status applied from a stale read is a conflict", stale);
    suite.add("a status applied by name alone wipes what it leaves out", wiped);
    suite.add("conditions merge by type and phases by name", merged);
    suite.add("a status is bounded", bounded);
    suite.add("a status leaves the spec alone", apart);
}

/// What [`apply`] needs to know of an object.
fn status(name: &str, version: Option<&Value>, status: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "brickline.dev/v1alpha1",
        "kind": "DatabricksRelease",
        "metadata": {"name": name},
        "status": status,
    });
    if let Some(version) = version {
        object["metadata"]["resourceVersion"] = version.clone();
    }
    object
}

async fn release(room: &Room, name: &str) -> anyhow::Result<Value> {
    room.create(&object::release(name), Mode::Real).await?.accepted()
}

fn condition(kind: &str, holds: &str) -> Value {
    json!({
        "type": kind,
        "status": holds,
        "reason": "Progressing",
        "message": "under way",
        "lastTransitionTime": "2026-11-21T10:00:00Z",
        "observedGeneration": 1,
    })
}

/// With the version it has read, a writer that was overtaken learns of it.
async fn stale(lab: &Lab) -> anyhow::Result<()> {
    let room = lab.room("stale").await?;
    let read = release(&room, "it").await?;
    let version = &read["metadata"]["resourceVersion"];
    let first = status("it", Some(version), &json!({"state": "Running", "run": "20261121.1"}));
    let applied = room.apply_status(&first, "brickline").await?.accepted()?;
    ensure!(applied["status"]["run"] == "20261121.1", "{}", applied["status"]);
    let late = status("it", Some(version), &json!({"state": "Pending"}));
    room.apply_status(&late, "brickline").await?.refused(409, "the object has been modified")?;
    let now = &applied["metadata"]["resourceVersion"];
    let next = status("it", Some(now), &json!({"state": "Finishing", "run": "20261121.1"}));
    let applied = room.apply_status(&next, "brickline").await?.accepted()?;
    ensure!(applied["status"]["state"] == "Finishing", "{}", applied["status"]);
    Ok(())
}

/// The reason for the version above: without it the API server says yes, and newer fields are gone.
async fn wiped(lab: &Lab) -> anyhow::Result<()> {
    let room = lab.room("wiped").await?;
    release(&room, "it").await?;
    room.apply_status(&status("it", None, &json!({"run": "20261121.1"})), "brickline").await?.accepted()?;
    let late = room.apply_status(&status("it", None, &json!({"state": "Pending"})), "brickline").await?.accepted()?;
    ensure!(late["status"]["run"] != "20261121.1", "{}", late["status"]);
    Ok(())
}

async fn merged(lab: &Lab) -> anyhow::Result<()> {
    let room = lab.room("merged").await?;
    release(&room, "it").await?;
    let apply = async |manager, part: Value| -> anyhow::Result<Value> {
        room.apply_status(&status("it", None, &part), manager).await.and_then(Answer::accepted)
    };
    apply("one", json!({"conditions": [condition("Ready", "False")], "phases": [{"name": "Build", "attempts": 1}]}))
        .await?;
    let both = json!({"conditions": [condition("Built", "True")], "phases": [{"name": "Deploy", "attempts": 2}]});
    let stored = apply("two", both).await?;
    ensure!(keys(&stored["status"]["conditions"], "type") == ["Ready", "Built"], "{}", stored["status"]);
    ensure!(keys(&stored["status"]["phases"], "name") == ["Build", "Deploy"], "{}", stored["status"]);
    let changed = json!({"conditions": [condition("Ready", "True")], "phases": [{"name": "Build", "attempts": 3}]});
    let stored = apply("one", changed).await?;
    ensure!(keys(&stored["status"]["conditions"], "status") == ["True", "True"], "{}", stored["status"]);
    ensure!(stored["status"]["phases"][0]["attempts"] == 3 && stored["status"]["phases"][1]["attempts"] == 2);
    let twice = json!({"conditions": [condition("Ready", "True"), condition("Ready", "False")]});
    let answer = room.apply_status(&status("it", None, &twice), "one").await?;
    ensure!(answer.status >= 400, "two conditions of one type were taken");
    Ok(())
}

fn keys<'a>(list: &'a Value, key: &str) -> Vec<&'a str> {
    list.as_array().into_iter().flatten().filter_map(|item| item[key].as_str()).collect()
}

async fn bounded(lab: &Lab) -> anyhow::Result<()> {
    let room = lab.room("bounded").await?;
    release(&room, "it").await?;
    let failures = |count: usize| json!({"tests": {"firstFailures": vec![json!({"name": "a"}); count]}});
    let many: Vec<Value> = (0..17).map(|number| condition(&format!("C{number}"), "True")).collect();
    let long = json!({"phases": [{"name": "Build", "message": "a".repeat(4097)}]});
    let wrong = [
        (failures(11), "must have at most 10 items"),
        (json!({"conditions": many}), "must have at most 16 items"),
        (long, "may not be more than 4096"),
        (json!({"result": "Great"}), "Unsupported value: \"Great\""),
        (json!({"phases": [{"name": "Lunch"}]}), "Unsupported value: \"Lunch\""),
    ];
    for (part, words) in wrong {
        room.apply_status(&status("it", None, &part), "brickline").await?.refused(422, words)?;
    }
    room.apply_status(&status("it", None, &failures(10)), "brickline").await?.accepted().map(drop)
}

/// A writer of the status can't change what is released.
async fn apart(lab: &Lab) -> anyhow::Result<()> {
    let room = lab.room("apart").await?;
    let before = release(&room, "it").await?;
    let mut both = status("it", None, &json!({"run": "20261121.1"}));
    both["spec"] = before["spec"].clone();
    both["spec"]["suspend"] = json!(true);
    let after = room.apply_status(&both, "brickline").await?.accepted()?;
    ensure!(after["spec"] == before["spec"], "{}", after["spec"]);
    ensure!(after["metadata"]["generation"] == before["metadata"]["generation"]);
    Ok(())
}
