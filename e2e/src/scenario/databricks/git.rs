//! Git: notebooks run from the repository at the commit, and nothing of them lies in the workspace.

use anyhow::ensure;
use brickline_crds::{Phase, ReleaseResult};
use reqwest::Method;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::lab::{Lab, message, notebook};

/// What Databricks calls a forge of one's own; the release can't tell it from the clone URL.
const PROVIDER: &str = "gitHubEnterprise";

/// The repository is private: without a Git credential of the user Databricks refuses, in its own words; with one the notebook
/// runs at the release's commit, although the branch has moved on.
pub(super) async fn the_commit_itself_is_run(lab: &Lab) -> anyhow::Result<()> {
    let artifact = lab.build("git", files("1")).await?;
    lab.team.repository.push("git", &crate::forge::Change::Only(files("2"))).await?;
    let status = lab.release("git-locked", &artifact, &spec(), ReleaseResult::Failed).await?;
    let told = message(&status, Phase::Test);
    ensure!(told.contains("Missing Git provider credentials"), "{told}");
    let account = lab.team.system.forge.account();
    let credential = json!({
        "git_provider": PROVIDER,
        "git_username": account.name,
        "personal_access_token": account.token.expose_secret(),
    });
    let (status, _) = lab.team.emulator.call(Method::POST, "/api/2.0/git-credentials", Some(&credential)).await?;
    ensure!(status == 200, "the credential was answered {status}");
    let status = lab.release("git-open", &artifact, &spec(), ReleaseResult::Succeeded).await?;
    let all = status.tests.notebooks.unwrap_or_default();
    ensure!((all.total, all.passed) == (1, 1), "{all:?}: {}", message(&status, Phase::Test));
    let (found, _) =
        lab.team.emulator.call(Method::GET, "/api/2.0/workspace/get-status?path=/Shared/git", None).await?;
    ensure!(found == 404, "something lies in the workspace");
    Ok(())
}

/// A notebook that finds the file beside it, as a checkout has it.
fn files(version: &str) -> Vec<(String, String)> {
    let code = "from beside import VERSION\nassert VERSION == '1', VERSION";
    vec![
        ("notebooks/version.py".to_owned(), notebook(code)),
        ("notebooks/beside.py".to_owned(), format!("VERSION = '{version}'\n")),
    ]
}

fn spec() -> Value {
    json!({
        "deploy": {"items": []},
        "install": {"clusters": []},
        "test": {"source": "Git", "gitProvider": PROVIDER, "notebooks": [{"match": "notebooks/**"}]},
    })
}
