//! The scenario `databricks`: what a release does in a workspace, each promise tried with real wheels, notebooks and jobs.

mod bundle;
mod compute;
mod connect;
mod files;
mod git;
mod identity;
mod jobs;
mod lab;
mod libraries;
mod order;

use anyhow::Context as _;

use super::Stage;
use crate::progress::Progress;
use lab::Lab;

/// Tells it.
pub(super) async fn tell(stage: Stage) -> anyhow::Result<()> {
    let progress = Progress::default();
    let lab = Lab::up(&stage, &progress).await?;
    let proofs = async {
        prove(&progress, "three wheels, one restart", Box::pin(libraries::wheels_are_replaced(&lab))).await?;
        prove(&progress, "only what differs is written", Box::pin(files::only_what_differs_is_written(&lab))).await?;
        prove(&progress, "compute of every kind", Box::pin(compute::every_kind_runs_the_wheel(&lab))).await?;
        prove(&progress, "setup and teardown", Box::pin(order::teardown_always_runs(&lab))).await?;
        prove(&progress, "tests from the commit", Box::pin(git::the_commit_itself_is_run(&lab))).await?;
        prove(&progress, "every way to log in", Box::pin(identity::every_login_releases(&lab))).await?;
        prove(&progress, "an asset bundle", Box::pin(bundle::a_bundle_is_deployed(&lab))).await?;
        prove(&progress, "a build's tests log in", Box::pin(connect::a_builds_tests_log_in(&lab))).await?;
        prove(&progress, "jobs run what was tested", Box::pin(jobs::a_job_runs_what_was_tested(&lab))).await
    };
    proofs.await
}

/// Shows each proof with the time it took.
async fn prove(progress: &Progress, what: &str, proof: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    progress.step(&format!("databricks: {what}"), proof).await.with_context(|| what.to_owned())
}
