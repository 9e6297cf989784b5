//! Verify: every check and every scenario, one part after the other, with the time of each and one verdict.

mod checks;
mod host_picture;
mod licences;

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use tokio::time::{Instant, timeout};

use crate::{
    cluster::Cluster,
    progress::{Progress, human},
    scenario, system,
};
use host_picture::HostPicture;

/// A run that takes longer fails: a slow verdict is no verdict.
const LIMIT: Duration = Duration::from_mins(80);

/// How one part ended.
struct Part {
    name: String,
    took: Duration,
    failure: Option<String>,
}

/// All parts that ended so far.
#[derive(Default)]
struct Report(Vec<Part>);

impl Report {
    /// Runs one part and keeps how it ended; says whether it went well. A failure does not stop the others.
    async fn part(&mut self, progress: &Progress, name: &str, work: impl Future<Output = anyhow::Result<()>>) -> bool {
        let started = Instant::now();
        let result = progress.step(name, work).await;
        self.add(name, started.elapsed(), result)
    }

    fn add(&mut self, name: &str, took: Duration, result: anyhow::Result<()>) -> bool {
        let failure = result.err().map(|error| format!("{error:#}"));
        let well = failure.is_none();
        self.0.push(Part { name: name.to_owned(), took, failure });
        well
    }

    fn print(&self) {
        for part in &self.0 {
            let mark = if part.failure.is_none() { "ok    " } else { "FAILED" };
            println!("{mark} {:<32} {:>12}", part.name, human(part.took));
        }
        for part in &self.0 {
            if let Some(failure) = &part.failure {
                println!("\n{} failed: {failure}", part.name);
            }
        }
    }

    fn failed(&self) -> usize {
        self.0.iter().filter(|part| part.failure.is_some()).count()
    }
}

/// Runs everything and prints the report; an error means that something failed.
pub(crate) async fn verify(progress: &Progress) -> anyhow::Result<()> {
    let started = Instant::now();
    let mut report = Report::default();
    let ended = timeout(LIMIT, Box::pin(parts(progress, &mut report))).await;
    println!();
    report.print();
    let took = human(started.elapsed());
    println!();
    match (ended, report.failed()) {
        (Err(_), _) => bail!("verify: not over after {took}, which is too long"),
        (Ok(()), 0) => println!("verify: all {} parts passed in {took}", report.0.len()),
        (Ok(()), failed) => bail!("verify: {failed} of {} parts failed in {took}", report.0.len()),
    }
    Ok(())
}

async fn parts(progress: &Progress, report: &mut Report) {
    // The tests need the API server, and its build should not count as theirs.
    report.part(progress, "parts of the cluster", async { Ok(Cluster::prepare(progress).await?) }).await;
    for check in checks::all() {
        report.part(progress, check.name, check.run()).await;
    }
    report.part(progress, "licences", licences::licences()).await;
    on_the_cluster(progress, report).await;
}

/// Brings the cluster up, tells the scenarios, crashes it, and takes it down; then the host must be as it was.
async fn on_the_cluster(progress: &Progress, report: &mut Report) {
    // What an earlier, killed run left is not ours to be blamed for.
    if !report.part(progress, "no cluster before", system::down(progress)).await {
        return;
    }
    let before = HostPicture::take().await;
    let mut cluster = None;
    let up = async {
        cluster = Some(Cluster::up(progress).await?);
        Ok(())
    };
    report.part(progress, "cluster up", up).await;
    if let Some(cluster) = &cluster {
        report.part(progress, "chart", checks::chart(cluster)).await;
        for outcome in scenario::tell_all(cluster, progress).await {
            report.add(&format!("scenario {}", outcome.name), outcome.took, outcome.result);
        }
        report.part(progress, "cluster up after a crash", crash(progress)).await;
    }
    report.part(progress, "cluster down", system::down(progress)).await;
    report.part(progress, "host as it was", async { as_it_was(before).await }).await;
}

/// Kills the node in full run. The next `up` must notice, clear what is left, and bring a new cluster.
async fn crash(progress: &Progress) -> anyhow::Result<()> {
    Cluster::crash().await?;
    let cluster = Cluster::up(progress).await.context("the first up after a crash")?;
    let version = cluster.client().apiserver_version().await?;
    ensure!(
        version.git_version == crate::cluster::KUBERNETES_VERSION,
        "the API server calls itself {}",
        version.git_version
    );
    Ok(())
}

async fn as_it_was(before: anyhow::Result<HostPicture>) -> anyhow::Result<()> {
    let news = HostPicture::take().await?.news_since(&before?);
    ensure!(news.is_empty(), "left behind:\n{}", news.join("\n"));
    Ok(())
}
