//! An artifact by its URL: taken from the artifact endpoint as another cluster would take it, by its digest alone.

use anyhow::ensure;
use brickline_crds::{Phase, ReleaseResult};
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};

use super::setting::{Setting, digest, why};
use crate::system::{ARTIFACTS, NAMESPACE};

/// Whoever carries artifacts from one cluster to another: a ServiceAccount, and the Secret with its token.
const COURIER: &str = "courier";

/// What was built is released from its URL, with nobody's word for its branch; a file of another digest is refused, and so is
/// the same file where only a branch may be released.
pub(super) async fn it_is_taken_by_its_digest(setting: &Setting) -> anyhow::Result<()> {
    courier(setting).await?;
    let (built, wanted) = &setting.built;
    setting.create(manifest(setting, "moved", "staging", wanted)).await?;
    let moved = setting.ended("moved", ReleaseResult::Succeeded).await?;
    ensure!(digest(&moved)? == *wanted, "another artifact than {wanted} was deployed");
    let status = moved.status.unwrap_or_default();
    let said = status.phase(Phase::Build).map(|phase| phase.message.clone()).unwrap_or_default();
    ensure!(
        said.contains(ARTIFACTS) && said.contains("refs/heads/quick"),
        "Build doesn't say where it is from: {said}"
    );
    ensure!(status.origin.is_none(), "{built}'s branch was believed: {:?}", status.origin);

    let other = format!("sha256:{:064}", 7);
    setting.create(manifest(setting, "mistaken", "staging", &other)).await?;
    let (reason, message) = why(&setting.ended("mistaken", ReleaseResult::Failed).await?)?;
    ensure!(reason == "ArtifactFailed" && message.contains(wanted), "mistaken: {reason}: {message}");

    setting.create(manifest(setting, "smuggled", "production", wanted)).await?;
    let (reason, message) = why(&setting.ended("smuggled", ReleaseResult::Failed).await?)?;
    ensure!(reason == "NotAuthorized" && message.contains("allowArtifactUrls"), "smuggled: {reason}: {message}");
    Ok(())
}

/// Somebody who may take artifacts out, and the authority that the endpoint's certificate is of.
async fn courier(setting: &Setting) -> anyhow::Result<()> {
    setting.kubectl(&["create", "serviceaccount", COURIER]).await?;
    let account = format!("--serviceaccount={}:{COURIER}", setting.team.stage.namespace);
    setting.kubectl(&["create", "rolebinding", COURIER, "--clusterrole=edit", &account]).await?;
    let token = setting.kubectl(&["create", "token", COURIER]).await?;
    let authority = r#"go-template={{index .data "ca.crt" | base64decode}}"#;
    let look = ["--namespace", NAMESPACE, "get", "secret", "brickline-artifacts-tls", "-o", authority];
    let authority = Box::pin(setting.team.stage.cluster.kubectl(look).run()).await?;
    let secret = json!({
        "metadata": {"name": COURIER},
        "stringData": {"token": token.trim(), "ca.crt": authority},
    });
    setting.team.stage.create::<Secret>(secret).await?;
    Ok(())
}

fn manifest(setting: &Setting, name: &str, workspace: &str, digest: &str) -> Value {
    let (namespace, built) = (&setting.team.stage.namespace, &setting.built.0);
    let url = format!("https://{ARTIFACTS}/v1/namespaces/{namespace}/releases/{built}/artifact");
    let mut manifest = setting.artifact_release(name, workspace, "quick");
    manifest["spec"]["source"] =
        json!({"artifact": {"url": url, "digest": digest, "credentialsRef": {"name": COURIER}}});
    manifest
}
