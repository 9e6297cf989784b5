//! The emulator is shown the cases: one in this process, and one that was started with a Python that has Spark.

use std::path::{Path, PathBuf};
use std::time::Duration;

use brickline_emulator::Guest;
use brickline_emulator::args::{Args, Command};
use clap::Parser;
use tempfile::TempDir;

use super::databricks::{CASES, check};
use super::real::{Address, Real};

const CLUSTER: &str = "0101-000000-contract";
const TOKEN: &str = "dapi-contract";

/// An emulator without Spark: what stands for Python is a shell script. Everything else of it is as users have it.
async fn start(folder: &TempDir) -> Guest {
    let here = |name: &str| -> PathBuf { folder.path().join(name) };
    let python = concat!(env!("CARGO_MANIFEST_DIR"), "/src/contract/python.sh");
    std::fs::write(here("tokens"), TOKEN).unwrap();
    let text = |path: &Path| path.display().to_string();
    let args = Args::try_parse_from([
        "emulator",
        "serve",
        "--listen=127.0.0.1:0",
        &format!("--data={}", text(&here("state"))),
        &format!("--token-file={}", text(&here("tokens"))),
        &format!("--cluster={CLUSTER}"),
        &format!("--python={python}"),
        // Long enough to be seen.
        "--restart-delay-ms=200",
    ]);
    match args.unwrap().command {
        Command::Serve(serve) => brickline_emulator::start(&serve).await.unwrap(),
        Command::Setup(_) => unreachable!("it serves"),
    }
}

async fn shown(case: &str, address: &Address) -> Result<(), String> {
    let real = Real::new(address.clone()).await.map_err(|trouble| trouble.message)?;
    let checked = check(case, &real).await;
    real.clear().await.map_err(|trouble| trouble.message)?;
    checked
}

/// The cases in which it does otherwise, with what it does.
async fn broken(address: &Address) -> Vec<(&'static str, String)> {
    let mut broken = Vec::new();
    for case in CASES {
        broken.extend(shown(case, address).await.err().map(|what| (case, what)));
    }
    broken
}

#[tokio::test]
async fn the_emulator_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = start(&folder).await;
    let moment = Duration::from_millis(20);
    let (host, token, cluster) = (emulator.url().to_owned(), TOKEN.to_owned(), CLUSTER.to_owned());
    assert_eq!(broken(&Address { host, token, cluster, moment }).await, []);
    emulator.leave().await.unwrap();
}

/// Or Databricks itself: the cluster is restarted several times.
#[tokio::test]
#[ignore = "needs a workspace: BRICKLINE_TEST_HOST, BRICKLINE_TEST_TOKEN and BRICKLINE_TEST_CLUSTER"]
async fn a_workspace_with_spark_keeps_the_contract() {
    let [host, token, cluster] = ["HOST", "TOKEN", "CLUSTER"].map(|name| {
        let name = format!("BRICKLINE_TEST_{name}");
        std::env::var(&name).unwrap_or_else(|_| panic!("{name} must be set"))
    });
    assert_eq!(broken(&Address { host, token, cluster, moment: Duration::from_millis(200) }).await, []);
}
