//! An emulator as a child process, as users start it.

#![allow(dead_code, reason = "each test file uses a part of this")]

pub mod api;

use rustix::process::{Pid, Signal, kill_process};
use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

pub const TOKEN: &str = "test-token-of-ana";

/// A running emulator; dropping it ends it.
pub struct Emulator {
    child: Child,
    stdout: Option<BufReader<std::process::ChildStdout>>,
    pub url: String,
    pub data: PathBuf,
}

impl Emulator {
    /// Starts one on a free port with its state in `data`.
    pub fn start(data: &Path, more: &[&str]) -> Self {
        let tokens = data.join("tokens");
        let lines = [
            &format!("ana@example.com {TOKEN}"),
            "oauth app-1 secret-of-app-1",
            "azure tenant-1 az-member secret-of-az-member",
            "azure tenant-1 az-guest secret-of-az-guest guest",
        ];
        std::fs::write(&tokens, lines.join("\n")).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_brickline-emulator"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data.join("state"))
            .arg("--token-file")
            .arg(tokens)
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut url).unwrap();
        assert!(url.starts_with("http://"), "the emulator did not start");
        Self { child, stdout: Some(stdout), url: url.trim().to_owned(), data: data.to_owned() }
    }

    /// What it says on stdout behind its first line.
    pub fn stdout(&mut self) -> impl BufRead + use<> {
        self.stdout.take().unwrap()
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed()).unwrap()
    }

    /// Waits for the end that it comes to by itself.
    pub fn died(&mut self) {
        wait_for("the emulator's end", Duration::from_secs(30), || self.child.try_wait().unwrap());
    }

    /// The most memory it ever had, KiB.
    pub fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// Ends it politely and tells whether it left cleanly.
    pub fn terminate(mut self) -> bool {
        kill_process(self.pid(), Signal::TERM).unwrap();
        wait_for("the emulator's end", Duration::from_secs(30), || self.child.try_wait().unwrap()).success()
    }

    /// Ends it so that it can do nothing about it.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill_process(self.pid(), Signal::TERM);
            let deadline = Instant::now() + Duration::from_secs(20);
            while Instant::now() < deadline && matches!(self.child.try_wait(), Ok(None)) {
                std::thread::sleep(Duration::from_millis(50));
            }
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Looks again and again until something is found.
pub fn wait_for<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The same for a test that has a runtime of its own.
pub async fn wait_for_async<T>(what: &str, limit: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The folder that outlives checkouts.
fn cache() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("BRICKLINE_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|path| path.join("brickline")))
        .or_else(|| set("HOME").map(|path| path.join(".cache/brickline")))
        .expect("HOME is set")
}

/// A Python with PySpark and Databricks' SDK, made by the emulator's own `setup`.
pub fn python() -> PathBuf {
    let venv = cache().join("emulator-python");
    let mut setup = Command::new(env!("CARGO_BIN_EXE_brickline-emulator"));
    let status = setup.args(["setup", "--tests", "--venv"]).arg(&venv).status().unwrap();
    assert!(status.success(), "the Python environment could not be made");
    venv.join("bin/python")
}

/// The legacy command line that `setup` has put beside that Python.
pub fn legacy_cli(python: &Path) -> PathBuf {
    let venv = python.ancestors().nth(2).unwrap();
    let name = venv.file_name().unwrap().to_str().unwrap();
    venv.with_file_name(format!("{name}-legacy-cli")).join("bin/databricks")
}
