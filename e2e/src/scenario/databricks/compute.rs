//! Compute: the wheel that was built is there on every kind, and is taken there by the run where nothing stays.

use anyhow::ensure;
use brickline_crds::{Phase, ReleaseResult};
use serde_json::{Value, json};

use super::lab::{Lab, message, notebook, project};

/// One version on an existing cluster, on a cluster made for each run, and on serverless.
pub(super) async fn every_kind_runs_the_wheel(lab: &Lab) -> anyhow::Result<()> {
    let artifact = lab.build("compute", files()).await?;
    let new = json!({"sparkVersion": "14.3.x-scala2.12", "nodeTypeId": "small", "numWorkers": 0});
    let notebooks = json!([{"match": "notebooks/**"}]);
    let wheel = json!([{"name": "entry-point", "pythonWheel": {"package": "epsilon", "entryPoint": "epsilon"}}]);
    let python = json!([{"name": "script", "sparkPython": {"file": "scripts/script.py", "parameters": ["5.0.0"]}}]);
    for (name, install, test) in [
        ("existing", json!({}), json!({"notebooks": notebooks, "tasks": wheel})),
        ("new", json!({"clusters": []}), json!({"notebooks": notebooks, "compute": {"newCluster": new}})),
        (
            "serverless",
            json!({"clusters": []}),
            json!({"notebooks": [], "tasks": python, "compute": {"serverless": {}}}),
        ),
    ] {
        let release = format!("compute-{name}");
        let status = lab.release(&release, &artifact, &spec(&install, &test), ReleaseResult::Succeeded).await?;
        let all = status.tests.notebooks.unwrap_or_default();
        let wanted = if name == "existing" { 2 } else { 1 };
        ensure!((all.total, all.passed) == (wanted, wanted), "{name}: {all:?}: {}", message(&status, Phase::Test));
    }
    Ok(())
}

fn files() -> Vec<(String, String)> {
    let code = "import epsilon\nassert epsilon.VERSION == '5.0.0', epsilon.VERSION";
    let script = "import sys\nimport epsilon\nassert epsilon.VERSION == sys.argv[1], epsilon.VERSION\n";
    let files =
        [("notebooks/version.py".to_owned(), notebook(code)), ("scripts/script.py".to_owned(), script.to_owned())];
    project("epsilon", "5.0.0").into_iter().chain(files).collect()
}

fn spec(install: &Value, test: &Value) -> Value {
    json!({
        "deploy": {"items": [
            {"from": "notebooks/**", "to": "/Shared/compute"},
            {"from": "scripts/**", "to": "/Shared/compute/scripts", "kind": "File"},
        ]},
        "install": install,
        "test": test,
    })
}
