//! What the locks stand on: how the API server treats a Lease that somebody else has changed or deleted.

use anyhow::ensure;
use brickline_tests::{Answer, Lab, Room, Suite};
use http::Method;
use serde_json::{Value, json};

/// The Lease of every test.
const NAME: &str = "lock-0123456789abcdef0123";

/// Adds the tests.
pub fn add(suite: &mut Suite) {
    suite.add("a Lease is created by one of two", once);
    suite.add("a Lease is replaced only over the version that was read", replaced);
    suite.add("a Lease that was deleted meanwhile is not made again by a replacement", gone);
    suite.add("a Lease is deleted only in the version that was read", deleted);
    suite.add("the Leases of one holder are found by its uid", found);
}

fn lease(name: &str, uid: &str) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": name,
            "labels": {
                "app.kubernetes.io/managed-by": "brickline",
                "brickline.dev/lock": "cluster",
                "brickline.dev/release-uid": uid,
            },
        },
        "spec": {"holderIdentity": uid, "acquireTime": "2026-11-21T10:00:00.000000Z"},
    })
}

/// The same Lease in other hands, over the version that `read` has.
fn taken_over(read: &Value, uid: &str) -> Value {
    let mut new = lease(NAME, uid);
    for field in ["uid", "resourceVersion"] {
        new["metadata"][field] = read["metadata"][field].clone();
    }
    new
}

fn leases(room: &Room) -> String {
    format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases", room.namespace())
}

async fn send(room: &Room, method: Method, name: &str, body: &Value) -> anyhow::Result<Answer> {
    let path = if method == Method::POST { leases(room) } else { format!("{}/{name}", leases(room)) };
    room.send(method, &path, "application/json", body).await
}

async fn once(lab: &Lab) -> anyhow::Result<()> {
    let room = lab.room("lock-once").await?;
    send(&room, Method::POST, NAME, &lease(NAME, "one")).await?.accepted()?;
    let second = send(&room, Method::POST, NAME, &lease(NAME, "two")).await?;
    second.refused(409, "already exists")?;
    ensure!(second.body["reason"] == "AlreadyExists", "{}", second.body);
    Ok(())
}

async fn replaced(lab: &Lab) -> anyhow::Result<()> {
    let room = lab.room("lock-replaced").await?;
    let read = send(&room, Method::POST, NAME, &lease(NAME, "one")).await?.accepted()?;
    let taken = send(&room, Method::PUT, NAME, &taken_over(&read, "two")).await?.accepted()?;
    ensure!(taken["metadata"]["uid"] == read["metadata"]["uid"] && taken["spec"]["holderIdentity"] == "two");
    let late = send(&room, Method::PUT, NAME, &taken_over(&read, "three")).await?;
    late.refused(409, "the object has been modified")?;
    Ok(())
}

/// The API server makes Leases that are put where none is, but not those that name an object that is gone.
async fn gone(lab: &Lab) -> anyhow::Result<()> {
    let room = lab.room("lock-gone").await?;
    let read = send(&room, Method::POST, NAME, &lease(NAME, "one")).await?.accepted()?;
    send(&room, Method::DELETE, NAME, &json!({})).await?.accepted()?;
    let late = send(&room, Method::PUT, NAME, &taken_over(&read, "two")).await?;
    ensure!(matches!(late.status, 404 | 409), "{}: {}", late.status, late.body);
    send(&room, Method::POST, NAME, &lease(NAME, "three")).await?.accepted()?;
    let late = send(&room, Method::PUT, NAME, &taken_over(&read, "two")).await?;
    ensure!(late.status == 409, "{}: {}", late.status, late.body);
    Ok(())
}

async fn deleted(lab: &Lab) -> anyhow::Result<()> {
    let room = lab.room("lock-deleted").await?;
    let read = send(&room, Method::POST, NAME, &lease(NAME, "one")).await?.accepted()?;
    let taken = send(&room, Method::PUT, NAME, &taken_over(&read, "two")).await?.accepted()?;
    let unchanged = |object: &Value| {
        let metadata = &object["metadata"];
        json!({"preconditions": {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}})
    };
    let late = send(&room, Method::DELETE, NAME, &unchanged(&read)).await?;
    ensure!(late.status == 409 && late.body["reason"] == "Conflict", "{}: {}", late.status, late.body);
    send(&room, Method::DELETE, NAME, &unchanged(&taken)).await?.accepted()?;
    let twice = send(&room, Method::DELETE, NAME, &unchanged(&taken)).await?;
    ensure!(twice.status == 404, "{}: {}", twice.status, twice.body);
    Ok(())
}

async fn found(lab: &Lab) -> anyhow::Result<()> {
    let room = lab.room("lock-found").await?;
    for (name, uid) in [("lock-a", "one"), ("lock-b", "two"), ("lock-c", "one")] {
        send(&room, Method::POST, name, &lease(name, uid)).await?.accepted()?;
    }
    let selector = "brickline.dev%2Flock%2Cbrickline.dev%2Frelease-uid%3Done";
    let list = room.get(&format!("{}?labelSelector={selector}", leases(&room))).await?.accepted()?;
    let names: Vec<&str> = list["items"].as_array().into_iter().flatten().filter_map(name_of).collect();
    ensure!(names == ["lock-a", "lock-c"], "{names:?}");
    Ok(())
}

fn name_of(object: &Value) -> Option<&str> {
    object["metadata"]["name"].as_str()
}
