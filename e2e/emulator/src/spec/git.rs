//! A source in git: the repository and the branch, tag or commit that a run checks out.

use crate::{
    spec::invalid,
    state::{
        Refusal,
        credential::{provider, providers},
    },
};
use serde::{Deserialize, Serialize};

/// The longest URL, name and commit, in characters.
const MAX_URL: usize = 300;
const MAX_NAME: usize = 255;
const MAX_COMMIT: usize = 64;

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
    /// Refuses what can't be checked out at all; plain HTTP, unless `insecure` allows it.
    pub(crate) fn check(&self, insecure: bool) -> Result<(), Refusal> {
        if self.git_provider.as_deref().and_then(provider).is_none() {
            // The service's own words.
            return invalid(format!(
                "git_source.git_provider must be one of: {}",
                providers().replace(", ", ",").to_lowercase()
            ));
        }
        let is = |scheme: &str| self.git_url.starts_with(scheme);
        if !(is("https://") || insecure && is("http://")) {
            return invalid("git_source.git_url must be an HTTPS URL.");
        }
        self.check_lengths()?;
        let names = [&self.git_branch, &self.git_tag, &self.git_commit];
        let mut given = names.into_iter().flatten();
        match (given.next(), given.next()) {
            (Some(name), None) if !name.is_empty() && !name.starts_with('-') => Ok(()),
            _ => invalid("git_source needs exactly one of git_branch, git_tag and git_commit."),
        }
    }

    fn check_lengths(&self) -> Result<(), Refusal> {
        let long = |text: &Option<String>, most: usize| text.as_ref().is_some_and(|text| text.chars().count() > most);
        if self.git_url.chars().count() > MAX_URL
            || long(&self.git_branch, MAX_NAME)
            || long(&self.git_tag, MAX_NAME)
            || long(&self.git_commit, MAX_COMMIT)
        {
            return invalid(format!(
                "git_source: a URL has at most {MAX_URL}, a branch or tag {MAX_NAME} and a commit {MAX_COMMIT} characters."
            ));
        }
        Ok(())
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
    #[case(json!({ "git_url": "https://g/r", "git_provider": "gitHub", "git_tag": "x".repeat(256) }), false)]
    #[case(json!({ "git_url": "https://g/r", "git_provider": "gitHub", "git_commit": "a".repeat(65) }), false)]
    #[case(json!({ "git_url": format!("https://g/{}", "r".repeat(300)), "git_provider": "gitHub", "git_branch": "a" }), false)]
    fn a_source_names_one_thing(#[case] source: serde_json::Value, #[case] fine: bool) {
        assert_eq!(serde_json::from_value::<GitSource>(source).unwrap().check(false).is_ok(), fine);
    }

    #[test]
    fn plain_http_is_for_those_who_ask_for_it() {
        let source = json!({ "git_url": "http://g/r", "git_provider": "gitHub", "git_branch": "main" });
        let source: GitSource = serde_json::from_value(source).unwrap();
        assert!(source.check(false).is_err() && source.check(true).is_ok());
    }
}
