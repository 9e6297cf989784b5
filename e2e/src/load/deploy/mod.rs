//! The Deploy phase: how fast many notebooks are imported, how few calls a release makes of which little or nothing changed, and
//! how little memory large files take.

mod bench;
mod print;

use std::time::Duration;

use serde_json::json;

use self::bench::{Bench, Deployed};
use super::{alone, leave};
use crate::{
    cluster::Cluster,
    progress::Progress,
    scenario::Stage,
    system::{CLUSTER, System, Team},
};

/// How many notebooks there are, in how many folders, and how large each is in bytes.
const NOTEBOOKS: usize = 2000;
const FOLDERS: usize = 20;
const SIZE: usize = 10 << 10;
/// How many of them change.
const CHANGED: usize = 10;
/// What Databricks allows, in imports a second, and with it the emulator in the first measurement; how late it answers in
/// the later ones.
const PER_SECOND: u32 = 30;
const LATENCY: Duration = Duration::from_millis(20);
/// Large files: how many, how large each is in MiB, and to how many places each goes. Together 1 GiB.
const LARGE: usize = 2;
const LARGE_MIB: usize = 64;
const PLACES: usize = 8;

/// Everything that was measured.
struct Measured {
    /// Imports limited by the server.
    limited: Deployed,
    /// Then nothing changed; then a few notebooks did; then nothing again, with a look at what hands changed.
    unchanged: Deployed,
    changed: Deployed,
    listed: Deployed,
    /// Without limit and with latency: as users have it, and one import at a time.
    parallel: Deployed,
    serial: Deployed,
    large: Deployed,
    /// The controller's memory before the large files, and the most it had with them, in KiB.
    memory: (u64, u64),
}

/// Measures, and prints.
pub(super) async fn measure(progress: &Progress) -> anyhow::Result<()> {
    let cluster = Cluster::up(progress).await?;
    alone(&cluster.client()).await?;
    let system = System::up(&cluster, progress).await?;
    let stage = Stage::set(&cluster, "deploy").await?;
    let measured = leave(&stage, Box::pin(play(progress, &stage, &system)).await).await?;
    print::print(&measured);
    Ok(())
}

async fn play(progress: &Progress, stage: &Stage, system: &System) -> anyhow::Result<Measured> {
    let team = progress.step("Set a team up", Team::found(stage, system, &[CLUSTER])).await?;
    let bench = Bench(&team);
    let limits = json!({"uploads": 10, "requestsPerSecond": 1000, "families": {"import": 1000}});
    for (name, limits) in [
        ("limited", json!({})),
        ("parallel", limits.clone()),
        ("serial", json!({"uploads": 1, "requestsPerSecond": 1000, "families": {"import": 1000}})),
        ("large", json!({})),
    ] {
        bench.pipeline(name, &limits).await?;
    }
    bench.limit(true).await?;
    let name = format!("Deploy {NOTEBOOKS} notebooks, {PER_SECOND} imports a second allowed");
    let limited = progress.step(&name, bench.notebooks("limited")).await?;
    bench.limit(false).await?;
    let unchanged = progress.step("Deploy them again", bench.nothing("limited")).await?;
    let changed = progress.step(&format!("Change {CHANGED} of them"), bench.some("limited")).await?;
    bench.watch_drift("limited").await?;
    let listed = progress.step("Deploy them again, and look for what hands changed", bench.nothing("limited")).await?;
    bench.delay(LATENCY).await?;
    let parallel = progress.step("Deploy them with latency", bench.notebooks("parallel")).await?;
    let serial = progress.step("The same, one import at a time", bench.notebooks("serial")).await?;
    bench.delay(Duration::ZERO).await?;
    let (large, memory) = progress.step("Deploy 1 GiB of files", bench.large("large")).await?;
    Ok(Measured { limited, unchanged, changed, listed, parallel, serial, large, memory })
}
