//! Fields that no kind knows: refused where the client asks for it, as kubectl does, and never stored.

use anyhow::ensure;
use brickline_tests::{Lab, Mode, Suite, object};
use http::Method;
use serde_json::{Value, json};

/// Adds the tests.
pub fn add(suite: &mut Suite) {
    suite.add("misspelled fields are refused by name", misspelled);
    suite.add("unknown fields are pruned with a warning", pruned);
    suite.add("what a user says of the status is not stored", status_of_a_user);
}

async fn misspelled(lab: &Lab) -> anyhow::Result<()> {
    let room = lab.room("strictness").await?;
    let wrong = [
        (object::workspace("wrong"), "spec.hots"),
        (object::workspace("wrong"), "spec.auth.pat"),
        (object::pipeline("wrong"), "spec.trigger.branch"),
        (object::pipeline("wrong"), "spec.template.spec.timeouts.finish"),
        (object::pipeline("wrong"), "spec.template.spec.source"),
        (object::release("wrong"), "spec.source.git.sha"),
        (object::release("wrong"), "spec.deploy.librarys"),
        (object::release("wrong"), "spec.build.databricksConnect.clusters"),
    ];
    for (base, path) in wrong {
        let answer = room.create(&object::with(base, path, json!("x")), Mode::DryRun).await?;
        answer.refused(400, &format!("unknown field \"{path}\""))?;
    }
    Ok(())
}

async fn pruned(lab: &Lab) -> anyhow::Result<()> {
    let room = lab.room("strictness").await?;
    let release = object::with(object::release("pruned"), "spec.dummy", json!("x"));
    let path = format!("{}?dryRun=All", room.collection("DatabricksRelease")?);
    let answer = room.send(Method::POST, &path, "application/json", &release).await?;
    ensure!(answer.status == 201, "{}", answer.message());
    ensure!(
        answer.warnings.iter().any(|text| text.contains("unknown field \\\"spec.dummy\\\"")),
        "{:?}",
        answer.warnings
    );
    ensure!(answer.body["spec"]["dummy"] == Value::Null, "stored: {}", answer.body["spec"]);
    Ok(())
}

async fn status_of_a_user(lab: &Lab) -> anyhow::Result<()> {
    let room = lab.room("strictness").await?;
    let boastful = object::with(object::release("boastful"), "status", json!({"result": "Succeeded"}));
    let stored = room.create(&boastful, Mode::Real).await?.accepted()?;
    ensure!(stored["status"]["result"] != "Succeeded", "{}", stored["status"]);
    let patch = json!({"status": {"result": "Succeeded"}});
    let stored = room.merge("DatabricksRelease", "boastful", &patch, Mode::Real).await?.accepted()?;
    ensure!(stored["status"]["result"] != "Succeeded", "{}", stored["status"]);
    Ok(())
}
