//! Libraries: a new version replaces the old one everywhere, at the price of one restart.

use anyhow::ensure;
use brickline_crds::ReleaseResult;
use serde_json::{Value, json};

use super::lab::{Lab, notebook, project};
use crate::system::CLUSTER;

/// The distributions, all of one repository.
const NAMES: [&str; 3] = ["alpha", "beta", "gamma"];

/// Three wheels go from 0.1.0 to 0.2.0: the cluster is restarted once, no old version stays beside a new one, what others
/// installed is left alone, and the notebook sees the new ones. A third release with the same wheels restarts nothing.
pub(super) async fn wheels_are_replaced(lab: &Lab) -> anyhow::Result<()> {
    let foreign = json!({"cluster_id": CLUSTER, "libraries": [{"pypi": {"package": "wheel"}}]});
    lab.team.emulator.post("/api/2.0/libraries/install", &foreign).await?;
    for (version, restarts) in [("0.1.0", 0), ("0.2.0", 1)] {
        let artifact = lab.build("wheels", files(version)).await?;
        let since = lab.team.emulator.latest().await?;
        let name = format!("wheels-{}", version.replace('.', "-"));
        lab.release(&name, &artifact, &spec(version), ReleaseResult::Succeeded).await?;
        ensure!(restarted(lab, since).await? == restarts, "{version}: {} restarts", restarted(lab, since).await?);
        only(lab, version).await?;
        let since = lab.team.emulator.latest().await?;
        lab.release(&format!("{name}-again"), &artifact, &spec(version), ReleaseResult::Succeeded).await?;
        ensure!(restarted(lab, since).await? == 0, "{version} again: the cluster was restarted for nothing");
    }
    Ok(())
}

fn files(version: &str) -> Vec<(String, String)> {
    let code = format!(
        "import alpha, beta, gamma\nfor library in (alpha, beta, gamma):\n    assert library.VERSION == {version:?}, \
         (library, library.VERSION)"
    );
    let wheels = NAMES.iter().flat_map(|name| project(name, version));
    wheels.chain([("notebooks/versions.py".to_owned(), notebook(&code))]).collect()
}

fn spec(version: &str) -> Value {
    json!({
        "deploy": {"items": [{"from": "notebooks/**", "to": "/Shared/wheels"}]},
        "tags": [version],
    })
}

async fn restarted(lab: &Lab, since: u64) -> anyhow::Result<usize> {
    Ok(lab.asked(since).await?.iter().filter(|request| request.path.ends_with("/clusters/restart")).count())
}

/// Each distribution is there once, in this version and installed, and the foreign library still is.
async fn only(lab: &Lab, version: &str) -> anyhow::Result<()> {
    let status = lab.team.emulator.get(&format!("/api/2.0/libraries/cluster-status?cluster_id={CLUSTER}")).await?;
    let libraries = status["library_statuses"].as_array().cloned().unwrap_or_default();
    ensure!(libraries.iter().all(|library| library["status"] == "INSTALLED"), "not all are installed: {status}");
    let wheels: Vec<&str> = libraries.iter().filter_map(|library| library["library"]["whl"].as_str()).collect();
    for name in NAMES {
        let file = format!("{name}-{version}-py3-none-any.whl");
        let of_it: Vec<_> = wheels.iter().filter(|path| path.contains(&format!("/{name}-"))).collect();
        ensure!(of_it.len() == 1 && of_it[0].ends_with(&file), "{name}: {of_it:?}");
    }
    ensure!(libraries.iter().any(|library| library["library"]["pypi"]["package"] == "wheel"), "not its own: {status}");
    Ok(())
}
