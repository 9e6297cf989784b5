//! Quiet: what the controller asks of Kubernetes while many releases are over and nothing is to be done.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use brickline_crds::DatabricksRelease;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::{
    Api,
    api::{ListParams, PostParams},
};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{
    count::{Requests, between, requests},
    figures::table,
    leave, settle,
};
use crate::{
    cluster::ADMINISTRATOR,
    progress::{Progress, human},
    system::Team,
};

/// Releases created at the same time.
const PARALLEL: usize = 20;
/// How long all of them may take to end.
const PATIENCE: Duration = Duration::from_mins(8);
/// How often it is looked whether they have.
const GLANCE: Duration = Duration::from_secs(2);

/// Lets so many releases end, then counts requests for a while.
pub(super) async fn measure(progress: &Progress, releases: u32, window: Duration) -> anyhow::Result<()> {
    let (stage, team) = settle(progress, "quiet").await?;
    let counted = leave(&stage, play(progress, &team, releases, window).await).await?;
    print(&counted, releases, window);
    ensure!(counted.values().all(|count| *count == 0), "finished releases are to cost no request");
    Ok(())
}

async fn play(progress: &Progress, team: &Team, releases: u32, window: Duration) -> anyhow::Result<Requests> {
    progress.step(&format!("Let {releases} releases end"), end(team, releases)).await?;
    let before = requests(team).await?;
    let name = format!("Count requests for {}", human(window));
    let after = progress.step(&name, later(team, window)).await?;
    Ok(between(&before, &after))
}

/// The requests that were made when the window is over.
async fn later(team: &Team, window: Duration) -> anyhow::Result<Requests> {
    sleep(window).await;
    requests(team).await
}

/// Creates releases that are canceled from the start: the controller itself brings each to its end.
async fn end(team: &Team, releases: u32) -> anyhow::Result<()> {
    let api: Api<DatabricksRelease> = Api::namespaced(team.stage.client(), &team.stage.namespace);
    let created = stream::iter(0..releases).map(|number| create(&api, number)).buffer_unordered(PARALLEL);
    created.try_collect::<()>().await?;
    let deadline = Instant::now() + PATIENCE;
    let unfinished = ListParams::default().fields("status.result=").limit(1);
    while let Some(release) = api.list_metadata(&unfinished).await?.items.first() {
        ensure!(Instant::now() < deadline, "{:?} has not ended", release.metadata.name);
        sleep(GLANCE).await;
    }
    Ok(())
}

async fn create(api: &Api<DatabricksRelease>, number: u32) -> anyhow::Result<()> {
    let manifest = json!({
        "apiVersion": "brickline.dev/v1alpha1",
        "kind": "DatabricksRelease",
        "metadata": {"name": format!("over-{number}")},
        "spec": {
            "source": {"git": {
                "url": "https://git.example.com/data/dbxdemo.git",
                "ref": "refs/heads/release",
                "commit": "9b1c0de9b1c0de9b1c0de9b1c0de9b1c0de9b1c0",
            }},
            "requestedBy": ADMINISTRATOR,
            "cancel": true,
        },
    });
    let release = serde_json::from_value(manifest)?;
    api.create(&PostParams::default(), &release).await.map(drop).with_context(|| format!("release {number}"))
}

fn print(counted: &Requests, releases: u32, window: Duration) {
    let mut figures = table(&["request", "count"]);
    for (request, count) in counted {
        figures.add_row([request.as_str(), &count.to_string()]);
    }
    figures.add_row(["**all**", &counted.values().sum::<u64>().to_string()]);
    println!("{figures}");
    let window = human(window);
    println!("{releases} finished releases, {window}; watches that begin anew and the leader's Lease are left out");
}
