//! A complaint is what git said when it failed, turned into what failed and what to do next.

/// Phrases in git's or ssh's output, and the sentence they stand for. The first match counts.
const SENTENCES: &[(&[&str], &str)] = &[
    (
        &["Host key verification failed", "REMOTE HOST IDENTIFICATION HAS CHANGED"],
        "the git server's host key is not in the credential's known_hosts: add the line that ssh-keyscan prints",
    ),
    (
        &["SSL certificate problem", "server certificate verification failed", "unable to get local issuer"],
        "the git server's certificate is not trusted: add its authority to the credential as ca.crt",
    ),
    (
        &["Could not resolve host", "Name or service not known", "Temporary failure in name resolution"],
        "the git server's name can't be resolved: check the repository's url and the cluster's DNS",
    ),
    (
        &["Connection refused", "Connection timed out", "Failed to connect", "No route to host", "Operation too slow"],
        "the git server can't be reached: check the url, network policies and proxy settings",
    ),
    (
        &[
            "Authentication failed",
            "could not read Username",
            "could not read Password",
            "unable to read askpass",
            "Permission denied (",
            "error: 401",
            "error: 403",
            "HTTP Basic: Access denied",
        ],
        "the git server refused the credential: check the Secret that credentialsRef names and its right to read",
    ),
    (
        &["couldn't find remote ref"],
        "the ref no longer exists in the repository: it was deleted or renamed since the release was made",
    ),
    (
        &["not found", "does not appear to be a git repository", "does not exist", "error: 404"],
        "the repository was not found: check its url; forges also say so if the credential may not see it",
    ),
    (&["No space left on device"], "the build pod's volume is full: raise its size"),
    (
        &["git-lfs: not found", "git-lfs: command not found", "'lfs' is not a git command"],
        "the checkout image has no git-lfs",
    ),
];

/// Says what git's output means; without a known phrase, its last error line itself.
pub fn explain<'a>(output: &(impl DoubleEndedIterator<Item = &'a str> + Clone)) -> String {
    let said = |phrase: &str| output.clone().any(|line| line.to_lowercase().contains(&phrase.to_lowercase()));
    let known = SENTENCES.iter().find(|(phrases, _)| phrases.iter().any(|phrase| said(phrase)));
    if let Some((_, sentence)) = known {
        return (*sentence).to_owned();
    }
    let telling = |line: &&str| line.contains("fatal:") || line.contains("error:");
    let line = output.clone().rfind(telling).or_else(|| output.clone().next_back());
    line.unwrap_or("git said nothing").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("fatal: Authentication failed for 'https://h/x'", "refused the credential")]
    #[case("fatal: could not read Username for 'https://h': terminal prompts disabled", "refused the credential")]
    #[case("git@h: Permission denied (publickey).", "refused the credential")]
    #[case("remote: Repository not found.", "was not found")]
    #[case("fatal: '/x.git' does not appear to be a git repository", "was not found")]
    #[case("fatal: unable to access 'https://h/': Could not resolve host: h", "can't be resolved")]
    #[case("ssh: connect to host h port 22: Connection refused", "can't be reached")]
    #[case("Host key verification failed.", "known_hosts")]
    #[case("fatal: unable to access 'https://h/': SSL certificate problem: self-signed", "ca.crt")]
    #[case("fatal: couldn't find remote ref refs/heads/gone", "no longer exists")]
    fn the_next_step_is_said(#[case] line: &str, #[case] expected: &str) {
        let said = explain(&[line].into_iter());
        assert!(said.contains(expected), "{said}");
    }

    #[test]
    fn an_unknown_complaint_is_quoted() {
        assert_eq!(explain(&["fatal: odd", "hint: x"].into_iter()), "fatal: odd");
        assert_eq!(explain(&std::iter::empty()), "git said nothing");
    }
}
