//! What the controller takes for granted of an API server, tried on a real one. The controller's simulator passes the
//! same cases.

use brickline_tests::contract::{self, Answered, ApiServer, Named};
use brickline_tests::{Answer, Mode, Room, Suite, object};
use futures::{StreamExt, TryStreamExt};
use http::{Method, Request};
use kube::Client;
use kube::core::WatchEvent;
use serde_json::{Value, json};

const KIND: &str = "DatabricksRelease";

/// Adds the tests.
pub fn add(suite: &mut Suite) {
    for (number, case) in contract::CASES.into_iter().enumerate() {
        suite.add(&format!("contract: {case}"), async move |lab| {
            let real = Real { client: lab.client(), room: lab.room("contract").await? };
            contract::check(case, &format!("case-{number}"), &real).await.map_err(anyhow::Error::msg)
        });
    }
    for (number, case) in contract::NAMED.into_iter().enumerate() {
        suite.add(&format!("contract of Jobs: {case}"), async move |lab| {
            let real = Jobs(lab.room("contract-job").await?);
            contract::check_named(case, &format!("named-{number}"), &real).await.map_err(anyhow::Error::msg)
        });
    }
}

/// One namespace of the real API server.
struct Real {
    client: Client,
    room: Room,
}

impl Real {
    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.room.collection(KIND).unwrap_or_default())
    }
}

/// The object, or the status of the refusal; 0 if there was no answer at all.
pub fn answered(answer: anyhow::Result<Answer>) -> Answered {
    let answer = answer.map_err(|_| 0_u16)?;
    if answer.status < 300 { Ok(answer.body) } else { Err(answer.status) }
}

impl ApiServer for Real {
    async fn create(&self, name: &str) -> Answered {
        answered(self.room.create(&object::release(name), Mode::Real).await)
    }

    async fn get(&self, name: &str) -> Answered {
        answered(self.room.get(&self.path(name)).await)
    }

    async fn apply_status(&self, name: &str, version: Option<&str>, status: &Value) -> Answered {
        let mut object = json!({
            "apiVersion": "brickline.dev/v1alpha1",
            "kind": KIND,
            "metadata": {"name": name},
            "status": status,
        });
        if let Some(version) = version {
            object["metadata"]["resourceVersion"] = json!(version);
        }
        answered(self.room.apply_status(&object, "brickline").await)
    }

    async fn merge(&self, name: &str, change: &Value) -> Answered {
        answered(self.room.merge(KIND, name, change, Mode::Real).await)
    }

    async fn delete(&self, name: &str) -> Answered {
        answered(self.room.send(Method::DELETE, &self.path(name), "application/json", &json!({})).await)
    }

    async fn watch(&self, name: &str, since: &str, count: usize) -> Result<Vec<Value>, u16> {
        let path = self.room.collection(KIND).unwrap_or_default();
        let query = format!("watch=true&resourceVersion={since}&fieldSelector=metadata.name={name}");
        let request = Request::get(format!("{path}?{query}&timeoutSeconds=20")).body(Vec::new());
        let request = request.map_err(|_| 0_u16)?;
        let events = self.client.request_events::<Value>(request).await.map_err(|_| 0_u16)?;
        let objects = events.map(|event| match event {
            Ok(WatchEvent::Added(object) | WatchEvent::Modified(object)) => Ok(object),
            _ => Err(0),
        });
        objects.take(count).try_collect().await
    }
}

/// The Jobs of one namespace, in which nothing runs them.
struct Jobs(Room);

impl Jobs {
    fn path(&self, name: &str) -> String {
        format!("/apis/batch/v1/namespaces/{}/jobs/{name}", self.0.namespace())
    }

    async fn send(&self, method: Method, path: &str, body: &Value) -> Answered {
        answered(self.0.send(method, path.trim_end_matches('/'), "application/json", body).await)
    }
}

impl Named for Jobs {
    async fn create(&self, name: &str) -> Answered {
        let container = json!({"name": "steps", "image": "registry.example.com/none"});
        let template = json!({"spec": {"containers": [container], "restartPolicy": "Never"}});
        let (metadata, spec) = (json!({"name": name}), json!({"template": template}));
        let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec});
        self.send(Method::POST, &self.path(""), &job).await
    }

    async fn get(&self, name: &str) -> Answered {
        answered(self.0.get(&self.path(name)).await)
    }

    /// At once: there is nothing that would delete its pods first.
    async fn delete(&self, name: &str) -> Answered {
        self.send(Method::DELETE, &self.path(name), &json!({"propagationPolicy": "Background"})).await
    }
}
