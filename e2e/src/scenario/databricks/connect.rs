//! Databricks Connect: the tests of a build are the workspace's service principal, on its cluster, where the workspace allows
//! it; nobody else is, and no other build. The emulator speaks no Spark Connect: what is tried is the login.

use anyhow::{Context as _, ensure};
use brickline_crds::{DatabricksRelease, DatabricksWorkspace, ReleaseResult};
use k8s_openapi::api::core::v1::{Container, Pod};
use kube::api::ListParams;
use serde_json::json;

use super::{identity::TRUSTED, lab::Lab};
use crate::{
    forge::Change,
    system::{CLIENT, CLUSTER, workspace},
};

/// The branch, and the workspace that allows it.
const NAME: &str = "connect";

/// A release whose build logs in with Databricks' own SDK, by a token that its log doesn't show; a workspace that doesn't allow
/// it refuses; and a build that doesn't ask for it has no variable of Databricks. Wants what `identity` set up.
pub(super) async fn a_builds_tests_log_in(lab: &Lab) -> anyhow::Result<()> {
    let mut manifest = workspace(NAME, &lab.team.stage.namespace, "dbx");
    manifest["spec"]["auth"] = json!({"federation": {"clientId": CLIENT, "serviceAccountName": TRUSTED}});
    manifest["spec"]["databricksConnect"] = json!({"allowed": true});
    lab.team.stage.create::<DatabricksWorkspace>(manifest).await?;
    let commit = lab.team.repository.push(NAME, &Change::Only(vec![file(&login())])).await?;
    release(lab, "connect-refused", &commit, "staging", ReleaseResult::Failed).await?;
    let refused = lab.kubectl(&["get", "dbrel", "connect-refused", "--output=jsonpath={.status.conditions}"]).await?;
    ensure!(refused.contains("spec.databricksConnect.allowed is false"), "{refused}");
    release(lab, "connect-allowed", &commit, NAME, ReleaseResult::Succeeded).await?;
    let log =
        lab.kubectl(&["logs", "--selector=brickline.dev/release=connect-allowed", "--container=steps", "--tail=-1"]);
    let log = log.await?;
    for told in ["sessions by databricks-connect 15.4.", "the token is [redacted]"] {
        ensure!(log.contains(told), "no {told:?} in {log}");
    }
    alone(lab, "connect-allowed").await?;
    lab.build("no-connect", vec![file(&nothing())]).await.map(drop)
}

fn file(code: &str) -> (String, String) {
    ("tests/test_sessions.py".to_owned(), code.to_owned())
}

/// Whom the SDK logs in as, and which cluster it is shown, from the environment alone.
fn login() -> String {
    format!(
        "import os
from importlib.metadata import version

from databricks.sdk import WorkspaceClient


def test_the_steps_are_the_service_principal():
    client = WorkspaceClient()
    assert client.current_user.me().user_name == '{CLIENT}'
    assert os.environ['DATABRICKS_CLUSTER_ID'] == '{CLUSTER}'
    cluster = client.clusters.get(os.environ['DATABRICKS_CLUSTER_ID'])
    assert cluster.cluster_id == '{CLUSTER}' and cluster.state


def test_the_package_has_the_place_of_pyspark():
    import databricks.connect
    import pyspark
    assert version('databricks-connect').startswith('15.4.')
    assert pyspark.__file__.startswith(os.environ['VIRTUAL_ENV'])


def test_nothing_shows_the_token():
    with open(os.environ['DATABRICKS_OIDC_TOKEN_FILEPATH']) as file:
        print('the token is', file.read())
"
    )
}

fn nothing() -> String {
    "import os


def test_there_is_nothing_of_databricks():
    assert [name for name in os.environ if name.startswith(('DATABRICKS_', 'ARM_'))] == []
    assert not os.path.exists('/var/run/secrets/databricks')
"
    .to_owned()
}

/// Builds the commit with Databricks Connect, for this workspace, and waits until that has ended.
async fn release(lab: &Lab, name: &str, commit: &str, to: &str, result: ReleaseResult) -> anyhow::Result<()> {
    let mut manifest = lab.team.minimal_release(name, commit, to);
    let spec = json!({
        "build": {
            "databricksConnect": {"enabled": true, "version": "15.4.*", "cluster": "main"},
            // What tests print is part of the log.
            "tests": {"args": ["-s"]},
        },
        "deploy": {"items": [{"from": "tests/**", "to": "/Shared/connect", "kind": "File"}]},
        "install": {"clusters": []},
        "test": {"notebooks": []},
    });
    manifest["spec"]["source"]["git"]["ref"] = json!(format!("refs/heads/{NAME}"));
    if let (Some(whole), Some(part)) = (manifest["spec"].as_object_mut(), spec.as_object()) {
        whole.extend(part.clone());
    }
    lab.team.stage.create::<DatabricksRelease>(manifest).await?;
    lab.ended(name, result).await.map(drop)
}

/// No other container of the build's pod has anything of it, and `steps` has nothing of theirs.
async fn alone(lab: &Lab, release: &str) -> anyhow::Result<()> {
    let ours = ListParams::default().labels(&format!("brickline.dev/release={release}"));
    let pods = lab.team.stage.api::<Pod>().list(&ours).await?.items;
    let pod = pods.first().and_then(|pod| pod.spec.as_ref()).context("the build's pod is gone")?;
    ensure!(pod.service_account_name.as_deref() == Some(TRUSTED), "the pod is {:?}", pod.service_account_name);
    let has = |container: &Container, volume: &str| {
        container.volume_mounts.iter().flatten().any(|mount| mount.name == volume)
    };
    for other in pod.init_containers.iter().flatten() {
        let variable = other.env.iter().flatten().any(|env| env.name.starts_with("DATABRICKS_"));
        ensure!(!variable && !has(other, "identity"), "{} has the workspace's credentials", other.name);
    }
    let steps = pod.containers.first().context("no container")?;
    ensure!(has(steps, "identity") && !has(steps, "token") && !has(steps, "git"), "steps has what it should not");
    Ok(())
}
