//! Carries out what `decide` asked for.

use brickline_crds::DatabricksRelease;
use futures::future::join_all;

use super::{Call, Effect};
use crate::context::Context;
use crate::databricks::{Client, Error};
use crate::phase::Outcome;
use crate::trouble::Trouble;
use crate::workspace;

/// Does what is due, on all clusters at the same time. What one of them refuses keeps none of the others from it; the next
/// look shows what was done.
pub(crate) async fn act(release: &DatabricksRelease, effect: &Effect, context: &Context) -> Result<Outcome, Trouble> {
    let client = workspace::connect(release, context).await?.client;
    let calls: Vec<_> = effect.calls.iter().map(|call| carry_out(&client, call)).collect();
    join_all(calls).await.into_iter().collect::<Result<(), Error>>()?;
    Ok(Outcome::Done)
}

async fn carry_out(client: &Client, call: &Call) -> Result<(), Error> {
    match call {
        Call::Start { cluster } => client.start_cluster(cluster).await,
        Call::Uninstall { cluster, libraries } => client.uninstall_libraries(cluster, libraries).await,
        Call::Restart { cluster } => client.restart_cluster(cluster).await,
        Call::Install { cluster, libraries } => client.install_libraries(cluster, libraries).await,
    }
}
