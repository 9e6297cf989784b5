//! The installation: `helm upgrade --install` of the chart in this checkout with the images just built.

use std::time::Duration;

use anyhow::Context as _;
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
/// How long Helm waits for the controller to be ready.
const PATIENCE: Duration = Duration::from_mins(3);

/// Installs or upgrades; with the same images and values nothing is restarted.
pub(super) async fn install(cluster: &Cluster, images: &[Built]) -> anyhow::Result<()> {
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
    let helm =
        cluster.helm(arguments).input(values(cluster, images)?.to_string()).limit(PATIENCE + Duration::from_mins(1));
    helm.run().await.context("helm upgrade --install brickline").map(drop)
}

/// A build pool with one slot.
pub const NARROW: &str = "narrow";

/// What differs from the chart's defaults here: images of this checkout, emulators as workspaces, and artifacts in a folder of
/// the node, which several replicas can share. In the user's own cluster they are gone with the pod.
fn values(cluster: &Cluster, images: &[Built]) -> anyhow::Result<Value> {
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
        "workspaces": {
            "allowedHosts": ["*.azuredatabricks.net", "http://*.svc.cluster.local:8080"],
            "azureLogin": AZURE_LOGIN,
        },
        "builds": {"pools": {NARROW: {"slots": 1}}},
        "artifactSources": {"allowedHosts": [ARTIFACTS]},
    }))
}
