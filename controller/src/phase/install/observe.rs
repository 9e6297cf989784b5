//! Looks at the clusters a release installs on, all at the same time.

use brickline_crds::{DatabricksRelease, DatabricksReleaseStatus};
use futures::future::try_join_all;

use super::{Cluster, Desired, Installed, View};
use crate::artifact::wheel_location;
use crate::context::Context;
use crate::databricks::Client;
use crate::trouble::Trouble;
use crate::workspace::{self, Connection};

/// What the Install phase's `decide` needs to know.
pub(crate) async fn observe(
    release: &DatabricksRelease,
    status: &DatabricksReleaseStatus,
    context: &Context,
) -> Result<View, Trouble> {
    let connection = workspace::connect(release, context).await?;
    let desired = desired(release, status, context).await?;
    let clusters = cluster_ids(release, &connection)?;
    let looks = clusters.into_iter().map(|id| look(&connection.client, id));
    Ok(View { desired, clusters: try_join_all(looks).await? })
}

fn cluster_ids(release: &DatabricksRelease, connection: &Connection) -> Result<Vec<String>, Trouble> {
    release.spec.install.clusters.iter().map(|name| connection.cluster(name)).collect()
}

/// The wheels of the artifact at the places Deploy has put them.
async fn desired(
    release: &DatabricksRelease,
    status: &DatabricksReleaseStatus,
    context: &Context,
) -> Result<Vec<Desired>, Trouble> {
    if !release.spec.install.libraries.iter().any(|library| library.wheels_from_artifact) {
        return Ok(Vec::new());
    }
    let manifest = context.artifacts.manifest(status.artifact.as_ref()).await?;
    let root = &release.spec.deploy.libraries.to;
    let wheels = manifest.wheels.iter();
    Ok(wheels.map(|w| Desired { distribution: w.distribution.clone(), path: wheel_location(root, w) }).collect())
}

async fn look(client: &Client, id: String) -> Result<Cluster, Trouble> {
    let (cluster, libraries) = tokio::try_join!(client.cluster(&id), client.library_statuses(&id))?;
    let installed = libraries.into_iter().map(|status| Installed {
        library: status.library,
        state: status.status,
        messages: status.messages.join("; "),
    });
    Ok(Cluster {
        id,
        state: cluster.state,
        message: cluster.state_message,
        context: cluster.spark_context_id.map(|id| id.to_string()).unwrap_or_default(),
        libraries: installed.collect(),
    })
}
