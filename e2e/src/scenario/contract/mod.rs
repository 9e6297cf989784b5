//! The scenario `contract`: what a platform team may rely on, each promise tried on the real cluster by the ways that people have.

mod admission;
mod away;
mod crash;
mod elsewhere;
mod jobs;
mod kubectl;
mod leader;
mod promotion;
mod pull_request;
mod queue;
mod rollback;
mod setting;
mod stop;
mod workspace;

use anyhow::Context as _;

use super::Stage;
use crate::progress::Progress;
use setting::Setting;

pub(super) use away::api_server_away;
pub(super) use crash::kill_again_and_again;
pub(super) use leader::freeze_in_mid_deploy;

/// Tells it.
pub(super) async fn tell(stage: Stage) -> anyhow::Result<()> {
    let progress = Progress::default();
    let setting = Setting::up(&stage, &progress).await?;
    let promoted = async {
        let merged = promotion::one_merge_reaches_production(&setting).await?;
        promotion::releases_are_found(&setting, &merged).await?;
        promotion::only_the_right_approval_counts(&setting, &merged).await?;
        promotion::nobody_approves_what_follows_from_their_own(&setting, &merged).await
    };
    prove(&progress, "promotion and approval", Box::pin(promoted)).await?;
    prove(&progress, "ways around are refused", admission::ways_around_are_refused(&setting)).await?;
    prove(&progress, "kubectl and Helm", kubectl::tools_judge_rightly(&setting)).await?;
    prove(&progress, "cancel and delete", stop::work_ends_with_its_release(&setting)).await?;
    prove(&progress, "queues and locks", Box::pin(queue::releases_take_turns(&setting))).await?;
    prove(&progress, "further jobs of a build", Box::pin(jobs::a_build_has_several_jobs(&setting))).await?;
    prove(&progress, "pull requests", Box::pin(pull_request::it_is_tested_before_it_is_merged(&setting))).await?;
    prove(&progress, "artifacts by URL", Box::pin(elsewhere::it_is_taken_by_its_digest(&setting))).await?;
    prove(&progress, "rollback", rollback::a_failed_test_brings_the_last_good_back(&setting)).await
}

/// Shows each group of proofs with the time it took.
async fn prove(progress: &Progress, what: &str, proof: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    progress.step(&format!("contract: {what}"), Box::pin(proof)).await.with_context(|| what.to_owned())
}
