//! Deletes old libraries: those that Brickline put there, that none of the remembered deployments used, that no cluster
//! of the workspace knows, that no saved job installs, and that no other pipeline or stage remembers. What can't be looked at keeps them all.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt, stream};

use super::key::folder;
use super::state::{FOLDER, State};
use super::store::Store;
use crate::databricks::Client;
use crate::databricks::libraries::{Library, plain};
use crate::trouble::Trouble;
use crate::workspace::Connection;

/// The most state files of others that are read: beyond them nothing is deleted.
const OTHERS: usize = 200;
/// The most libraries that one deployment deletes.
const MOST: usize = 50;
/// The folders that a library has to itself below the library root: of its name, and in it of its digest.
const FOLDERS: usize = 2;

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
    for location in old.into_iter().filter(|location| !used.contains(plain(location))).take(MOST) {
        match connection.client.remove(&location).await {
            Ok(()) => {
                remove_folders(&connection.client, &location).await;
                deleted.push(location);
            }
            Err(error) => tracing::info!(%error, location, "an old library was not deleted"),
        }
    }
    deleted
}

/// The folders of the library's digest and name, unless another version lies there: what is not empty stays.
async fn remove_folders(client: &Client, location: &str) {
    for folder in std::iter::successors(folder(location), |inner| folder(inner)).take(FOLDERS) {
        if let Err(error) = client.remove_folder(folder).await {
            tracing::debug!(%error, folder, "the folder stays");
            return;
        }
    }
}

/// Every library that somebody uses, each by its plain location.
async fn used(connection: &Connection, own: &str, parallel: usize) -> Result<BTreeSet<String>, Trouble> {
    let client = &connection.client;
    let statuses = client.all_library_statuses().await?;
    let mut used: BTreeSet<String> = statuses.into_iter().filter_map(|status| path(status.library)).collect();
    used.extend(remembered(client, own, parallel).await?);
    // A failed release leaves the jobs of an earlier one on the libraries of that.
    used.extend(client.files_of_jobs().await?);
    Ok(used.iter().map(|location| plain(location).to_owned()).collect())
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

fn path(library: Library) -> Option<String> {
    match library {
        Library::Whl(path) | Library::Jar(path) | Library::Requirements(path) => Some(path),
        _ => None,
    }
}
