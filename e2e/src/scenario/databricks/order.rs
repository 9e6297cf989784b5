//! Order: what is set up before the tests is torn down after them, whatever came in between.

use anyhow::ensure;
use brickline_crds::ReleaseResult;
use serde_json::{Value, json};

use super::lab::{Lab, notebook};

/// Where the notebooks leave their traces.
const TRACES: &str = "/traces";

/// Setup, tests and teardown come in this order; a test that fails keeps no teardown from running, and a setup that fails keeps
/// the tests from running but not the teardown.
pub(super) async fn teardown_always_runs(lab: &Lab) -> anyhow::Result<()> {
    for (name, setup, test, result, traces) in [
        ("order-good", "", "", ReleaseResult::Succeeded, ["setup", "test", "teardown"].as_slice()),
        ("order-test", "", "\nassert 1 + 1 == 3", ReleaseResult::Failed, &["setup", "test", "teardown"]),
        ("order-setup", "\nassert 1 + 1 == 3", "", ReleaseResult::Failed, &["setup", "teardown"]),
    ] {
        let artifact = lab.build("order", files(name, setup, test)).await?;
        lab.release(name, &artifact, &spec(name), result).await?;
        let left = left(lab, name).await?;
        ensure!(left == traces, "{name} left {left:?}, not {traces:?}");
    }
    Ok(())
}

fn files(name: &str, setup: &str, test: &str) -> Vec<(String, String)> {
    let trace = |step: &str, then: &str| {
        // The number keeps the order: later steps find the files of earlier ones.
        let code = format!(
            "folder = 'dbfs:{TRACES}/{name}'\ndbutils.fs.mkdirs(folder)\nnumber = len(dbutils.fs.ls(folder))\n\
             dbutils.fs.put(f'{{folder}}/{{number}}-{step}', 'x')"
        );
        notebook(&format!("{code}{then}"))
    };
    vec![
        ("notebooks/setup.py".to_owned(), trace("setup", setup)),
        ("notebooks/teardown.py".to_owned(), trace("teardown", "")),
        ("notebooks/tests/test.py".to_owned(), trace("test", test)),
    ]
}

fn spec(name: &str) -> Value {
    json!({
        "deploy": {"items": [{"from": "notebooks/**", "to": format!("/Shared/{name}")}]},
        "install": {"clusters": []},
        "test": {
            "notebooks": [{"match": "notebooks/tests/**"}],
            "setup": {"path": "notebooks/setup.py"},
            "teardown": {"path": "notebooks/teardown.py"},
        },
    })
}

/// The steps that left a trace, in their order.
async fn left(lab: &Lab, name: &str) -> anyhow::Result<Vec<String>> {
    let listing = lab.team.emulator.get(&format!("/api/2.0/dbfs/list?path={TRACES}/{name}")).await?;
    let files = listing["files"].as_array().cloned().unwrap_or_default();
    let names = files.iter().filter_map(|file| file["path"].as_str()?.rsplit('/').next().map(str::to_owned));
    let mut names: Vec<String> = names.collect();
    names.sort();
    Ok(names.iter().filter_map(|name| name.split_once('-').map(|(_, step)| step.to_owned())).collect())
}
