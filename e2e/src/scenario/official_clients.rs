//! The scenario `official-clients`: Databricks' own clients, as users install them, against the workspace emulator; so that the
//! emulator is no mirror of the controller's client.

use std::{path::Path, time::Duration};

use anyhow::Context as _;

use super::Stage;
use crate::{cache::Cache, command::Command};

/// The clients may have to be installed and the emulator compiled first.
const LIMIT: Duration = Duration::from_mins(20);

/// Tells it. The emulators are processes of this machine: the clients are judged, not the cluster.
pub(super) async fn tell(_stage: Stage) -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let log = Cache::open()?.log("scenario-official-clients")?;
    let ran = Command::new(cargo)
        .args(["test", "-p", "brickline-emulator", "--test", "sdk", "--", "--nocapture", "--test-threads=1"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .env("NO_PROXY", "127.0.0.1")
        .log(&log)
        .limit(LIMIT)
        .run()
        .await;
    let said = ran.with_context(|| format!("the clients' stories; see {}", log.display()))?;
    // What each client was asked to do, and that it came out as it should.
    println!("{}", said.trim_end());
    Ok(())
}
