//! Setup makes the Python environment that the emulator needs, at the versions it was tested with.

use crate::args::Setup;
use anyhow::{Context, ensure};
use sha2::{Digest, Sha256};
use std::{path::Path, process::Stdio};
use tokio::process::Command;

/// Spark 3.5, as in runtime 14.3 LTS.
const SERVE: &[&str] = &["pyspark==3.5.9"];
/// For the tests. A later setuptools refuses `packages=['.']` less kindly.
const TESTS: &[&str] = &["databricks-sdk==0.156.0", "setuptools==80.9.0", "wheel==0.45.1"];
/// Says what was installed; written last, so that a broken-off setup is done again.
const STAMP: &str = "brickline-emulator.stamp";

/// The retired command line, which the documents use. It wants older libraries than the SDK, so it lives apart.
const LEGACY_CLI: &[&str] = &["databricks-cli==0.18.0"];

/// Makes the environment, or finds that it is complete.
pub(crate) async fn run(args: &Setup) -> anyhow::Result<()> {
    let packages: Vec<_> = SERVE.iter().chain(TESTS.iter().filter(|_| args.tests)).copied().collect();
    make(&args.python, &args.venv, &packages, "import pyspark").await?;
    if args.tests {
        let name = args.venv.file_name().context("the folder of the environment has no name")?.to_string_lossy();
        let beside = args.venv.with_file_name(format!("{name}-legacy-cli"));
        make(&args.python, &beside, LEGACY_CLI, "import databricks_cli").await?;
    }
    println!("{} is ready: pass --python {} to serve", args.venv.display(), args.venv.join("bin/python").display());
    Ok(())
}

/// Makes one environment with these packages, unless it is there; `probe` is Python that fails without them.
async fn make(base: &Path, venv: &Path, packages: &[&str], probe: &str) -> anyhow::Result<()> {
    if let Some(parent) = venv.parent() {
        std::fs::create_dir_all(parent)?;
    }
    // Whoever comes second waits and finds the work done.
    let lock = std::fs::File::create(venv.with_extension("lock"))?;
    lock.lock()?;
    let wanted = data_encoding::HEXLOWER.encode(&Sha256::digest(packages.join("\n")));
    let stamp = venv.join(STAMP);
    let python = venv.join("bin/python");
    if std::fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) && works(&python, probe).await {
        return Ok(());
    }
    call(Command::new(base).args(["-m", "venv", "--clear"]).arg(venv)).await?;
    let pip = ["-m", "pip", "install", "--no-input", "--disable-pip-version-check"];
    call(Command::new(&python).args(pip).args(packages)).await?;
    Ok(std::fs::write(&stamp, wanted)?)
}

/// Whether the environment's Python still runs; the one it was made with may have gone.
async fn works(python: &Path, probe: &str) -> bool {
    let status = Command::new(python).args(["-c", probe]).stdin(Stdio::null()).status().await;
    status.is_ok_and(|status| status.success())
}

async fn call(command: &mut Command) -> anyhow::Result<()> {
    let status = command.stdin(Stdio::null()).kill_on_drop(true).status().await;
    let status = status.with_context(|| format!("{command:?} can't be run"))?;
    ensure!(status.success(), "{command:?} failed ({status})");
    Ok(())
}
