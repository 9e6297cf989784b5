//! Looks at the clusters a release installs on, all at the same time.

use brickline_crds::{DatabricksRelease, DatabricksReleaseStatus, InstallLibrary, Phase};
use futures::future::try_join_all;
use jiff::Timestamp;

use super::cluster::restart_is_due;
use super::identity::{label, same};
use super::{Cluster, Installed, View, travelling};
use crate::context::Context;
use crate::databricks::clusters::Cluster as Sight;
use crate::databricks::libraries::Library;
use crate::databricks::{Client, Error};
use crate::log::Logs;
use crate::phase::Turn;
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
    let clusters = try_join_all(looks).await?;
    let mut view = View { desired, clusters, runs: Vec::new() };
    tell(release, &view, &context.log);
    if waits_for_runs(release, status, &view) {
        view.runs = connection.client.active_runs().await?;
    }
    Ok(view)
}

/// The states of the clusters and of the libraries that are wanted on them, when they have changed.
fn tell(release: &DatabricksRelease, view: &View, log: &Logs) {
    for cluster in &view.clusters {
        let (id, state, said) = (&cluster.id, cluster.state, &cluster.message);
        let colon = if said.is_empty() { "" } else { ": " };
        log.news(release, Phase::Install, id, format_args!("cluster {id} is {state:?}{colon}{said}"));
        let wanted = |one: &&Installed| view.desired.iter().any(|library| same(library, &one.library));
        for one in cluster.libraries.iter().filter(wanted) {
            let (name, state, said) = (label(&one.library), one.state, &one.messages);
            let colon = if said.is_empty() { "" } else { ": " };
            let line = format_args!("cluster {id}: {name} is {state:?}{colon}{said}");
            log.news(release, Phase::Install, &format!("{id} {name}"), line);
        }
    }
}

fn cluster_ids(release: &DatabricksRelease, connection: &Connection) -> Result<Vec<String>, Trouble> {
    release.spec.install.clusters.iter().map(|name| connection.cluster(name)).collect()
}

/// One list tells of all clusters; it is only asked for while a restart waits.
fn waits_for_runs(release: &DatabricksRelease, status: &DatabricksReleaseStatus, view: &View) -> bool {
    let Some(phase) = status.phase(Phase::Install).filter(|_| release.spec.install.when_idle.is_some()) else {
        return false;
    };
    let turn = Turn { release, status, phase, outcome: None, newer: None, now: Timestamp::now() };
    view.clusters.iter().any(|cluster| restart_is_due(&turn, &view.desired, cluster))
}

/// The release's libraries. The artifact is only opened for what it brings.
async fn desired(
    release: &DatabricksRelease,
    status: &DatabricksReleaseStatus,
    context: &Context,
) -> Result<Vec<Library>, Trouble> {
    let brings = |library: &InstallLibrary| library.wheels_from_artifact || library.from_artifact.is_some();
    let (wheels, files) = if release.spec.install.libraries.iter().any(brings) {
        let manifest = context.artifacts.manifest(status.artifact.as_ref()).await?;
        (manifest.wheels, manifest.files)
    } else {
        (Vec::new(), Vec::new())
    };
    travelling(&release.spec, &wheels, &files)
}

pub(super) async fn look(client: &Client, id: String) -> Result<Cluster, Error> {
    let (cluster, libraries) = tokio::try_join!(client.cluster(&id), client.library_statuses(&id))?;
    let installed = libraries.into_iter().map(|status| Installed {
        library: status.library,
        state: status.status,
        messages: status.messages.join("; "),
        for_all: status.is_library_for_all_clusters,
    });
    Ok(Cluster {
        id,
        state: cluster.state,
        message: said(&cluster),
        runtime: cluster.spark_version,
        context: cluster.spark_context_id.map(|id| id.to_string()).unwrap_or_default(),
        libraries: installed.collect(),
    })
}

/// Databricks' words on the state, with the code of why it ended.
fn said(cluster: &Sight) -> String {
    let code = cluster.termination_reason.as_ref().map(|reason| reason.code.as_str()).filter(|code| !code.is_empty());
    match (code, cluster.state_message.as_str()) {
        (Some(code), "") => code.to_owned(),
        (Some(code), message) => format!("{code}: {message}"),
        (None, message) => message.to_owned(),
    }
}
