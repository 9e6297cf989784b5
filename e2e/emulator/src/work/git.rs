//! Checking out: the repository of a run, at its branch, tag or commit, in a folder that goes with the run.

use crate::{driver::program::TOKENS_VARIABLE, spec::git::GitSource, state::credential::GitCredential, workspace::Git};
use secrecy::ExposeSecret;
use std::{
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::process::Command;

const TIMEOUT: Duration = Duration::from_mins(2);
/// Where the system's certificate authorities lie.
const SYSTEM_AUTHORITIES: &str = "/etc/ssl/certs";
/// Answers git's question for a password from the environment, where no other process reads it.
const HELPER: &str = "!answer() { printf 'username=%s\\npassword=%s\\n' \"$EMULATOR_GIT_USERNAME\" \
                      \"$EMULATOR_GIT_PASSWORD\"; }; answer";
/// The user of a token that says itself whose it is.
const ANYBODY: &str = "oauth2";
/// How much of git's complaints a message holds.
const MAX_MESSAGE: usize = 2000;

/// What was checked out; the folder is removed when this is dropped.
pub(crate) struct Checkout {
    folder: tempfile::TempDir,
    pub(crate) commit: String,
}

impl Checkout {
    /// Where it lies.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The file of a notebook or script: a notebook is named without its suffix.
    pub(crate) fn find(&self, path: &str) -> Option<PathBuf> {
        let exact = self.folder.path().join(path);
        let suffixed = ["py", "ipynb", "sql", "scala", "r", "R"].iter().map(|suffix| {
            let mut name = exact.clone().into_os_string();
            name.push(format!(".{suffix}"));
            PathBuf::from(name)
        });
        std::iter::once(exact.clone()).chain(suffixed).find(|path| path.is_file())
    }
}

/// A repository as one user of the workspace reaches it.
pub(crate) struct Remote<'a> {
    pub(crate) source: &'a GitSource,
    /// What the user has stored for the provider.
    pub(crate) credential: Option<&'a GitCredential>,
    pub(crate) settings: &'a Git,
}

impl Remote<'_> {
    /// Fetches only what is needed, or if the server can't do that, everything. The error is a sentence for the user.
    pub(crate) async fn checkout(&self) -> Result<Checkout, String> {
        let work = async {
            let folder = tempfile::Builder::new().prefix("checkout-").tempdir().map_err(|error| error.to_string())?;
            let at = folder.path();
            let (wanted, target) = self.source.refs();
            self.git(at, &["init", "--quiet"]).await?;
            self.git(at, &["remote", "add", "origin", &self.source.git_url]).await?;
            if self.git(at, &["fetch", "--quiet", "--depth", "1", "--no-tags", "origin", &wanted]).await.is_ok() {
                self.git(at, &["checkout", "--quiet", "--detach", "FETCH_HEAD"]).await?;
            } else {
                let everything = "+refs/heads/*:refs/remotes/origin/*";
                self.git(at, &["fetch", "--quiet", "--tags", "origin", everything]).await?;
                self.git(at, &["checkout", "--quiet", "--detach", &target, "--"]).await?;
            }
            let commit = self.git(at, &["rev-parse", "HEAD"]).await?;
            Ok(Checkout { folder, commit })
        };
        let done = tokio::time::timeout(TIMEOUT, work).await;
        let done = done.unwrap_or_else(|_| Err(format!("no end within {TIMEOUT:?}")));
        done.map_err(|reason| format!("Failed to checkout Git repository: {}", self.explain(reason)))
    }

    async fn git(&self, folder: &Path, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new("git");
        command.arg("-C").arg(folder).args(arguments).env_remove(TOKENS_VARIABLE);
        // Nobody is there to answer, no other transport can reach what a workspace couldn't, and what the emulator's
        // own user has set up for git is no business of the workspace's users.
        command.envs([
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_ALLOW_PROTOCOL", "http:https"),
            ("GIT_LFS_SKIP_SMUDGE", "1"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("LC_ALL", "C"),
        ]);
        command.env_remove("GIT_ASKPASS").env_remove("SSH_ASKPASS");
        if let Some(bundle) = &self.settings.ca_bundle {
            command.env("GIT_SSL_CAINFO", bundle).env("GIT_SSL_CAPATH", SYSTEM_AUTHORITIES);
        }
        if let Some(credential) = self.credential {
            // For this host alone, wherever it may redirect to.
            let key = format!("credential.{}.helper", origin(&self.source.git_url));
            command.envs([("GIT_CONFIG_COUNT", "1"), ("GIT_CONFIG_KEY_0", &key), ("GIT_CONFIG_VALUE_0", HELPER)]);
            command.env("EMULATOR_GIT_USERNAME", credential.username.as_deref().unwrap_or(ANYBODY));
            command.env("EMULATOR_GIT_PASSWORD", credential.token.expose_secret());
        }
        let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await;
        let output = output.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => "git is not installed beside the emulator".to_owned(),
            _ => error.to_string(),
        })?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        Err(String::from_utf8_lossy(&output.stderr).trim().chars().take(MAX_MESSAGE).collect())
    }

    /// The service's words for a repository that doesn't let this user in; anything else is git's own complaint.
    fn explain(&self, reason: String) -> String {
        let refused = ["could not read Username", "could not read Password", "Authentication failed", "error: 403"];
        if !refused.iter().any(|words| reason.contains(words)) {
            return reason;
        }
        let url = &self.source.git_url;
        let what = match self.credential {
            None => "Missing Git provider credentials.".to_owned(),
            Some(_) => format!("Invalid Git provider credentials for repository URL {url}."),
        };
        format!("PERMISSION_DENIED: {what} Go to User Settings > Git Integration to set up your Git credentials.")
    }
}

/// Scheme, host and port of a URL.
fn origin(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let authority = rest.split('/').next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}")
}

#[cfg(test)]
mod tests {
    use super::origin;
    use rstest::rstest;

    #[rstest]
    #[case("https://git.example.com/data/demo.git", "https://git.example.com")]
    #[case("http://ana@127.0.0.1:3000/data/demo.git", "http://127.0.0.1:3000")]
    #[case("https://git.example.com", "https://git.example.com")]
    fn a_credential_is_for_one_host(#[case] url: &str, #[case] want: &str) {
        assert_eq!(origin(url), want);
    }
}
