//! A source in git: the repository and the branch, tag or commit that a run checks out.

use crate::{spec::invalid, state::Refusal};
use serde::{Deserialize, Serialize};

/// As the API names them.
const PROVIDERS: [&str; 8] = [
    "gitHub",
    "bitbucketCloud",
    "gitLab",
    "azureDevOpsServices",
    "gitHubEnterprise",
    "bitbucketServer",
    "gitLabEnterpriseEdition",
    "awsCodeCommit",
];

/// A repository with exactly one branch, tag or commit.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_field_names, reason = "the names are the API's")]
pub(crate) struct GitSource {
    pub(crate) git_url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) git_provider: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) git_branch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) git_tag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) git_commit: Option<String>,
    /// What was checked out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) git_snapshot: Option<Snapshot>,
}

/// The commit that a run has used.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    pub(crate) used_commit: String,
}

impl GitSource {
    /// Refuses what can't be checked out at all.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        let Some(provider) = self.git_provider.as_deref().filter(|text| !text.is_empty()) else {
            return invalid("git_source needs a git_provider.");
        };
        if !PROVIDERS.iter().any(|known| known.eq_ignore_ascii_case(provider)) {
            return invalid(format!("git_provider '{provider}' is none of {}.", PROVIDERS.join(", ")));
        }
        if !self.git_url.starts_with("https://") && !self.git_url.starts_with("http://") {
            return invalid("git_url must be an HTTP URL.");
        }
        let names = [&self.git_branch, &self.git_tag, &self.git_commit];
        let mut given = names.into_iter().flatten();
        match (given.next(), given.next()) {
            (Some(name), None) if !name.is_empty() && !name.starts_with('-') => Ok(()),
            _ => invalid("git_source needs exactly one of git_branch, git_tag and git_commit."),
        }
    }

    /// What to fetch and, once everything is fetched, what to check out.
    pub(crate) fn refs(&self) -> (String, String) {
        match (&self.git_branch, &self.git_tag) {
            (Some(branch), _) => (format!("refs/heads/{branch}"), format!("refs/remotes/origin/{branch}")),
            (None, Some(tag)) => (format!("refs/tags/{tag}"), format!("refs/tags/{tag}")),
            (None, None) => {
                let commit = self.git_commit.clone().unwrap_or_default();
                (commit.clone(), commit)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case(json!({ "git_url": "https://g/r", "git_provider": "gitHub", "git_branch": "main" }), true)]
    #[case(json!({ "git_url": "https://g/r", "git_provider": "GITLAB", "git_commit": "abc" }), true)]
    #[case(json!({ "git_url": "https://g/r", "git_branch": "main" }), false)]
    #[case(json!({ "git_url": "https://g/r", "git_provider": "svn", "git_branch": "main" }), false)]
    #[case(json!({ "git_url": "file:///etc", "git_provider": "gitHub", "git_branch": "main" }), false)]
    #[case(json!({ "git_url": "https://g/r", "git_provider": "gitHub" }), false)]
    #[case(json!({ "git_url": "https://g/r", "git_provider": "gitHub", "git_branch": "a", "git_tag": "b" }), false)]
    #[case(json!({ "git_url": "https://g/r", "git_provider": "gitHub", "git_tag": "--upload-pack=x" }), false)]
    fn a_source_names_one_thing(#[case] source: serde_json::Value, #[case] fine: bool) {
        assert_eq!(serde_json::from_value::<GitSource>(source).unwrap().check().is_ok(), fine);
    }
}
