//! The definitions of the kinds, as the API server took them.

use anyhow::{Context as _, ensure};
use brickline_tests::{Answer, Lab, Suite};
use serde_json::{Value, json};

/// Adds the tests.
pub fn add(suite: &mut Suite) {
    suite.add("the definitions are taken without a warning", taken);
    suite.add("the definitions are established as structural schemas", established);
    suite.add("the kinds have short names and a category", short_names);
}

async fn taken(lab: &Lab) -> anyhow::Result<()> {
    ensure!(lab.definitions().len() == 4);
    lab.definitions().iter().cloned().try_for_each(|answer: Answer| answer.accepted().map(drop))
}

async fn established(lab: &Lab) -> anyhow::Result<()> {
    let room = lab.room("default").await?;
    for definition in lab.definitions() {
        let name = definition.body["metadata"]["name"].as_str().context("a name")?;
        let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}");
        let stored = room.get(&path).await?.accepted()?;
        let status = |kind: &str| condition(&stored, kind).unwrap_or("absent").to_owned();
        ensure!(status("Established") == "True" && status("NamesAccepted") == "True", "{name}: {}", stored["status"]);
        // Present only where a schema can't prune or default.
        ensure!(status("NonStructuralSchema") == "absent", "{name}: {}", stored["status"]);
    }
    Ok(())
}

fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a str> {
    let conditions = object["status"]["conditions"].as_array()?;
    conditions.iter().find(|condition| condition["type"] == kind)?["status"].as_str()
}

async fn short_names(lab: &Lab) -> anyhow::Result<()> {
    let group = lab.room("default").await?.get("/apis/brickline.dev/v1alpha1").await?.accepted()?;
    let kinds = group["resources"].as_array().context("resources")?;
    let wanted = [
        ("DatabricksWorkspace", "dbws"),
        ("ReleasePipeline", "dbpipe"),
        ("DatabricksRelease", "dbrel"),
        ("ReleaseApproval", "dbappr"),
    ];
    for (kind, short) in wanted {
        let object = |known: &&Value| known["kind"] == kind && known["name"].as_str().is_some_and(|n| !n.contains('/'));
        let known = kinds.iter().find(object).with_context(|| format!("{kind} is not served"))?;
        ensure!(known["shortNames"] == json!([short]) && known["categories"] == json!(["brickline"]), "{known}");
        ensure!(known["namespaced"] == true, "{known}");
        if kind == "ReleaseApproval" {
            continue; // A decision has no status.
        }
        let status = format!("{}/status", known["name"].as_str().unwrap_or_default());
        ensure!(kinds.iter().any(|known| known["name"] == status.as_str()), "{status} is not served");
    }
    Ok(())
}
