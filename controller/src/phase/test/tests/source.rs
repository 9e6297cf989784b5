//! Where Databricks checks a commit out from.

use brickline_crds::DatabricksRelease;
use rstest::rstest;
use serde_json::{Value, json};

use super::super::source::git_source;

const COMMIT: &str = "0123456789012345678901234567890123456789";

fn release(url: &str, provider: &str, test: &Value) -> DatabricksRelease {
    let git = json!({"url": url, "ref": "refs/heads/release", "commit": COMMIT, "provider": provider});
    let spec = json!({"source": {"git": git}, "test": test});
    DatabricksRelease::new("one", serde_json::from_value(spec).expect("a spec"))
}

#[rstest]
#[case("https://github.com/a/b.git", "github", json!({}), Ok("gitHub"))]
#[case("https://gitlab.com/a/b.git", "generic", json!({}), Ok("gitLab"))]
#[case("https://git.example.com/a/b.git", "github", json!({}), Ok("gitHubEnterprise"))]
#[case("https://git.example.com/a/b.git", "generic", json!({"gitProvider": "gitLabEnterpriseEdition"}), Ok("gitLabEnterpriseEdition"))]
#[case("http://git.example.com/a/b.git", "generic", json!({"gitProvider": "gitLabEnterpriseEdition"}), Ok("gitLabEnterpriseEdition"))]
#[case("https://git.example.com/a/b.git", "gitea", json!({}), Err("test.gitProvider is needed: https://git.example.com/a/b.git"))]
#[case("git@github.com:a/b.git", "github", json!({}), Err("test.source: Git needs a clone URL with https://"))]
fn the_provider_is_told_by_the_spec_or_by_the_url(
    #[case] url: &str,
    #[case] provider: &str,
    #[case] mut test: Value,
    #[case] expected: Result<&str, &str>,
) {
    test["source"] = json!("Git");
    match (git_source(&release(url, provider, &test)), expected) {
        (Ok(source), Ok(name)) => {
            let sent = serde_json::to_value(source).expect("JSON");
            assert_eq!(sent, json!({"git_url": url, "git_provider": name, "git_commit": COMMIT}));
        }
        (Err(trouble), Err(words)) => assert!(trouble.message.starts_with(words), "{trouble:?}"),
        (got, expected) => panic!("{got:?} instead of {expected:?}"),
    }
}

#[test]
fn the_workspace_is_the_default() {
    assert_eq!(git_source(&release("git@github.com:a/b", "generic", &json!({}))), Ok(None));
}
