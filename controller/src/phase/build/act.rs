//! Creates a build's Jobs, and deletes them when they must stop.

use brickline_crds::{DatabricksRelease, Phase, PhaseStatus, PlannedJob, Reason};
use futures::future::try_join_all;
use kube::ResourceExt;

use super::session::session;
use super::since::since;
use super::{Effect, fetch, plan, pod, under_way};
use crate::context::Context;
use crate::forge::ReportState;
use crate::phase::Outcome;
use crate::phase::finish;
use crate::phase::job::{self, create, put_ca};
use crate::secret;
use crate::trouble::Trouble;

/// Does what `decide` asked for. `stop` ends when a download must, and says why.
pub(crate) async fn act(
    release: &DatabricksRelease,
    effect: &Effect,
    stop: impl Future<Output = Trouble>,
    context: &Context,
) -> Result<Outcome, Trouble> {
    match effect {
        Effect::Slots { jobs } => Ok(Outcome::Slots(context.queue.slots(release, jobs))),
        Effect::CreateJob { job, name, attempt } => {
            let planned = release.spec.build.planned();
            let planned = planned.iter().find(|planned| planned.name == *job);
            let unknown = || Trouble::lasting(Reason::InvalidSpec, format!("build.jobs has no {job}"));
            create_job(release, planned.ok_or_else(unknown)?, (name, *attempt), context).await?;
            Ok(Outcome::Done)
        }
        Effect::Fetch => fetch::act(release, stop, context).await,
    }
}

async fn create_job(
    release: &DatabricksRelease,
    planned: &PlannedJob<'_>,
    (name, attempt): (&str, u32),
    context: &Context,
) -> Result<(), Trouble> {
    let namespace = release.namespace().unwrap_or_default();
    let since = context.pipeline_of(release).map(|pipeline| since(release, &pipeline)).unwrap_or_default();
    let plan = plan::plan(release, planned, attempt, since, &context.settings)?;
    let told = finish::reported(ReportState::Pending, true);
    let is_there = release.status.as_ref().is_some_and(|status| status.reported.as_ref() == Some(&told));
    // A pod whose Secret is missing would wait for ever without saying so in its status. That the forge could just be told
    // with it says that it is there.
    if let Some(name) = pod::credentials(release).filter(|_| !is_there) {
        secret::read(&context.kube, &namespace, name, "source.git.credentialsRef").await?;
    }
    let session = session(release, planned, context).await?;
    put_ca(&namespace, context).await?;
    let job = pod::job(release, planned, name, &plan, session.as_ref(), &context.settings);
    create(&job, Reason::BuildFailed, context).await
}

/// Deletes each Job under way after its pod: the kubelet gives `collect` its grace to hand in what there is. The pod's own
/// grace is for handing in; one that was told to stop has less.
pub(crate) async fn stop(release: &DatabricksRelease, context: &Context) -> Result<(), Trouble> {
    // A download has stopped when its effect has.
    if fetch::remote(release).is_some() {
        return Ok(());
    }
    let (namespace, grace) = (release.namespace().unwrap_or_default(), job::grace(release));
    let names = names(release);
    try_join_all(names.iter().map(|name| job::stop(&namespace, name, grace, context))).await.map(drop)
}

/// The Jobs that are still there.
pub(crate) async fn alive(release: &DatabricksRelease, context: &Context) -> Result<Vec<String>, Trouble> {
    if fetch::remote(release).is_some() {
        return Ok(Vec::new());
    }
    let namespace = release.namespace().unwrap_or_default();
    let names = names(release);
    let alive = try_join_all(names.iter().map(|name| job::alive(&namespace, name, context))).await?;
    Ok(alive.into_iter().flatten().collect())
}

/// The names of the Jobs under way.
fn names(release: &DatabricksRelease) -> Vec<String> {
    let build = release.status.as_ref().and_then(|status| status.phase(Phase::Build));
    let build = build.cloned().unwrap_or_else(|| PhaseStatus::pending(Phase::Build));
    under_way(release, &build).into_iter().map(|running| running.name).collect()
}
