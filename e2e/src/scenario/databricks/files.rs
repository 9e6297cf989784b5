//! Files: only what differs is written, what hands changed is found, what the repository removed is removed, and nothing else.

use anyhow::ensure;
use brickline_crds::ReleaseResult;
use data_encoding::BASE64;
use serde_json::{Value, json};

use super::lab::{Lab, notebook};

/// Where the releases deploy to.
const TARGET: &str = "/Shared/files";
/// The most calls of a release that has nothing to write.
const FEW: usize = 2;

/// Three notebooks are deployed; nothing changes; one is changed by hand; one leaves the repository.
pub(super) async fn only_what_differs_is_written(lab: &Lab) -> anyhow::Result<()> {
    let all = lab.build("files", files(&["one", "two", "three"])).await?;
    lab.release("files-1", &all, &spec("Off"), ReleaseResult::Succeeded).await?;
    import(lab, "foreign", "print('not from the repository')").await?;

    let since = lab.team.emulator.latest().await?;
    lab.release("files-2", &all, &spec("Off"), ReleaseResult::Succeeded).await?;
    let asked = lab.asked(since).await?;
    let calls: Vec<_> = asked.iter().map(|one| format!("{} {}", one.method, one.path)).collect();
    ensure!(calls.len() <= FEW, "nothing changed, and it took {calls:?}");

    import(lab, "two", "print('changed by hand')").await?;
    let status = lab.release("files-3", &all, &spec("Full"), ReleaseResult::SucceededWithIssues).await?;
    let named = status.issues.iter().any(|issue| issue.name.contains("two.py"));
    ensure!(named, "the drift of two.py is not named: {:?}", status.issues);
    ensure!(content(lab, "two").await?.is_some_and(|text| text.contains("two = True")), "two.py is still as by hand");

    let fewer = lab.build("files", files(&["one", "two"])).await?;
    lab.release("files-4", &fewer, &spec("Off"), ReleaseResult::Succeeded).await?;
    for (name, is_there) in [("one", true), ("two", true), ("three", false), ("foreign", true)] {
        ensure!(content(lab, name).await?.is_some() == is_there, "{name}.py should be there: {is_there}");
    }
    Ok(())
}

fn files(names: &[&str]) -> Vec<(String, String)> {
    names.iter().map(|name| (format!("notebooks/{name}.py"), notebook(&format!("{name} = True")))).collect()
}

fn spec(drift: &str) -> Value {
    json!({
        "deploy": {"items": [{"from": "notebooks/**", "to": TARGET, "prune": true}], "drift": drift},
        "install": {"clusters": []},
        "test": {"notebooks": []},
    })
}

async fn import(lab: &Lab, name: &str, code: &str) -> anyhow::Result<()> {
    let body = json!({
        "path": format!("{TARGET}/{name}.py"), "format": "SOURCE", "language": "PYTHON", "overwrite": true,
        "content": BASE64.encode(notebook(code).as_bytes()),
    });
    lab.team.emulator.post("/api/2.0/workspace/import", &body).await.map(drop)
}

/// A notebook's content; none if there is none.
async fn content(lab: &Lab, name: &str) -> anyhow::Result<Option<String>> {
    let path = format!("/api/2.0/workspace/export?format=SOURCE&path={TARGET}/{name}.py");
    let (status, answer) = lab.team.emulator.call(reqwest::Method::GET, &path, None).await?;
    if status == 404 {
        return Ok(None);
    }
    let content = BASE64.decode(answer["content"].as_str().unwrap_or_default().as_bytes())?;
    Ok(Some(String::from_utf8(content)?))
}
