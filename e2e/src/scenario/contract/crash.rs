//! The scenario `crash`: the controller's process is killed at random points of whole releases.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use brickline_crds::{DatabricksRelease, Phase, ReleaseResult};
use k8s_openapi::api::batch::v1::Job;
use kube::{ResourceExt as _, api::ListParams};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::setting::{Setting, picture};
use super::workspace;
use crate::{progress::Progress, scenario::Stage, system::Replica};

/// The variable with the seed of an earlier run, to kill at the same points again.
const SEED: &str = "BRICKLINE_E2E_SEED";
/// How long the killed container may take to be started again.
const REVIVAL: Duration = Duration::from_mins(2);
const GLANCE: Duration = Duration::from_millis(200);

/// Kills the controller once in each of `kills` releases. Each ends well all the same, with one Job and one run of its notebook
/// for each attempt, one restart of its cluster, and no lock left.
pub(crate) async fn kill_again_and_again(stage: Stage, kills: u32) -> anyhow::Result<()> {
    ensure!(stage.cluster.is_local(), "only processes of the local cluster can be killed from here");
    let progress = Progress::default();
    let setting = Setting::up(&stage, &progress).await?;
    let seed = std::env::var(SEED).ok().map_or_else(|| Ok(rand::random()), |seed| seed.parse()).context(SEED)?;
    progress.note(&format!("    {kills} kills with {SEED}={seed}"));
    let mut random = StdRng::seed_from_u64(seed);
    // The first is slower: everything is cold.
    undisturbed(&setting, "cold").await?;
    let length = undisturbed(&setting, "warm").await?;
    for number in 1..=kills {
        let after = length.mul_f64(random.random());
        let killed = Box::pin(killed_once(&setting, &format!("killed-{number:02}"), after)).await?;
        progress.note(&format!("    {number:02}: killed {:.2} s after it was made: {killed}", after.as_secs_f64()));
    }
    progress.note(&format!("    {kills} points were tried, and all {kills} held"));
    Ok(())
}

/// How long such a release takes if nobody is killed.
async fn undisturbed(setting: &Setting, name: &str) -> anyhow::Result<Duration> {
    let (manifest, before) = (manifest(setting, name).await?, restarts(setting).await?);
    let begun = Instant::now();
    setting.create(manifest).await?;
    let release = setting.ended(name, ReleaseResult::Succeeded).await?;
    let length = begun.elapsed();
    as_if_nothing_had_happened(setting, &release, before).await?;
    Ok(length)
}

/// Kills the leader's process in the middle of one release, and returns where that was.
async fn killed_once(setting: &Setting, name: &str, after: Duration) -> anyhow::Result<String> {
    let cluster = &setting.team.stage.cluster;
    let before = restarts(setting).await?;
    setting.create(manifest(setting, name).await?).await?;
    sleep(after).await;
    let point = picture(&setting.release(name).await?);
    let leader = Replica::leader(cluster).await?;
    leader.signal(Signal::KILL)?;
    let release = setting.ended(name, ReleaseResult::Succeeded).await?;
    as_if_nothing_had_happened(setting, &release, before).await.with_context(|| format!("killed at: {point}"))?;
    let deadline = Instant::now() + REVIVAL;
    while !Replica::all(cluster).await?.iter().any(|now| now.pod == leader.pod && now.restarts > leader.restarts) {
        ensure!(Instant::now() < deadline, "the controller was not killed, or did not come back");
        sleep(GLANCE).await;
    }
    Ok(point)
}

/// One Job for each attempt of Build, one run for each attempt of Test, one restart for each of Install, and no lock.
async fn as_if_nothing_had_happened(
    setting: &Setting,
    release: &DatabricksRelease,
    before: usize,
) -> anyhow::Result<()> {
    let name = release.name_any();
    let attempts = |phase: Phase| {
        let status = release.status.as_ref().and_then(|status| status.phase(phase));
        status.map_or(0, |phase| usize::try_from(phase.attempts).unwrap_or(0))
    };
    let jobs = ListParams::default().labels(&format!("brickline.dev/release={name}"));
    let jobs = setting.team.stage.api::<Job>().list(&jobs).await?.items.len();
    ensure!(jobs == attempts(Phase::Build), "{name} has {jobs} Jobs in {} attempts", attempts(Phase::Build));
    let runs = workspace::runs(&setting.team, &format!("{name} ")).await?.len();
    ensure!(runs == attempts(Phase::Test), "{name} has {runs} runs in {} attempts", attempts(Phase::Test));
    let restarts = restarts(setting).await? - before;
    ensure!(restarts == 1, "{name} restarted its cluster {restarts} times");
    setting.holds_no_lock(release).await
}

/// How often a cluster was restarted so far.
async fn restarts(setting: &Setting) -> anyhow::Result<usize> {
    let requests = setting.team.emulator.requests(0).await?;
    let restarts = |request: &&Value| request["path"].as_str().is_some_and(|path| path.ends_with("/clusters/restart"));
    Ok(requests.iter().filter(restarts).count())
}

/// A release that has work in every phase.
async fn manifest(setting: &Setting, name: &str) -> anyhow::Result<Value> {
    let commit = setting.team.repository.head("quick").await?;
    let mut manifest = setting.artifact_release(name, "staging", "quick");
    manifest["spec"]["source"] = setting.git_release(name, "quick", &commit)["spec"]["source"].clone();
    manifest["spec"]["install"] = json!({"clusters": ["main"], "restart": "Always"});
    Ok(manifest)
}
