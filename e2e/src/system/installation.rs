//! The installation: `helm upgrade --install` of the chart in this checkout with the images just built.

use std::time::Duration;
use std::{env, fs, path::PathBuf};

use anyhow::Context as _;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::NAMESPACE;
use crate::{
    cluster::Cluster,
    images::{Built, Image},
};

/// The chart in this checkout.
const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/brickline");
/// The artifact endpoint of this installation, which hands artifacts out to another one, here to itself.
pub const ARTIFACTS: &str = "brickline-artifacts.brickline.svc:8443";
/// Where service principals of Azure log in: a scenario leads this name to its emulator.
const AZURE_LOGIN: &str = "http://azure-login.brickline.svc.cluster.local:8080";
/// The ConfigMap with the certificate authorities that this machine trusts.
const AUTHORITIES: &str = "machine-ca";
/// How long Helm waits for the controller to be ready.
const PATIENCE: Duration = Duration::from_mins(3);

/// Installs or upgrades; with the same images and values nothing is restarted.
pub(super) async fn install(cluster: &Cluster, images: &[Built]) -> anyhow::Result<()> {
    let trusts = trust(cluster).await.context("the certificate authorities of this machine")?;
    let wait = format!("{}s", PATIENCE.as_secs());
    let arguments = [
        "upgrade",
        "--install",
        "brickline",
        CHART,
        "--namespace",
        NAMESPACE,
        "--create-namespace",
        // What a scenario changed and could not put back.
        "--force-conflicts",
        "--wait",
        "--timeout",
        &wait,
        "--values",
        "-",
    ];
    let helm = cluster
        .helm(arguments)
        .input(values(cluster, images, trusts)?.to_string())
        .limit(PATIENCE + Duration::from_mins(1));
    helm.run().await.context("helm upgrade --install brickline").map(drop)
}

/// A machine behind a proxy of its own may trust other authorities than the images do; builds that install packages must trust
/// them too. Whether there are any.
async fn trust(cluster: &Cluster) -> anyhow::Result<bool> {
    let Some(bundle) = ["SSL_CERT_FILE", "PIP_CERT"].into_iter().find_map(env::var_os).map(PathBuf::from) else {
        return Ok(false);
    };
    let bundle = fs::read_to_string(&bundle).with_context(|| bundle.display().to_string())?;
    let (client, ours) = (cluster.client(), PatchParams::apply("brickline-e2e").force());
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    Api::<Namespace>::all(client.clone()).patch(NAMESPACE, &ours, &Patch::Apply(namespace)).await?;
    let metadata = json!({"name": AUTHORITIES});
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"ca.crt": bundle}});
    Api::<ConfigMap>::namespaced(client, NAMESPACE).patch(AUTHORITIES, &ours, &Patch::Apply(map)).await?;
    Ok(true)
}

/// A build pool with one slot.
pub const NARROW: &str = "narrow";

/// What differs from the chart's defaults here: images of this checkout, emulators as workspaces, and artifacts in a folder of
/// the node, which several replicas can share. In the user's own cluster they are gone with the pod.
fn values(cluster: &Cluster, images: &[Built], trusts: bool) -> anyhow::Result<Value> {
    let tag = |image: Image| {
        let built = images.iter().find(|built| built.image == image);
        built.map(|built| json!({"tag": built.tag})).with_context(|| format!("no image {}", image.target()))
    };
    let store = if cluster.is_local() {
        json!({"type": "hostPath", "hostPath": cluster.node_folder("artifacts")?})
    } else {
        json!({"type": "emptyDir"})
    };
    Ok(json!({
        "images": {
            "controller": tag(Image::Controller)?,
            "checkout": tag(Image::Checkout)?,
            "build": tag(Image::Build)?,
        },
        "artifactStore": store,
        "caBundle": {"configMap": if trusts { AUTHORITIES } else { "" }},
        "workspaces": {
            "allowedHosts": ["*.azuredatabricks.net", "http://*.svc.cluster.local:8080"],
            "azureLogin": AZURE_LOGIN,
        },
        "builds": {"pools": {NARROW: {"slots": 1}}},
        "artifactSources": {"allowedHosts": [ARTIFACTS]},
    }))
}
