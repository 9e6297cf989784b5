//! Requests: what one whole release asks of Kubernetes, from the merge to its end.

use anyhow::{Context as _, ensure};

use super::{
    count::{Requests, between, requests},
    figures::table,
    leave, settle,
};
use crate::{forge::Change, progress::Progress, system::Team};

/// The bar: for a release, and for each notebook that it starts.
const BAR: u64 = 40;
const PER_NOTEBOOK: u64 = 2;

/// What was counted for one release.
struct Counted {
    requests: Requests,
    notebooks: u64,
}

impl Counted {
    /// All requests, and how many there may be.
    fn against_the_bar(&self) -> (u64, u64) {
        (self.requests.values().sum(), BAR + PER_NOTEBOOK * self.notebooks)
    }
}

/// Releases once to get warm, then counts what the next one costs.
pub(super) async fn measure(progress: &Progress) -> anyhow::Result<()> {
    let (stage, team) = settle(progress, "requests").await?;
    let counted = leave(&stage, play(progress, &team).await).await?;
    print(&counted);
    let (all, bar) = counted.against_the_bar();
    ensure!(all <= bar, "{all} requests, {bar} are allowed");
    Ok(())
}

async fn play(progress: &Progress, team: &Team) -> anyhow::Result<Counted> {
    progress.step("Merge and release, to get warm", release(team, &Change::Behaviour)).await?;
    let before = requests(team).await?;
    let change = Change::File { path: "notes.txt".to_owned(), content: "nothing of it is released\n".to_owned() };
    let notebooks = progress.step("Merge and release", release(team, &change)).await?;
    Ok(Counted { requests: between(&before, &requests(team).await?), notebooks })
}

/// Merges a change; answers how many notebooks its release started.
async fn release(team: &Team, change: &Change) -> anyhow::Result<u64> {
    let merged = team.repository.merge(change).await?;
    let name = team.release_of(&merged.commit).await?;
    let finished = team.finished(&name).await?;
    let status = finished.status.context("no status")?;
    let ticket = status.phases.into_iter().filter_map(|phase| phase.ticket).map(|ticket| u64::from(ticket.notebooks));
    Ok(ticket.sum())
}

fn print(counted: &Counted) {
    let mut figures = table(&["request", "count"]);
    for (request, count) in &counted.requests {
        figures.add_row([request.as_str(), &count.to_string()]);
    }
    let (all, bar) = counted.against_the_bar();
    figures.add_row([format!("**all** (bar: at most {bar})"), all.to_string()]);
    println!("{figures}");
    println!(
        "one merge with {} notebooks; watches that begin anew and the leader's Lease are left out",
        counted.notebooks
    );
}
