//! A build pod without a cluster: its folders, its plan, and the real binary as each of its containers.

// Each test binary uses its own part of this.
#![allow(dead_code)]

pub mod repository;
pub mod server;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use brickline_artifact::BuildPlan;
use brickline_artifact::result::Outcome;
use serde_json::{Value, json};

/// How long a condition may take to come true.
const PATIENCE: Duration = Duration::from_mins(2);

/// One pod.
pub struct Pod {
    folder: tempfile::TempDir,
    pub plan: Value,
    variables: Vec<(String, PathBuf)>,
}

impl Pod {
    /// A pod that builds a commit.
    pub fn new(url: &str, commit: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["meta", "work", "collect", "credentials"] {
            fs::create_dir(folder.path().join(name)).expect("created");
        }
        let plan = json!({
            "release": {"namespace": "data", "name": "dbxdemo-1", "uid": "uid-1", "attempt": 1},
            "source": {"url": url, "reference": "refs/heads/release", "commit": commit},
            "upload": {"url": "https://localhost:1", "caPem": ""},
            "deadlines": {"uploadSeconds": 30, "stepGraceSeconds": 1},
        });
        let pod = Self { folder, plan, variables: Vec::new() };
        fs::write(pod.at("token"), "first-token\n").expect("written");
        pod
    }

    pub fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub fn set(&mut self, variable: &str, value: impl Into<PathBuf>) {
        self.variables.push((variable.to_owned(), value.into()));
    }

    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("created");
        fs::write(path, content).expect("written");
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.read(path)).expect("JSON")
    }

    /// One of the pod's containers.
    pub fn container(&self, task: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_brickline-runner"));
        let plan = BuildPlan::from_json(&self.plan.to_string()).expect("a plan");
        command.arg(task).env("BRICKLINE_PLAN", plan.to_json().expect("a plan"));
        let folders =
            ["source", "meta", "work", "collect", "credentials", "base_python", "termination_log", "token_file"];
        for name in folders {
            let path = self.at(name.strip_suffix("_file").unwrap_or(name));
            command.env(format!("BRICKLINE_{}", name.to_uppercase()), path);
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a container to its end; its exit code.
    pub fn run(&self, task: &str) -> i32 {
        let output = self.container(task).output().expect("started");
        show(&output);
        output.status.code().expect("it ended by itself")
    }

    /// Runs a container in the background.
    pub fn start(&self, task: &str) -> Child {
        self.container(task).stdout(Stdio::null()).spawn().expect("started")
    }

    /// What Kubernetes would show of the last container.
    pub fn last_words(&self) -> Outcome {
        serde_json::from_str(&self.read("termination_log")).expect("an outcome")
    }

    /// The message of a failure or a skip.
    pub fn message(&self) -> String {
        match self.last_words() {
            Outcome::Succeeded => panic!("it succeeded"),
            Outcome::Failed { message, .. } | Outcome::Skipped { message, .. } => message,
        }
    }
}

fn show(output: &Output) {
    println!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
}

/// Sends TERM as the kubelet does, and waits.
pub fn terminate(mut child: Child) -> i32 {
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).expect("a pid")).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
    child.wait().expect("it ends").code().expect("it ended by itself")
}

/// Waits until a container has taken TERM over; before, it would simply die.
pub fn until_listening(child: &Child) {
    until("its signals are taken over", || {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0").trim();
        u64::from_str_radix(caught, 16).unwrap_or(0) & (1 << 14) != 0
    });
}

/// Waits for a condition.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A Python environment as a build image brings it; made once, shared by the tests of a binary.
pub fn base_python() -> &'static Path {
    static BASE: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    BASE.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("base-python");
        if !folder.join("ready").exists() {
            let make = |program: &Path, arguments: &[&str]| {
                assert!(Command::new(program).args(arguments).status().expect("started").success());
            };
            make(Path::new("python3"), &["-m", "venv", "--clear", &folder.to_string_lossy()]);
            make(&folder.join("bin/python"), &["-m", "pip", "install", "-q", "pytest", "build", "setuptools", "wheel"]);
            fs::write(folder.join("ready"), "").expect("written");
        }
        folder
    })
}
