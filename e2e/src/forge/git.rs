//! Git: a working copy of a repository on the forge, as a developer has it.

use std::{path::Path, time::Duration};

use secrecy::ExposeSecret as _;
use tempfile::TempDir;

use super::{Account, ForgeError};
use crate::command::Command;

const LIMIT: Duration = Duration::from_mins(1);

/// A working copy in a temporary folder.
pub(super) struct WorkingCopy<'a> {
    folder: TempDir,
    account: &'a Account,
}

impl<'a> WorkingCopy<'a> {
    /// A new repository with the content of `content` as its first commit.
    pub(super) async fn begin(account: &'a Account, content: &Path) -> Result<Self, ForgeError> {
        let copy = Self::empty(account)?;
        let source = content.join(".");
        Command::new("cp")
            .args(["--recursive", "--no-preserve=ownership"])
            .arg(source)
            .arg(copy.folder.path())
            .run()
            .await?;
        copy.git(["init", "--quiet", "--initial-branch", "main"]).await?;
        copy.commit("Begin").await?;
        Ok(copy)
    }

    /// A copy of a branch.
    pub(super) async fn clone(account: &'a Account, url: &str, branch: &str) -> Result<Self, ForgeError> {
        let copy = Self::empty(account)?;
        copy.git(["clone", "--quiet", "--branch", branch, url, "."]).await?;
        Ok(copy)
    }

    fn empty(account: &'a Account) -> Result<Self, ForgeError> {
        let folder = tempfile::tempdir().map_err(ForgeError::io(&std::env::temp_dir()))?;
        Ok(Self { folder, account })
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Applies a patch to the working copy.
    pub(super) async fn apply(&self, patch: &Path) -> Result<(), ForgeError> {
        self.command().arg("apply").arg(patch).run().await?;
        Ok(())
    }

    /// Takes every file away.
    pub(super) async fn empty_out(&self) -> Result<(), ForgeError> {
        self.git(["rm", "--quiet", "-r", "."]).await.map(drop)
    }

    /// Commits everything that changed, and returns the commit's id.
    pub(super) async fn commit(&self, message: &str) -> Result<String, ForgeError> {
        self.git(["add", "--all"]).await?;
        self.git(["commit", "--quiet", "--message", message]).await?;
        Ok(self.git(["rev-parse", "HEAD"]).await?.trim().to_owned())
    }

    /// Pushes what is checked out to these branches of the forge.
    pub(super) async fn push(&self, url: &str, branches: &[&str]) -> Result<(), ForgeError> {
        let refs = branches.iter().map(|branch| format!("HEAD:refs/heads/{branch}"));
        self.command().args(["push", "--quiet", url]).args(refs).run().await?;
        Ok(())
    }

    async fn git<'b>(&self, arguments: impl IntoIterator<Item = &'b str>) -> Result<String, ForgeError> {
        Ok(self.command().args(arguments).run().await?)
    }

    /// Git with the account's credential in the environment, and with nobody's personal settings.
    fn command(&self) -> Command {
        let header = format!("Authorization: token {}", self.account.token.expose_secret());
        let email = format!("{}@forge.invalid", self.account.name);
        let git = Command::new("git").current_dir(self.folder.path()).limit(LIMIT);
        let variables = [
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_SYSTEM", "/dev/null"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_CONFIG_COUNT", "1"),
            ("GIT_CONFIG_KEY_0", "http.extraHeader"),
            ("GIT_CONFIG_VALUE_0", &header),
            ("GIT_AUTHOR_NAME", &self.account.name),
            ("GIT_AUTHOR_EMAIL", &email),
            ("GIT_COMMITTER_NAME", &self.account.name),
            ("GIT_COMMITTER_EMAIL", &email),
            ("no_proxy", "*"),
        ];
        variables.into_iter().fold(git, |git, (name, value)| git.env(name, value))
    }
}
