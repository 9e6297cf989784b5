//! What the locks stand on: how the API server treats a Lease that somebody else has changed or deleted. The API server
//! that the tests of the locks write to passes the same cases.

use anyhow::ensure;
use brickline_tests::contract::{self, Answered, Leases, Named};
use brickline_tests::{Answer, Lab, Room, Suite};
use http::Method;
use serde_json::{Value, json};

use super::contract::answered;

/// Adds the tests.
pub fn add(suite: &mut Suite) {
    for (number, case) in contract::NAMED.into_iter().enumerate() {
        suite.add(&format!("contract of Leases: {case}"), async move |lab| {
            let real = Real(lab.room("contract-lease").await?);
            contract::check_named(case, &format!("named-{number}"), &real).await.map_err(anyhow::Error::msg)
        });
    }
    for (number, case) in contract::LEASES.into_iter().enumerate() {
        suite.add(&format!("contract of Leases: {case}"), async move |lab| {
            let real = Real(lab.room("contract-lease").await?);
            contract::check_lease(case, &format!("lease-{number}"), &real).await.map_err(anyhow::Error::msg)
        });
    }
    suite.add("the Leases of one holder are found by its uid", found);
}

/// One namespace of the real API server.
struct Real(Room);

impl Named for Real {
    async fn create(&self, name: &str) -> Answered {
        answered(send(&self.0, Method::POST, name, &lease(name, "one")).await)
    }

    async fn get(&self, name: &str) -> Answered {
        answered(self.0.get(&format!("{}/{name}", leases(&self.0))).await)
    }

    async fn delete(&self, name: &str) -> Answered {
        answered(send(&self.0, Method::DELETE, name, &json!({})).await)
    }
}

impl Leases for Real {
    async fn replace(&self, read: &Value, holder: &str) -> Answered {
        let name = name_of(read).unwrap_or_default();
        let mut new = lease(name, holder);
        for field in ["uid", "resourceVersion"] {
            new["metadata"][field] = read["metadata"][field].clone();
        }
        answered(send(&self.0, Method::PUT, name, &new).await)
    }

    async fn delete_read(&self, read: &Value) -> Answered {
        let metadata = &read["metadata"];
        let unchanged = json!({"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]});
        let body = json!({"preconditions": unchanged});
        answered(send(&self.0, Method::DELETE, name_of(read).unwrap_or_default(), &body).await)
    }
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

fn leases(room: &Room) -> String {
    format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases", room.namespace())
}

async fn send(room: &Room, method: Method, name: &str, body: &Value) -> anyhow::Result<Answer> {
    let path = if method == Method::POST { leases(room) } else { format!("{}/{name}", leases(room)) };
    room.send(method, &path, "application/json", body).await
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
