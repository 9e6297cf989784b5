//! Checking out: the repository of a run, at its branch, tag or commit, in a folder that goes with the run.

use crate::spec::git::GitSource;
use std::{
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::process::Command;

const TIMEOUT: Duration = Duration::from_mins(2);
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

/// Fetches only what is needed, or if the server can't do that, everything. The error is a sentence for the user.
pub(crate) async fn checkout(source: &GitSource) -> Result<Checkout, String> {
    let work = async {
        let folder = tempfile::Builder::new().prefix("checkout-").tempdir().map_err(|error| error.to_string())?;
        let at = folder.path();
        let (wanted, target) = source.refs();
        git(at, &["init", "--quiet"]).await?;
        git(at, &["remote", "add", "origin", &source.git_url]).await?;
        if git(at, &["fetch", "--quiet", "--depth", "1", "--no-tags", "origin", &wanted]).await.is_ok() {
            git(at, &["checkout", "--quiet", "--detach", "FETCH_HEAD"]).await?;
        } else {
            git(at, &["fetch", "--quiet", "--tags", "origin", "+refs/heads/*:refs/remotes/origin/*"]).await?;
            git(at, &["checkout", "--quiet", "--detach", &target, "--"]).await?;
        }
        let commit = git(at, &["rev-parse", "HEAD"]).await?;
        Ok(Checkout { folder, commit })
    };
    let done = tokio::time::timeout(TIMEOUT, work).await.unwrap_or_else(|_| Err(format!("no end within {TIMEOUT:?}")));
    done.map_err(|reason| format!("Failed to checkout Git repository: {reason}"))
}

async fn git(folder: &Path, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(arguments);
    // Nobody is there to answer, and no other transport can reach what a workspace couldn't.
    command.envs([("GIT_TERMINAL_PROMPT", "0"), ("GIT_ALLOW_PROTOCOL", "http:https"), ("GIT_LFS_SKIP_SMUDGE", "1")]);
    command.env_remove(crate::driver::program::TOKENS_VARIABLE);
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
