//! A commit of a repository that Databricks checks out itself (`git_source`).

use serde::Serialize;
use url::Url;

/// A commit to run from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GitSource {
    /// The clone URL, `https`.
    pub git_url: String,
    /// One of Databricks' names; without it Databricks refuses the run.
    pub git_provider: &'static str,
    /// The commit's id.
    pub git_commit: String,
}

/// Databricks' name for the provider behind a clone URL, where the host alone tells; `None` for a host of one's own.
#[must_use]
pub fn provider(url: &str) -> Option<&'static str> {
    let host = Url::parse(url).ok()?.host_str()?.to_ascii_lowercase();
    match host.as_str() {
        "github.com" => Some("gitHub"),
        "gitlab.com" => Some("gitLab"),
        "bitbucket.org" => Some("bitbucketCloud"),
        "dev.azure.com" | "ssh.dev.azure.com" => Some("azureDevOpsServices"),
        host if host.ends_with(".visualstudio.com") => Some("azureDevOpsServices"),
        host if host.starts_with("git-codecommit.") && host.ends_with(".amazonaws.com") => Some("awsCodeCommit"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("https://github.com/data/dbxdemo.git", Some("gitHub"))]
    #[case("https://GitLab.com/data/dbxdemo", Some("gitLab"))]
    #[case("https://bitbucket.org/data/dbxdemo", Some("bitbucketCloud"))]
    #[case("https://dev.azure.com/o/p/_git/r", Some("azureDevOpsServices"))]
    #[case("https://o.visualstudio.com/p/_git/r", Some("azureDevOpsServices"))]
    #[case("https://git-codecommit.eu-west-1.amazonaws.com/v1/repos/r", Some("awsCodeCommit"))]
    #[case("https://git.example.com/data/dbxdemo.git", None)]
    #[case("https://github.com.example.com/a/b", None)]
    #[case("git@github.com:a/b", None)]
    fn a_known_host_names_its_provider(#[case] url: &str, #[case] expected: Option<&str>) {
        assert_eq!(provider(url), expected);
    }
}
