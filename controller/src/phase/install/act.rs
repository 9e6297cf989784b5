//! Carries out what `decide` asked for.

use brickline_crds::{DatabricksRelease, Phase};
use futures::future::join_all;

use super::identity::label;
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
    let calls = effect.calls.iter().map(|call| async {
        let done = carry_out(&client, call).await;
        let said = done.as_ref().err().map(|error| format!(": {error}")).unwrap_or_default();
        context.log.line(release, Phase::Install, format_args!("{}{said}", words(call)));
        done
    });
    let calls: Vec<_> = calls.collect();
    join_all(calls).await.into_iter().collect::<Result<(), Error>>()?;
    Ok(Outcome::Done)
}

/// A call as the log tells it.
fn words(call: &Call) -> String {
    let (word, cluster, libraries) = match call {
        Call::Start { cluster } => ("start", cluster, None),
        Call::Restart { cluster } => ("restart", cluster, None),
        Call::Uninstall { cluster, libraries } => ("uninstall", cluster, Some(libraries)),
        Call::Install { cluster, libraries } => ("install", cluster, Some(libraries)),
    };
    let libraries: Vec<String> = libraries.into_iter().flatten().map(label).collect();
    format!("cluster {cluster}: {word} {}", libraries.join(", ")).trim_end().to_owned()
}

pub(super) async fn carry_out(client: &Client, call: &Call) -> Result<(), Error> {
    match call {
        Call::Start { cluster } => client.start_cluster(cluster).await,
        Call::Uninstall { cluster, libraries } => client.uninstall_libraries(cluster, libraries).await,
        Call::Restart { cluster } => client.restart_cluster(cluster).await,
        Call::Install { cluster, libraries } => client.install_libraries(cluster, libraries).await,
    }
}
