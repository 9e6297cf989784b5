//! A scenario: one story told against the running cluster, in a namespace of its own.
//!
//! A new one is a file here with one `async fn(Stage)`, and a line in [`all`].

mod client;
mod cluster;
mod contract;
mod databricks;
mod faults;
mod forge;
mod official_clients;
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

/// Where `cargo verify` has a scenario.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    /// With others at the same time.
    SideBySide,
    /// After all of those: it disturbs what they share.
    Alone,
    /// Nowhere: it takes too long, and is run by its name.
    ByName,
}

/// One story, by its name.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// The name for the command line, and the start of its namespace's: lower-case letters, digits and hyphens.
    pub name: &'static str,
    /// What it shows, in one sentence.
    pub about: &'static str,
    place: Place,
    tell: fn(Stage) -> BoxFuture<'static, anyhow::Result<()>>,
}

/// Every scenario.
#[must_use]
pub fn all() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "cluster",
            about: "The cluster runs pods under restricted rules, finds Services by name, and reaches the host",
            place: Place::SideBySide,
            tell: |stage| cluster::tell(stage).boxed(),
        },
        Scenario {
            name: "forge",
            about: "A merged pull request's signed webhook reaches a pod, and so does the same one sent again",
            place: Place::SideBySide,
            tell: |stage| forge::tell(stage).boxed(),
        },
        Scenario {
            name: "road",
            about: "Merges become tested releases; broken ones say what is broken; nothing is released twice or forged",
            place: Place::SideBySide,
            tell: |stage| road::tell(stage).boxed(),
        },
        Scenario {
            name: "client",
            about: "The controller's Databricks client and its reading of verdicts against a real workspace emulator",
            place: Place::SideBySide,
            tell: |stage| client::tell(stage).boxed(),
        },
        Scenario {
            name: "faults",
            about: "Faults that pass hold no release up; a wrong token and an unreachable workspace are named in a condition",
            place: Place::SideBySide,
            tell: |stage| faults::tell(stage).boxed(),
        },
        Scenario {
            name: "databricks",
            about: "Wheels, files, compute, logins, bundles and jobs do in a workspace what the documentation says",
            place: Place::Alone,
            tell: |stage| databricks::tell(stage).boxed(),
        },
        Scenario {
            name: "official-clients",
            about: "Databricks' own clients find the emulator to be a workspace; `cargo test` has it too",
            place: Place::ByName,
            tell: |stage| official_clients::tell(stage).boxed(),
        },
        Scenario {
            name: "contract",
            about: "Promotion, approvals, queues, locks, cancel and delete hold what the documentation says of them",
            place: Place::SideBySide,
            tell: |stage| contract::tell(stage).boxed(),
        },
        Scenario {
            name: "crash-brief",
            about: "The controller is killed in 4 releases; each ends well, and nothing was done twice",
            place: Place::Alone,
            tell: |stage| contract::kill_again_and_again(stage, 4).boxed(),
        },
        Scenario {
            name: "crash",
            about: "The same with 20 releases",
            place: Place::ByName,
            tell: |stage| contract::kill_again_and_again(stage, 20).boxed(),
        },
        Scenario {
            name: "api-server-away",
            about: "The API server stands still for two minutes in mid-Deploy and mid-build; all goes on afterwards",
            place: Place::ByName,
            tell: |stage| contract::api_server_away(stage).boxed(),
        },
        Scenario {
            name: "leader",
            about: "The leading replica is frozen for a minute; another takes over, and nothing is done twice or undone",
            place: Place::ByName,
            tell: |stage| contract::freeze_in_mid_deploy(stage).boxed(),
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

/// Tells every scenario that `cargo verify` has, and says how each ended.
pub async fn tell_all(cluster: &Cluster, progress: &Progress) -> Vec<Outcome> {
    let at = |place: Place| all().into_iter().filter(move |scenario| scenario.place == place);
    let together = at(Place::SideBySide).map(|scenario| scenario.play(cluster, progress));
    let mut outcomes: Vec<Outcome> = stream::iter(together).buffer_unordered(SIDE_BY_SIDE).collect().await;
    for scenario in at(Place::Alone) {
        outcomes.push(scenario.play(cluster, progress).await);
    }
    outcomes
}

impl Scenario {
    /// Tells it, and says how it ended.
    pub async fn play(self, cluster: &Cluster, progress: &Progress) -> Outcome {
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
