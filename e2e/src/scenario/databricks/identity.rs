//! Identity: every way to log in releases, and those by federation without a secret anywhere.

use anyhow::{Context as _, ensure};
use brickline_crds::{DatabricksWorkspace, ReleaseResult};
use futures::future::try_join_all;
use k8s_openapi::api::core::v1::{Service, ServiceAccount};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use reqwest::Method;
use serde_json::{Value, json};

use super::lab::{Lab, notebook};
use crate::system::{CLIENT, NAMESPACE, TENANT, workspace};

/// The ServiceAccount that Databricks trusts, and one that it doesn't.
pub(super) const TRUSTED: &str = "release";
const STRANGER: &str = "stranger";
/// For whom the tokens are meant, by Databricks' and by Microsoft's rules.
const DATABRICKS: &str = "databricks";
const AZURE: &str = "api://AzureADTokenExchange";

/// A release by each kind of credentials; a ServiceAccount that no policy names is refused, and the workspace says so.
pub(super) async fn every_login_releases(lab: &Lab) -> anyhow::Result<()> {
    trust(lab).await?;
    let artifact = lab.build("identity", vec![("notebooks/one.py".to_owned(), notebook("print(1)"))]).await?;
    let secret = json!({"name": "dbx", "key": "secret"});
    let azure = |mut proof: Value| {
        proof["tenantId"] = json!(TENANT);
        proof["clientId"] = json!(CLIENT);
        json!({"azure": proof})
    };
    let logins = [
        ("federation", json!({"federation": {"clientId": CLIENT, "serviceAccountName": TRUSTED}})),
        ("oauth", json!({"oauth": {"clientId": CLIENT, "clientSecretRef": secret}})),
        ("azure-secret", azure(json!({"clientSecretRef": secret}))),
        ("azure-federation", azure(json!({"serviceAccountName": TRUSTED}))),
    ];
    try_join_all(logins.iter().map(|(name, auth)| releases(lab, name, auth, &artifact))).await?;
    refused(lab).await
}

/// Databricks and its Azure trust the cluster's tokens of one ServiceAccount.
async fn trust(lab: &Lab) -> anyhow::Result<()> {
    let stage = &lab.team.stage;
    for name in [TRUSTED, STRANGER] {
        let account = json!({"metadata": {"name": name}, "automountServiceAccountToken": false});
        stage.create::<ServiceAccount>(account).await?;
    }
    let issuer: Value = serde_json::from_str(&raw(lab, "/.well-known/openid-configuration").await?)?;
    let keys = raw(lab, "/openid/v1/jwks").await?;
    let policy = |audience: &str| {
        let oidc = json!({
            "issuer": issuer["issuer"],
            "audiences": [audience],
            "subject": format!("system:serviceaccount:{}:{TRUSTED}", stage.namespace),
            "jwks_json": keys,
        });
        json!({"client_id": CLIENT, "oidc_policy": oidc})
    };
    let policies = [policy(DATABRICKS), policy(AZURE)];
    let (status, answer) = lab.team.emulator.call(Method::PUT, "/emulator/federation", Some(&json!(policies))).await?;
    ensure!(status == 200, "the policies were answered {status}: {answer}");
    let login = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "azure-login"},
        "spec": {"type": "ExternalName", "externalName": format!("emulator.{}.svc.cluster.local", stage.namespace)},
    });
    let services: Api<Service> = Api::namespaced(stage.client(), NAMESPACE);
    services.patch("azure-login", &PatchParams::apply("e2e").force(), &Patch::Apply(login)).await?;
    Ok(())
}

/// What the API server answers at this path.
async fn raw(lab: &Lab, path: &str) -> anyhow::Result<String> {
    lab.kubectl(&["get", "--raw", path]).await
}

/// The workspace says as whom it speaks, and a release by it succeeds.
async fn releases(lab: &Lab, name: &str, auth: &Value, artifact: &Value) -> anyhow::Result<()> {
    create(lab, name, auth).await?;
    lab.kubectl(&["wait", "--for=condition=Ready", &format!("dbws/{name}"), "--timeout=2m"])
        .await
        .context(name.to_owned())?;
    let user = lab.kubectl(&["get", "dbws", name, "--output=jsonpath={.status.identity.userName}"]).await?;
    ensure!(user == CLIENT, "{name} speaks as {user:?}");
    let spec = json!({
        "workspaceRef": {"name": name},
        "deploy": {"items": [{"from": "notebooks/**", "to": format!("/Shared/{name}")}]},
        "install": {"clusters": []},
    });
    lab.release(&format!("by-{name}"), artifact, &spec, ReleaseResult::Succeeded).await.map(drop)
}

async fn refused(lab: &Lab) -> anyhow::Result<()> {
    let auth = json!({"federation": {"clientId": CLIENT, "serviceAccountName": STRANGER}});
    create(lab, STRANGER, &auth).await?;
    lab.kubectl(&["wait", "--for=condition=Ready=False", "dbws/stranger", "--timeout=2m"]).await?;
    let ready = r#"--output=jsonpath={.status.conditions[?(@.type=="Ready")]}"#;
    let ready = lab.kubectl(&["get", "dbws", STRANGER, ready]).await?;
    let token = format!("subject system:serviceaccount:{}:{STRANGER}, audience {DATABRICKS}", lab.team.stage.namespace);
    for part in ["AuthenticationFailed", &token] {
        ensure!(ready.contains(part), "no {part:?} in {ready}");
    }
    Ok(())
}

async fn create(lab: &Lab, name: &str, auth: &Value) -> anyhow::Result<()> {
    let mut manifest = workspace(name, &lab.team.stage.namespace, "dbx");
    manifest["spec"]["auth"] = auth.clone();
    lab.team.stage.create::<DatabricksWorkspace>(manifest).await.map(drop)
}
