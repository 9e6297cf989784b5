//! Bundles: `databricks.yml` is deployed by a program that logs in as Databricks' own do, in a pod that has the workspace's
//! credentials and nothing else.

use anyhow::{Context as _, ensure};
use brickline_crds::{DatabricksWorkspace, Phase, ReleaseResult};
use data_encoding::BASE64;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use serde_json::{Value, json};

use super::{
    identity::TRUSTED,
    lab::{Lab, message},
};
use crate::system::{CLIENT, workspace};

/// The user whose token the workspace `staging` has.
const ADMIN: &str = "admin@example.com";

/// By a token and by federation, with variables; a target that isn't there fails with the program's own words, and a workspace
/// that doesn't allow bundles refuses.
pub(super) async fn a_bundle_is_deployed(lab: &Lab) -> anyhow::Result<()> {
    allow(lab).await?;
    let artifact = lab.build("bundle", files()).await?;
    for (by, user) in [("by-token", ADMIN), ("by-tokens", CLIENT)] {
        let name = format!("bundle-{by}");
        lab.release(&name, &artifact, &spec(lab, by, "staging"), ReleaseResult::Succeeded).await?;
        let folder = format!("/Workspace/Users/{user}/.bundle/demo/staging");
        let variables: Value = serde_json::from_str(&content(lab, &format!("{folder}/variables.json")).await?)?;
        ensure!(variables == json!({"catalog": "main_staging", "team": "sales"}), "{name}: {variables}");
        let note = content(lab, &format!("{folder}/files/src/note.txt")).await?;
        ensure!(note == "a file of the bundle\n", "{name}: {note:?}");
        alone(lab, &name).await?;
    }
    let status = lab.release("bundle-lost", &artifact, &spec(lab, "by-token", "moon"), ReleaseResult::Failed).await?;
    let told = message(&status, Phase::Deploy);
    ensure!(told.contains("moon: no such target. Available targets: staging"), "{told}");
    let status =
        lab.release("bundle-refused", &artifact, &spec(lab, "staging", "staging"), ReleaseResult::Failed).await?;
    let told: Vec<_> = status.conditions.iter().map(|condition| condition.message.as_str()).collect();
    ensure!(told.iter().any(|told| told.contains("bundles")), "{told:?}");
    Ok(())
}

/// Two workspaces that allow bundles by the emulator's image.
async fn allow(lab: &Lab) -> anyhow::Result<()> {
    let federation = json!({"federation": {"clientId": CLIENT, "serviceAccountName": TRUSTED}});
    for (name, auth) in [("by-token", None), ("by-tokens", Some(federation))] {
        let mut manifest = workspace(name, &lab.team.stage.namespace, "dbx");
        manifest["spec"]["bundles"] = json!({"allowed": true, "images": ["brickline.dev/emulator:*"]});
        manifest["spec"]["variables"] = json!({"catalog": {"value": "main_staging"}});
        if let Some(auth) = auth {
            manifest["spec"]["auth"] = auth;
        }
        lab.team.stage.create::<DatabricksWorkspace>(manifest).await?;
    }
    Ok(())
}

fn files() -> Vec<(String, String)> {
    // JSON is YAML, and all that the program reads.
    let bundle = json!({
        "bundle": {"name": "demo"},
        "targets": {"staging": {"default": true}},
        "variables": {"catalog": {}, "team": {"default": "sales"}},
    });
    vec![
        ("databricks.yml".to_owned(), bundle.to_string()),
        ("src/note.txt".to_owned(), "a file of the bundle\n".to_owned()),
    ]
}

fn spec(lab: &Lab, workspace: &str, target: &str) -> Value {
    json!({
        "workspaceRef": {"name": workspace},
        "deploy": {"bundle": {
            "target": target,
            "image": lab.team.system.emulator.as_ref(),
            "variables": if workspace == "staging" { json!({}) } else { json!({"catalog": "$(workspace.vars.catalog)"}) },
        }},
        "install": {"clusters": []},
        "test": {"notebooks": []},
    })
}

async fn content(lab: &Lab, path: &str) -> anyhow::Result<String> {
    let exported = lab.team.emulator.get(&format!("/api/2.0/workspace/export?path={path}")).await?;
    let content = exported["content"].as_str().with_context(|| format!("{path} has no content"))?;
    Ok(String::from_utf8(BASE64.decode(content.as_bytes())?)?)
}

/// The program's container can't reach the token for the controller, nor `fetch` the workspace's credentials.
async fn alone(lab: &Lab, release: &str) -> anyhow::Result<()> {
    let ours = ListParams::default().labels(&format!("brickline.dev/release={release}"));
    let pods = lab.team.stage.api::<Pod>().list(&ours).await?.items;
    let pod = pods.first().and_then(|pod| pod.spec.as_ref()).context("the bundle's pod is gone")?;
    let fetch = pod.init_containers.iter().flatten().find(|container| container.name == "fetch").context("no fetch")?;
    let main = pod.containers.first().context("no container")?;
    let mounts = |container: &k8s_openapi::api::core::v1::Container| -> Vec<String> {
        container.volume_mounts.iter().flatten().map(|mount| mount.name.clone()).collect()
    };
    let secret = fetch.env.iter().flatten().any(|env| env.name.starts_with("DATABRICKS_") || env.value_from.is_some());
    ensure!(!secret, "fetch has the workspace's credentials");
    ensure!(!mounts(main).contains(&"token".to_owned()), "the program has the token for the controller");
    ensure!(!mounts(fetch).contains(&"identity".to_owned()), "fetch has the ServiceAccount's token");
    Ok(())
}
