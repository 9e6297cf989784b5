//! Deletes old libraries: those that Brickline put there, that none of the remembered deployments used, that no cluster
//! of the workspace knows, that no saved job installs, and that no other pipeline or stage remembers. What can't be looked at keeps them all.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt, stream};

use super::state::{FOLDER, State};
use super::store::Store;
use crate::databricks::Client;
use crate::databricks::libraries::Library;
use crate::trouble::Trouble;
use crate::workspace::Connection;

/// The most state files of others that are read: beyond them nothing is deleted.
const OTHERS: usize = 200;
/// The most libraries that one deployment deletes.
const MOST: usize = 50;

/// Deletes what is not used, and answers what that was. Harmless when repeated.
pub(super) async fn collect(connection: &Connection, own: &str, state: &State, parallel: usize) -> Vec<String> {
    let old = state.unused();
    if old.is_empty() {
        return Vec::new();
    }
    let used = match used(connection, own, parallel).await {
        Ok(used) => used,
        Err(trouble) => {
            tracing::info!(reason = %trouble.reason, message = %trouble.message, "old libraries are kept");
            return Vec::new();
        }
    };
    let mut deleted = Vec::new();
    for location in old.into_iter().filter(|location| !used.contains(location)).take(MOST) {
        match connection.client.remove(&location).await {
            Ok(()) => deleted.push(location),
            Err(error) => tracing::info!(%error, location, "an old library was not deleted"),
        }
    }
    deleted
}

/// Every library that somebody uses.
async fn used(connection: &Connection, own: &str, parallel: usize) -> Result<BTreeSet<String>, Trouble> {
    let client = &connection.client;
    let ids: Vec<String> = connection.workspace.spec.clusters.values().map(|cluster| cluster.id.clone()).collect();
    let looks: Vec<_> = ids.iter().map(|id| client.library_statuses(id)).collect();
    let mut statuses = stream::iter(looks).buffer_unordered(parallel);
    let mut used = BTreeSet::new();
    while let Some(statuses) = statuses.try_next().await? {
        used.extend(statuses.into_iter().filter_map(|status| path(&status.library)));
    }
    used.extend(remembered(client, own, parallel).await?);
    // A failed release leaves the jobs of an earlier one on the libraries of that.
    used.extend(client.files_of_jobs().await?);
    Ok(used)
}

/// What the other pipelines and stages of the workspace remember.
async fn remembered(client: &Client, own: &str, parallel: usize) -> Result<BTreeSet<String>, Trouble> {
    let listed = client.list_folder(FOLDER).await?;
    let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let others: Vec<String> =
        listed.iter().map(|object| name(&object.path)).filter(|file| *file != name(own)).collect();
    if others.len() > OTHERS {
        let message = format!("{} state files lie in {FOLDER}, more than are read", others.len());
        return Err(Trouble::lasting(brickline_crds::Reason::DeployFailed, message));
    }
    let places: Vec<String> = others.into_iter().map(|file| format!("{FOLDER}/{file}")).collect();
    let reads: Vec<_> = places.iter().map(|place| read(client, place)).collect();
    let states: Vec<Option<State>> = stream::iter(reads).buffer_unordered(parallel).try_collect().await?;
    Ok(states.into_iter().flatten().flat_map(|state| state.libraries.into_keys()).collect())
}

async fn read(client: &Client, place: &str) -> Result<Option<State>, Trouble> {
    Store { client, place }.read().await
}

fn path(library: &Library) -> Option<String> {
    match library {
        Library::Whl(path) | Library::Jar(path) | Library::Requirements(path) => Some(path.clone()),
        _ => None,
    }
}
