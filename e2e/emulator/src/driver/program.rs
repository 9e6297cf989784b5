//! The program is the Python half of the emulator, written to the data folder and started from there.

use crate::driver::{Group, Reaper, orphans};
use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    sync::Arc,
    time::Duration,
};
use tokio::process::{Child, Command};

/// The environment variable that may hold tokens; no driver inherits it.
pub(crate) const TOKENS_VARIABLE: &str = "BRICKLINE_EMULATOR_TOKENS";

const PACKAGE: &str = "brickline_driver";
const SOURCES: [(&str, &str); 14] = [
    ("__init__.py", include_str!("python/__init__.py")),
    ("__main__.py", include_str!("python/__main__.py")),
    ("cluster.py", include_str!("python/cluster.py")),
    ("dbutils.py", include_str!("python/dbutils.py")),
    ("magic.py", include_str!("python/magic.py")),
    ("notebook.py", include_str!("python/notebook.py")),
    ("output.py", include_str!("python/output.py")),
    ("packages.py", include_str!("python/packages.py")),
    ("reaper.py", include_str!("python/reaper.py")),
    ("roots.py", include_str!("python/roots.py")),
    ("session.py", include_str!("python/session.py")),
    ("task.py", include_str!("python/task.py")),
    ("wire.py", include_str!("python/wire.py")),
    ("worker.py", include_str!("python/worker.py")),
];

/// What Python has to tell about itself before anything depends on it.
const PROBE: &str = "import json, sys, venv, pip, pyspark
print(json.dumps({'python': '.'.join(map(str, sys.version_info[:3])), 'pyspark': pyspark.__version__,
                  'sites': [path for path in sys.path if path.endswith('-packages')]}))";
const PROBE_TIMEOUT: Duration = Duration::from_mins(1);

#[derive(Deserialize)]
struct Probe {
    python: String,
    pyspark: String,
    sites: Vec<PathBuf>,
}

/// A checked Python with PySpark, ready to start drivers.
pub(crate) struct Program {
    python: PathBuf,
    /// The folder that holds the package.
    home: PathBuf,
    sites: Vec<PathBuf>,
    reaper: Arc<Reaper>,
}

impl Program {
    /// Checks Python and unpacks the program below `data`.
    pub(crate) async fn prepare(python: &Path, data: &Path) -> anyhow::Result<Self> {
        let probe = probe_python(python).await?;
        tracing::info!(python = probe.python, pyspark = probe.pyspark, "drivers can be started");
        let home = data.join("driver");
        let package = home.join(PACKAGE);
        fs::create_dir_all(&package)?;
        for (name, text) in SOURCES {
            fs::write(package.join(name), text)?;
        }
        let reaper = Reaper::start(Self::bare(python, &home, "reaper")).context("the reaper does not start")?;
        let reaper = Arc::new(reaper);
        tokio::spawn(orphans::collect(Arc::clone(&reaper)));
        Ok(Self { python: python.to_owned(), home, sites: probe.sites, reaper })
    }

    fn bare(python: &Path, home: &Path, program: &str) -> std::process::Command {
        let mut command = std::process::Command::new(python);
        command.args(["-m", PACKAGE, program]).env("PYTHONPATH", home).env_remove(TOKENS_VARIABLE);
        command
    }

    /// The Python that everything is built on.
    pub(crate) fn python(&self) -> &Path {
        &self.python
    }

    /// The folders that hold its packages.
    pub(crate) fn sites(&self) -> &[PathBuf] {
        &self.sites
    }

    /// Starts one of the programs with `python` in a group of its own; what it prints by itself goes to `log`.
    pub(crate) fn start(
        &self,
        program: &str,
        python: &Path,
        log: &Path,
        variables: &[(&str, String)],
    ) -> std::io::Result<(Child, Group)> {
        let log = fs::OpenOptions::new().create(true).append(true).open(log)?;
        let mut command = Self::bare(python, &self.home, program);
        command.envs(variables.iter().map(|(name, value)| (*name, value)));
        self.spawn(command.into(), log.into())
    }

    /// Starts any command in a group of its own, with pipes for its input and output.
    pub(crate) fn spawn(&self, mut command: Command, log: Stdio) -> std::io::Result<(Child, Group)> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        command.env_remove(TOKENS_VARIABLE).process_group(0).kill_on_drop(true);
        let child = command.spawn()?;
        let group = Group::of(&child, &self.reaper);
        Ok((child, group))
    }
}

async fn probe_python(python: &Path) -> anyhow::Result<Probe> {
    let output = run(Command::new(python).args(["-c", PROBE])).await;
    let output = output.with_context(|| format!("{} can't be run; choose another with --python", python.display()))?;
    ensure!(
        output.status.success(),
        "{} lacks something the emulator needs (venv, pip, pyspark 3.5): {}\n\
         `brickline-emulator setup --venv DIR` makes an environment that has it; then pass --python DIR/bin/python",
        python.display(),
        last_line(&output.stderr)
    );
    let probe: Probe = serde_json::from_slice(&output.stdout).context("Python's answer can't be read")?;
    ensure!(probe.pyspark.starts_with("3.5."), "pyspark {} is installed; the emulator needs 3.5", probe.pyspark);
    Ok(probe)
}

/// Finds the Java that Spark needs.
pub(crate) async fn probe_java() -> anyhow::Result<()> {
    let java = std::env::var_os("JAVA_HOME").map_or_else(|| "java".into(), |home| PathBuf::from(home).join("bin/java"));
    let output = run(Command::new(&java).arg("-version")).await;
    let output = output.with_context(|| {
        format!("{} can't be run; Spark needs Java 17 (on Debian: openjdk-17-jre-headless)", java.display())
    })?;
    if !output.status.success() {
        bail!("{} -version failed: {}", java.display(), last_line(&output.stderr));
    }
    let java = String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or_default().to_owned();
    tracing::info!(java, "Java is there");
    Ok(())
}

async fn run(command: &mut Command) -> anyhow::Result<Output> {
    command.stdin(Stdio::null()).kill_on_drop(true).env_remove(TOKENS_VARIABLE);
    Ok(tokio::time::timeout(PROBE_TIMEOUT, command.output()).await??)
}

/// The last line of a program's complaints, where Python names the error.
fn last_line(stderr: &[u8]) -> String {
    String::from_utf8_lossy(stderr).trim().lines().next_back().unwrap_or("no message").to_owned()
}
