//! The scenario `client`: the controller's own tests of its Databricks client, against the emulator as users run it,
//! and the contract that the simulator's workspace keeps as well.

use std::{path::Path, time::Duration};

use anyhow::Context as _;
use secrecy::ExposeSecret as _;

use super::Stage;
use crate::{
    cache::Cache,
    command::Command,
    progress::Progress,
    system::{CLUSTER, System, VOLUME, start_emulator},
};

/// The tests restart the cluster several times; they may have to be compiled first.
const LIMIT: Duration = Duration::from_mins(15);

/// Tells it.
pub(super) async fn tell(stage: Stage) -> anyhow::Result<()> {
    let system = System::up(&stage.cluster, &Progress::default()).await?;
    let emulator = start_emulator(&stage, &system, &[CLUSTER]).await?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let tests = ["test", "-p", "brickline", "--lib", "--test", "workspace", "--", "--ignored", "--test-threads=1"];
    let log = Cache::open()?.log("scenario-client")?;
    let ran = Command::new(cargo)
        .args(tests)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .env("BRICKLINE_TEST_HOST", &emulator.address)
        .env("BRICKLINE_TEST_TOKEN", emulator.token.expose_secret())
        .env("BRICKLINE_TEST_CLUSTER", CLUSTER)
        .env("BRICKLINE_TEST_VOLUME", format!("/Volumes/{}", VOLUME.replace('.', "/")))
        .env("NO_PROXY", "*")
        .log(&log)
        .limit(LIMIT)
        .run()
        .await;
    ran.map(drop).with_context(|| format!("the client's tests; see {}", log.display()))
}
