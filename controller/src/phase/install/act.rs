//! Carries one change of a cluster out.

use brickline_crds::DatabricksRelease;

use super::Effect;
use crate::context::Context;
use crate::phase::Outcome;
use crate::trouble::Trouble;
use crate::workspace;

/// Does what `decide` asked for.
pub(crate) async fn act(release: &DatabricksRelease, effect: &Effect, context: &Context) -> Result<Outcome, Trouble> {
    let client = workspace::connect(release, context).await?.client;
    match effect {
        Effect::Start { cluster } => client.start_cluster(cluster).await?,
        Effect::Uninstall { cluster, libraries } => client.uninstall_libraries(cluster, libraries).await?,
        Effect::Restart { cluster } => client.restart_cluster(cluster).await?,
        Effect::Install { cluster, libraries } => client.install_libraries(cluster, libraries).await?,
    }
    Ok(Outcome::Done)
}
