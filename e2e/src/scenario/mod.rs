//! A scenario: one story told against the running cluster, in a namespace of its own.
//!
//! A new one is a file here with one `async fn(Stage)`, and a line in [`all`].

mod client;
mod cluster;
mod contract;
mod faults;
mod forge;
mod road;
mod stage;

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use futures::{
    FutureExt as _, StreamExt as _,
    future::BoxFuture,
    stream::{self},
};
use tokio::time::{Instant, timeout};

use crate::{cluster::Cluster, progress::Progress};

pub(crate) use road::Story;
pub use stage::Stage;

/// How many scenarios are on at the same time: more would only wait for the machine's processors.
const SIDE_BY_SIDE: usize = 4;
/// The longest a scenario may take.
const LIMIT: Duration = Duration::from_mins(25);

/// One story, by its name.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// The name for the command line, and the start of its namespace's: lower-case letters, digits and hyphens.
    pub name: &'static str,
    /// What it shows, in one sentence.
    pub about: &'static str,
    tell: fn(Stage) -> BoxFuture<'static, anyhow::Result<()>>,
}

/// Every scenario.
#[must_use]
pub fn all() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "cluster",
            about: "The cluster runs pods under restricted rules, finds Services by name, and reaches the host",
            tell: |stage| cluster::tell(stage).boxed(),
        },
        Scenario {
            name: "forge",
            about: "A merged pull request's signed webhook reaches a pod, and so does the same one sent again",
            tell: |stage| forge::tell(stage).boxed(),
        },
        Scenario {
            name: "road",
            about: "Merges become tested releases; broken ones say what is broken; nothing is released twice or forged",
            tell: |stage| road::tell(stage).boxed(),
        },
        Scenario {
            name: "client",
            about: "The controller's Databricks client and its reading of verdicts against a real workspace emulator",
            tell: |stage| client::tell(stage).boxed(),
        },
        Scenario {
            name: "faults",
            about: "A wrong token and an unreachable workspace end in a condition that says what failed",
            tell: |stage| faults::tell(stage).boxed(),
        },
        Scenario {
            name: "contract",
            about: "Promotion, approvals, queues, locks, cancel and delete hold what the documentation says of them",
            tell: |stage| contract::tell(stage).boxed(),
        },
    ]
}

/// The scenario of this name.
#[must_use]
pub fn named(name: &str) -> Option<Scenario> {
    all().into_iter().find(|scenario| scenario.name == name)
}

/// How a scenario ended.
pub struct Outcome {
    /// The scenario's name.
    pub name: &'static str,
    /// How long it took.
    pub took: Duration,
    /// Why it failed, if it did.
    pub result: anyhow::Result<()>,
}

/// Tells these scenarios, several side by side, and says how each ended.
pub async fn tell(cluster: &Cluster, progress: &Progress, scenarios: Vec<Scenario>) -> Vec<Outcome> {
    let told = scenarios.into_iter().map(|scenario| scenario.play(cluster, progress));
    stream::iter(told).buffer_unordered(SIDE_BY_SIDE).collect().await
}

impl Scenario {
    async fn play(self, cluster: &Cluster, progress: &Progress) -> Outcome {
        let started = Instant::now();
        let result = progress.step(&format!("Scenario {}", self.name), self.play_on_stage(cluster)).await;
        Outcome { name: self.name, took: started.elapsed(), result }
    }

    /// Sets the stage, tells the story, and clears the stage whatever happened; a failure keeps what the stage looked like.
    async fn play_on_stage(self, cluster: &Cluster) -> anyhow::Result<()> {
        let stage = Stage::set(cluster, self.name).await.context("setting the stage")?;
        let told = timeout(LIMIT, (self.tell)(stage.clone())).await;
        let told = told.unwrap_or_else(|_| Err(anyhow!("not over after {} min", LIMIT.as_secs() / 60)));
        let told = match told {
            Ok(()) => Ok(()),
            Err(error) => Err(error.context(stage.picture().await)),
        };
        let cleared = stage.clear().await.context("clearing the stage");
        told.and(cleared)
    }
}
