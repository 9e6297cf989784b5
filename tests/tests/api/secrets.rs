//! How the controller keeps a Secret in sight: what the rights of a tenant grant, and what a watch by name tells.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use brickline_tests::{Lab, Room, Suite};
use futures::StreamExt as _;
use http::{Method, Request, header::ACCEPT};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Client,
    core::{PartialObjectMeta, WatchEvent},
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use crate::chart;

/// How long new rights and events may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// The controller, as the chart's bindings name it.
const CONTROLLER: &str = "system:serviceaccount:brickline:brickline";

/// Adds the tests.
pub fn add(suite: &mut Suite) {
    suite.add(
        "a tenant's rights are enough for one Secret by name and for tokens of its accounts, and not to list",
        tenant,
    );
    suite.add("a Role may narrow the watch to the Secrets it names", narrowed);
}

async fn tenant(lab: &Lab) -> anyhow::Result<()> {
    let room = lab.room("secrets-tenant").await?;
    for object in chart::render(&json!({"tenants": [room.namespace()]})).await? {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let group = "/apis/rbac.authorization.k8s.io/v1";
        match (object["kind"].as_str(), name) {
            (Some("ClusterRole"), "brickline-tenant") => make(&room, &format!("{group}/clusterroles"), &object).await?,
            (Some("RoleBinding"), "brickline-tenant") => {
                make(&room, &format!("{group}/namespaces/{}/rolebindings", room.namespace()), &object).await?;
            }
            _ => {}
        }
    }
    sees_a_rotation(lab, &room, CONTROLLER).await?;
    ensure!(asked(lab, CONTROLLER, &secrets(&room)).await? == 403, "it may list");
    let elsewhere = lab.room("secrets-elsewhere").await?;
    for (place, status) in [(&room, 201), (&elsewhere, 403)] {
        let answer = token(lab, CONTROLLER, place).await?;
        ensure!(answer == status, "a token for a workspace of {}: {answer}", place.namespace());
    }
    ensure!(asked(lab, CONTROLLER, &format!("{}/dbx", secrets(&elsewhere))).await? == 403, "it may read elsewhere");
    Ok(())
}

async fn narrowed(lab: &Lab) -> anyhow::Result<()> {
    let room = lab.room("secrets-narrowed").await?;
    let group = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{}", room.namespace());
    let rights =
        json!({"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["dbx"], "verbs": ["get", "watch"]});
    let role = json!({"metadata": {"name": "dbx"}, "rules": [rights]});
    make(&room, &format!("{group}/roles"), &role).await?;
    let binding = json!({
        "metadata": {"name": "dbx"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "dbx"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "narrow"}],
    });
    make(&room, &format!("{group}/rolebindings"), &binding).await?;
    sees_a_rotation(lab, &room, "narrow").await?;
    let all = format!("{}?watch=true&resourceVersion=0&timeoutSeconds=1", secrets(&room));
    ensure!(asked(lab, "narrow", &all).await? == 403, "it may watch all");
    ensure!(asked(lab, "narrow", &format!("{}/other", secrets(&room))).await? == 403, "it may read another one");
    Ok(())
}

async fn make(room: &Room, path: &str, object: &Value) -> anyhow::Result<()> {
    let answer = room.send(Method::POST, path, "application/json", object).await?;
    ensure!(matches!(answer.status, 201 | 409), "{path}: {}", answer.message());
    Ok(())
}

fn secrets(room: &Room) -> String {
    format!("/api/v1/namespaces/{}/secrets", room.namespace())
}

/// A change of the Secret reaches a watch by name that began where the Secret was read; another one's does not, and what
/// a Secret holds is not in it.
async fn sees_a_rotation(lab: &Lab, room: &Room, user: &str) -> anyhow::Result<()> {
    for name in ["dbx", "other"] {
        make(room, &secrets(room), &json!({"metadata": {"name": name}, "stringData": {"token": "old"}})).await?;
    }
    let path = format!("{}/dbx", secrets(room));
    let deadline = Instant::now() + PATIENCE;
    while asked(lab, user, &path).await? != 200 {
        ensure!(Instant::now() < deadline, "the rights never came");
        sleep(Duration::from_millis(20)).await;
    }
    let read = room.get(&path).await?.accepted()?;
    let version = read["metadata"]["resourceVersion"].as_str().context("a version")?;
    let only = format!("fieldSelector=metadata.name%3Ddbx&resourceVersion={version}&timeoutSeconds=60");
    let request = as_user(user, &format!("{}?watch=true&{only}", secrets(room)))?;
    let events = lab.client().request_events::<PartialObjectMeta<Secret>>(request).await?;
    let mut events = std::pin::pin!(events);
    for name in ["other", "dbx"] {
        let (path, change) = (format!("{}/{name}", secrets(room)), json!({"stringData": {"token": "new"}}));
        room.send(Method::PATCH, &path, "application/merge-patch+json", &change).await?.accepted()?;
    }
    let event = timeout(PATIENCE, events.next()).await.context("no event")?.context("the watch ended")??;
    let WatchEvent::Modified(secret) = event else { anyhow::bail!("{event:?}") };
    ensure!(secret.metadata.name.as_deref() == Some("dbx"), "{:?}", secret.metadata);
    let kind = secret.types.map(|types| types.kind);
    ensure!(kind.as_deref() == Some("PartialObjectMetadata"), "sent as {kind:?}, with what it holds");
    Ok(())
}

/// What the API server answers this user.
async fn asked(lab: &Lab, user: &str, path: &str) -> anyhow::Result<u16> {
    let client: Client = lab.client();
    let response = timeout(PATIENCE, client.send(as_user(user, path)?.map(Into::into))).await??;
    Ok(response.status().as_u16())
}

/// What the API server answers this user who asks for a token of a ServiceAccount.
async fn token(lab: &Lab, user: &str, room: &Room) -> anyhow::Result<u16> {
    let account = json!({"metadata": {"name": "release"}});
    make(room, &format!("/api/v1/namespaces/{}/serviceaccounts", room.namespace()), &account).await?;
    let path = format!("/api/v1/namespaces/{}/serviceaccounts/release/token", room.namespace());
    let body = json!({"spec": {"audiences": ["databricks"], "expirationSeconds": 3600}}).to_string().into_bytes();
    let request = Request::post(path).header("Impersonate-User", user).header("Content-Type", "application/json");
    let client: Client = lab.client();
    let response = timeout(PATIENCE, client.send(request.body(body)?.map(Into::into))).await??;
    Ok(response.status().as_u16())
}

fn as_user(user: &str, path: &str) -> anyhow::Result<Request<Vec<u8>>> {
    let metadata = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
    Ok(Request::get(path).header("Impersonate-User", user).header(ACCEPT, metadata).body(Vec::new())?)
}
