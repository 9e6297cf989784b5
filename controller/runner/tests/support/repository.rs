//! A real repository with a bare one beside it, as a forge serves it.

use std::fs;
use std::path::Path;
use std::process::Command;

/// A work tree and the bare repository it's pushed to.
pub struct Repository {
    folder: tempfile::TempDir,
}

impl Repository {
    /// An empty repository on the branch `release`.
    pub fn new() -> Self {
        let repository = Self { folder: tempfile::tempdir().expect("a folder") };
        fs::create_dir(repository.folder.path().join("tree")).expect("created");
        repository.git(&["init", "-q", "-b", "release", "."]);
        repository.git(&["init", "-q", "--bare", "-b", "release", "../bare.git"]);
        repository.git(&["remote", "add", "origin", "../bare.git"]);
        repository
    }

    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    pub fn url(&self) -> String {
        format!("file://{}/bare.git", self.folder.path().display())
    }

    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.folder.path().join("tree").join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("created");
        fs::write(path, content).expect("written");
    }

    /// Commits everything and pushes; the commit.
    pub fn commit(&self, message: &str) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.push()
    }

    /// Merges a branch with a merge commit and pushes.
    pub fn merge(&self, branch: &str) -> String {
        self.git(&["merge", "-q", "--no-ff", "-m", "merge", branch]);
        self.push()
    }

    fn push(&self) -> String {
        self.git(&["push", "-q", "--force", "origin", "HEAD"]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Calls git in the tree.
    pub fn git(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        command.current_dir(self.folder.path().join("tree")).args(["-c", "protocol.file.allow=always"]).args(arguments);
        for (name, value) in [("NAME", "Test"), ("EMAIL", "test@example.com"), ("DATE", "2026-01-02T03:04:05Z")] {
            command.env(format!("GIT_AUTHOR_{name}"), value).env(format!("GIT_COMMITTER_{name}"), value);
        }
        let output = command.env("GIT_CONFIG_GLOBAL", "/dev/null").output().expect("git runs");
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    }

    /// The library of the example: a module, a test with a hyphen in its name, a package marker and a setup script.
    pub fn write_library(&self, expected: &str) {
        let folder = "libraries/python/dbxdemo";
        self.write(&format!("{folder}/__init__.py"), "");
        self.write(&format!("{folder}/addcol.py"), "def with_status(row):\n    return {**row, 'status': 'checked'}\n");
        let test = format!(
            "from .addcol import with_status\n\n\ndef test_with_status():\n    assert with_status({{}}) == {{'status': '{expected}'}}\n"
        );
        self.write(&format!("{folder}/test-addcol.py"), test);
        let setup = "from setuptools import setup\n\nsetup(name='dbxdemo', version='0.1.0', packages=['.'])\n";
        self.write(&format!("{folder}/setup.py"), setup);
        self.write("notebooks/dbxdemo-notebook.py", "# Databricks notebook source\nprint(1)\n");
    }
}
