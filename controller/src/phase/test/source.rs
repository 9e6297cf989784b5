//! Where Databricks checks a test's commit out from: pure.

use brickline_crds::{DatabricksRelease, GitSource as Commit, Provider, Reason, TestSource};

use crate::databricks::git::{GitSource, provider};
use crate::forge::origin;
use crate::trouble::Trouble;

/// The commit to run from; none if the tests are in the workspace.
pub(super) fn git_source(release: &DatabricksRelease) -> Result<Option<GitSource>, Trouble> {
    let test = &release.spec.test;
    if test.source == TestSource::Workspace {
        return Ok(None);
    }
    let invalid = |message: String| Trouble::lasting(Reason::InvalidSpec, message);
    let missing = || invalid("test.source: Git needs a release whose commit is known".to_owned());
    let commit = origin(release).ok_or_else(missing)?;
    // What Databricks thinks of plain HTTP it says itself.
    if !["https://", "http://"].iter().any(|scheme| commit.url.starts_with(scheme)) {
        let message = format!("test.source: Git needs a clone URL with https://, not {}", commit.url);
        return Err(invalid(message));
    }
    let name = test.git_provider.map(Into::into).or_else(|| of_forge(commit));
    let unknown = || invalid(format!("test.gitProvider is needed: {} doesn't tell what forge it is", commit.url));
    let git_provider = name.ok_or_else(unknown)?;
    Ok(Some(GitSource { git_url: commit.url.clone(), git_provider, git_commit: commit.commit.clone() }))
}

/// Databricks' name, where the host or the release's own word for the forge tells.
fn of_forge(commit: &Commit) -> Option<&'static str> {
    provider(&commit.url).or_else(|| (commit.provider == Provider::Github).then_some("gitHubEnterprise"))
}
