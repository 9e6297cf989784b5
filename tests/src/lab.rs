//! The lab: one API server that holds Brickline's kinds.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use brickline_crds::all_crds;
use brickline_e2e::cluster::ApiServer;
use http::Method;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Client;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::{Answer, Room, room};

/// How long a new kind may take until the API server serves it.
const PATIENCE: Duration = Duration::from_mins(1);

/// An API server with every kind of Brickline, for all tests of a program.
pub struct Lab {
    server: ApiServer,
    definitions: Vec<Answer>,
}

impl Lab {
    /// Starts the API server and waits until it serves the kinds.
    pub async fn open() -> anyhow::Result<Self> {
        let mut lab = Self { server: ApiServer::start().await?, definitions: Vec::new() };
        for definition in all_crds() {
            let answer = lab.define(&definition).await?;
            lab.definitions.push(answer);
        }
        Ok(lab)
    }

    /// A client with the administrator's rights.
    #[must_use]
    pub fn client(&self) -> Client {
        self.server.client()
    }

    /// What the API server said to each definition.
    #[must_use]
    pub fn definitions(&self) -> &[Answer] {
        &self.definitions
    }

    /// A namespace of the test's own.
    pub async fn room(&self, name: &str) -> anyhow::Result<Room> {
        let room = Room::new(self.client(), name);
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        let answer = room.send(Method::POST, "/api/v1/namespaces", "application/json", &namespace).await?;
        // Tests that only try things out may share one.
        ensure!(matches!(answer.status, 201 | 409), "namespace {name}: {}", answer.message());
        Ok(room)
    }

    async fn define(&self, definition: &CustomResourceDefinition) -> anyhow::Result<Answer> {
        let room = Room::new(self.client(), "default");
        let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions?fieldValidation=Strict";
        let answer = room.send(Method::POST, path, "application/json", definition).await?;
        ensure!(answer.status == 201, "{}", answer.message());
        let collection = room::group_path(&definition.spec.names.plural);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let served = room.get(&collection).await.context(collection.clone())?;
            if served.status == 200 {
                return Ok(answer);
            }
            ensure!(Instant::now() < deadline, "{collection} is not served: {}", served.message());
            sleep(Duration::from_millis(20)).await;
        }
    }
}
