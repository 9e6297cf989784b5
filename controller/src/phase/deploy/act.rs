//! Carries one effect out, in the workspace that the release names.

use brickline_crds::DatabricksRelease;

use super::Effect;
use super::work::Work;
use crate::context::Context;
use crate::installation;
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
    let connection = workspace::connect(release, context).await?;
    let installation = installation::id(context).await?;
    let work = Work::begin(release, connection, &context.artifacts, context.log.clone(), installation).await?;
    match effect {
        Effect::Plan => {
            tokio::select! {
                planned = work.plan() => planned,
                why = stop => Err(why),
            }
        }
        Effect::Write(ticket) => work.write(ticket, stop).await,
    }
}
