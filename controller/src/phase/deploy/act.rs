//! Carries one effect out, in the workspace that the release names.

use brickline_crds::DatabricksRelease;

use super::work::Work;
use super::{Effect, bundle};
use crate::context::Context;
use crate::phase::Outcome;
use crate::trouble::Trouble;
use crate::workspace;

/// Does what `decide` asked for. `stop` ends when the deployment must, and says why.
pub(crate) async fn act(
    release: &DatabricksRelease,
    effect: Effect,
    stop: impl Future<Output = Trouble>,
    context: &Context,
) -> Result<Outcome, Trouble> {
    match effect {
        Effect::Plan => {
            let work = begin(release, context).await?;
            tokio::select! {
                planned = work.plan() => planned,
                why = stop => Err(why),
            }
        }
        Effect::Write(ticket) => begin(release, context).await?.write(ticket, stop).await,
        Effect::Bundle(effect) => bundle::act(release, effect, context).await,
    }
}

async fn begin<'a>(release: &'a DatabricksRelease, context: &'a Context) -> Result<Work<'a>, Trouble> {
    let connection = workspace::connect(release, context).await?;
    let installation = context.installation.id().await?;
    Work::begin(release, connection, &context.artifacts, context.log.clone(), installation).await
}
