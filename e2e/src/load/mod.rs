//! The load: benchmarks, which measure and print. They assert nothing about time, and `verify` does not run them.
//!
//! A new one is a file here with one `async fn`, and a variant of [`Benchmark`]. Its figures go to `docs/benchmarks.md`.

mod chronicle;
mod count;
mod deploy;
mod figures;
mod handoff;
mod idle;
mod process;
mod quiet;
mod requests;
mod sizes;
mod test_phase;
mod workspace;

use std::time::Duration;

use anyhow::{Context as _, ensure};
use brickline_crds::{DatabricksRelease, ReleaseState};
use clap::Subcommand;
use kube::{Api, Client, api::ListParams};

use crate::{
    cluster::Cluster,
    progress::Progress,
    scenario::Stage,
    system::{System, Team},
};

/// What can be measured.
#[derive(Clone, Debug, Subcommand)]
pub enum Benchmark {
    /// How fast notebooks are imported, how few calls little change takes, and how little memory large files take.
    Deploy,
    /// How long a release stands still between its phases: from the work's end outside to the next phase's start.
    Handoff {
        /// How many full releases, one after the other.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
        releases: u32,
    },
    /// What the controller takes while there is nothing to do: memory, processor, and how often it wakes up.
    Idle {
        /// How long it is looked at.
        #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(30..))]
        seconds: u64,
    },
    /// What the controller asks of Kubernetes while many releases are over.
    Quiet {
        /// How many releases end before.
        #[arg(long, default_value_t = 1000)]
        releases: u32,
        /// How long requests are counted.
        #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u64).range(10..))]
        seconds: u64,
    },
    /// What one whole release asks of Kubernetes, by verb and resource.
    Requests,
    /// How big the images are.
    Sizes,
    /// How close to the ideal many notebooks run, how often Databricks is asked meanwhile, and how long scripts take instead.
    Tests,
}

impl Benchmark {
    /// Whether it brings the local cluster up on its way.
    pub(crate) fn builds_up(&self) -> bool {
        !matches!(self, Self::Sizes)
    }

    /// Measures, and prints what came out.
    pub(crate) async fn measure(&self, progress: &Progress) -> anyhow::Result<()> {
        println!("machine: {}", figures::machine()?);
        match self {
            Self::Deploy => deploy::measure(progress).await,
            Self::Handoff { releases } => Box::pin(handoff::measure(progress, *releases)).await,
            Self::Idle { seconds } => Box::pin(idle::measure(progress, Duration::from_secs(*seconds))).await,
            Self::Quiet { releases, seconds } => {
                Box::pin(quiet::measure(progress, *releases, Duration::from_secs(*seconds))).await
            }
            Self::Requests => Box::pin(requests::measure(progress)).await,
            Self::Sizes => sizes::measure(progress).await,
            Self::Tests => test_phase::measure(progress).await,
        }
    }
}

/// Everything installed on the local cluster, and a team in a namespace of its own.
async fn settle(progress: &Progress, name: &str) -> anyhow::Result<(Stage, Team)> {
    let cluster = Cluster::up(progress).await?;
    alone(&cluster.client()).await?;
    let system = System::up(&cluster, progress).await?;
    let stage = Stage::set(&cluster, name).await?;
    let settled = progress.step("Set a team up", Team::settle(&stage, &system)).await;
    match settled {
        Ok(team) => Ok((stage, team)),
        Err(error) => leave(&stage, Err(error)).await,
    }
}

/// A release under way would be measured as well, and would lose its controller and its images to a newer installation.
async fn alone(client: &Client) -> anyhow::Result<()> {
    let releases = match Api::<DatabricksRelease>::all(client.clone()).list(&ListParams::default()).await {
        Ok(releases) => releases.items,
        // Brickline was never installed here: there is no such resource, and so no `Status` with a reason either.
        Err(kube::Error::Api(refusal)) if refusal.code == 404 => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let finished = |release: &DatabricksRelease| {
        release.status.as_ref().is_some_and(|status| status.state == ReleaseState::Finished)
    };
    let busy: Vec<_> = releases.iter().filter(|release| !finished(release)).map(kube::ResourceExt::name_any).collect();
    ensure!(busy.is_empty(), "other releases are under way: {}", busy.join(", "));
    Ok(())
}

/// Clears the stage whatever happened; a failure keeps what the stage looked like.
async fn leave<T>(stage: &Stage, measured: anyhow::Result<T>) -> anyhow::Result<T> {
    let measured = match measured {
        Ok(measured) => Ok(measured),
        Err(error) => Err(error.context(stage.picture().await)),
    };
    let cleared = stage.clear().await.context("clearing the stage");
    measured.and_then(|measured| cleared.map(|()| measured))
}
