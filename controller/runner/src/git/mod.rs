//! Git, as a child process that asks nobody, trusts only the plan's host with the credential, and runs no hooks.

pub mod askpass;
pub mod complaint;
mod credential;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use brickline_artifact::plan::SourcePlan;
use tempfile::TempDir;

use crate::place::Place;

/// What every call shares. Kept out of the repository: its own configuration could run commands.
const CONFIG: &str = "\
[core]
\thooksPath = /dev/null
\tautocrlf = false
[safe]
\tdirectory = *
[advice]
\tdetachedHead = false
[gc]
\tauto = 0
[maintenance]
\tauto = false
[http]
\tlowSpeedLimit = 100
\tlowSpeedTime = 60
[filter \"lfs\"]
\tclean = git-lfs clean -- %f
\tsmudge = git-lfs smudge --skip -- %f
\tprocess = git-lfs filter-process --skip
\trequired = false
";

/// Git with everything it needs for one repository.
pub struct Git {
    folder: PathBuf,
    environment: Vec<(String, String)>,
    /// Configuration and ssh's key; deleted with this.
    _private: TempDir,
}

impl Git {
    /// Prepares git for the plan's repository in a folder.
    pub fn prepare(place: &Place, source: &SourcePlan) -> io::Result<Self> {
        let private = tempfile::tempdir()?;
        fs::write(private.path().join("config"), CONFIG)?;
        let mut environment = base_environment(private.path(), &source.url);
        environment.extend(credential::environment(&place.credentials, private.path(), &source.url)?);
        Ok(Self { folder: place.source.clone(), environment, _private: private })
    }

    /// A call to git in the repository.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_foreign(&name.to_string_lossy())) {
            command.env_remove(name);
        }
        command.current_dir(&self.folder).args(arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// Git's own variables could redirect anything; only the trusted authorities of the pod are let through.
fn is_foreign(variable: &str) -> bool {
    variable.starts_with("GIT_") && variable != "GIT_SSL_CAINFO"
}

fn base_environment(private: &Path, url: &str) -> Vec<(String, String)> {
    let text = |path: PathBuf| path.to_string_lossy().into_owned();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    vec![
        ("HOME".into(), text(private.to_path_buf())),
        ("GIT_CONFIG_GLOBAL".into(), text(private.join("config"))),
        pair("GIT_CONFIG_NOSYSTEM", "1"),
        pair("GIT_TERMINAL_PROMPT", "0"),
        pair("GIT_ALLOW_PROTOCOL", &protocols(url)),
        pair("LC_ALL", "C"),
    ]
}

/// Submodules may come over the safe protocols and the repository's own.
fn protocols(url: &str) -> String {
    match url.split_once("://") {
        Some((own @ ("http" | "file"), _)) => format!("https:ssh:{own}"),
        _ => "https:ssh".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_repositorys_own_unsafe_protocol_is_allowed() {
        assert_eq!(protocols("https://h/x"), "https:ssh");
        assert_eq!(protocols("git@h:x"), "https:ssh");
        assert_eq!(protocols("file:///x"), "https:ssh:file");
        assert_eq!(protocols("ext://x"), "https:ssh");
    }

    #[test]
    fn gits_variables_of_the_pod_are_dropped() {
        assert!(is_foreign("GIT_DIR") && is_foreign("GIT_CONFIG_COUNT"));
        assert!(!is_foreign("GIT_SSL_CAINFO") && !is_foreign("https_proxy"));
    }
}
