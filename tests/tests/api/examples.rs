//! The examples of the documentation, taken as they are.

use std::fs;

use anyhow::{Context as _, ensure};
use brickline_tests::{Lab, Mode, Suite, checkout};
use serde_json::Value;

/// Adds the test.
pub fn add(suite: &mut Suite) {
    suite.add("the documentation's examples are taken as they are", examples);
}

async fn examples(lab: &Lab) -> anyhow::Result<()> {
    let mut tried = 0;
    for entry in fs::read_dir(checkout("docs/examples"))? {
        let path = entry?.path();
        let objects: Vec<Value> = serde_saphyr::from_multiple(&fs::read_to_string(&path)?)?;
        for object in objects.iter().filter(|object| object["apiVersion"] == "brickline.dev/v1alpha1") {
            let room = lab.room(object["metadata"]["namespace"].as_str().unwrap_or("examples")).await?;
            let answer = room.create(object, Mode::DryRun).await?;
            answer.accepted().with_context(|| path.display().to_string())?;
            tried += 1;
        }
    }
    ensure!(tried >= 3, "only {tried} examples");
    Ok(())
}
