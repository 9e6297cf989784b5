//! Looks at what is in the workspace: one list for each folder, the content of what Brickline did not put there, and with
//! `Full` that of everything.

use std::collections::BTreeMap;
use std::sync::Arc;

use brickline_artifact::Digest;
use brickline_crds::{Artifact, Drift};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::OnceCell;

use super::drift::{FOREIGN, Listed, Spot, Tale, folders, spots, tale};
use super::plan::{Drifted, Seen, Wanted, removed};
use super::source::Cells;
use super::state::{State, short};
use super::target::{Target, in_volume};
use super::write::upload;
use crate::artifact::{Artifacts, Content};
use crate::databricks::{Answer, Client, Error};
use crate::trouble::Trouble;

/// The largest file that an export answers, and that is read of a volume.
const EXPORT: u64 = 10 << 20;

/// Files that are themselves what a gateway would answer in Databricks' place.
const PAGES: [&str; 6] = ["html", "htm", "xhtml", "xml", "xsd", "svg"];

/// How to look.
pub(super) struct Eyes<'a> {
    pub(super) client: &'a Client,
    /// What is deployed, opened if contents have to be compared.
    pub(super) artifacts: &'a Artifacts,
    pub(super) artifact: Option<&'a Artifact>,
    pub(super) drift: Drift,
    /// Calls at the same time.
    pub(super) parallel: usize,
}

/// What somebody else did to the places that this release has to do with.
pub(super) async fn look(eyes: &Eyes<'_>, state: &State, wanted: &Wanted<'_>) -> Result<Seen, Trouble> {
    let mut seen = Seen::default();
    if eyes.drift == Drift::Off {
        return Ok(seen);
    }
    let removed = removed(state, wanted);
    let spots = spots(state, wanted, &removed);
    let lists = lists(eyes.client, spots.iter().map(|spot| spot.place), eyes.parallel).await?;
    let mut rest = Vec::new();
    for spot in spots {
        let listed = lists.get(spot.place);
        match tale(&spot, listed) {
            Tale::Drifted(drifted) => drop(seen.drifted.insert(spot.place.to_owned(), drifted)),
            Tale::Found => rest.push((spot, listed)),
            Tale::Same if eyes.drift == Drift::Full && spot.left.is_some() => rest.push((spot, listed)),
            Tale::Same => {}
        }
    }
    let content = OnceCell::new();
    let looks: Vec<_> = rest.into_iter().map(|(spot, listed)| compare(eyes, &content, spot, listed)).collect();
    let other: Vec<Option<&str>> = stream::iter(looks).buffer_unordered(eyes.parallel).try_collect().await?;
    seen.drifted.extend(other.into_iter().flatten().map(|place| {
        let what = if state.files.contains_key(place) { "has another content now" } else { FOREIGN };
        (place.to_owned(), Drifted { what: what.to_owned(), in_the_way: false })
    }));
    let known = wanted.libraries.iter().filter(|location| state.libraries.contains_key(*location));
    let looks: Vec<_> = known.map(|location| is_gone(eyes.client, location)).collect();
    let gone: Vec<Option<String>> = stream::iter(looks).buffer_unordered(eyes.parallel).try_collect().await?;
    seen.gone.extend(gone.into_iter().flatten());
    Ok(seen)
}

/// Everything that is in the folders of these places, by place.
pub(super) async fn lists<'a>(
    client: &Client,
    places: impl Iterator<Item = &'a str>,
    parallel: usize,
) -> Result<BTreeMap<String, Listed>, Error> {
    let folders: Vec<_> = folders(places).into_iter().map(|(folder, volume)| list(client, folder, volume)).collect();
    let lists: Vec<Vec<(String, Listed)>> = stream::iter(folders).buffer_unordered(parallel).try_collect().await?;
    Ok(lists.into_iter().flatten().collect())
}

/// A folder that is gone has nothing in it.
async fn list(client: &Client, folder: &str, volume: bool) -> Result<Vec<(String, Listed)>, Error> {
    let listed = if volume {
        client.list_directory(folder).await.map(|files| files.iter().map(Listed::of_file).collect())
    } else {
        client.list_folder(folder).await.map(|objects| objects.iter().map(Listed::of_object).collect())
    };
    match listed {
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        listed => listed,
    }
}

/// The place, if its content is another one than what was left there, or than what is to come where Brickline left nothing.
/// What can't be compared counts as the same if Brickline put it there, and as another one if not.
async fn compare<'a>(
    eyes: &Eyes<'_>,
    content: &OnceCell<Arc<Content>>,
    spot: Spot<'a>,
    listed: Option<&Listed>,
) -> Result<Option<&'a str>, Trouble> {
    let other = Some(spot.place);
    let Some(expected) = expected(eyes, content, &spot, listed).await? else {
        return Ok(other.filter(|_| spot.left.is_none()));
    };
    let found = match read(eyes.client, spot.place).await {
        Ok(found) => found,
        // It went away in between.
        Err(error) if error.is_not_found() => return Ok(other.filter(|_| spot.left.is_some() && spot.target.is_some())),
        Err(error) => return Err(error.into()),
    };
    let found = match &expected {
        Expected::Cells(_) => Expected::Cells(Cells::of(&found)),
        Expected::Bytes(_) => Expected::Bytes(short(&Digest::of(&found))),
    };
    Ok(other.filter(|_| found != expected))
}

async fn read(client: &Client, place: &str) -> Result<Bytes, Error> {
    let suffix = place.rsplit_once('.').map(|(_, suffix)| suffix.to_ascii_lowercase());
    let is_page = suffix.is_some_and(|suffix| PAGES.contains(&suffix.as_str()));
    let answer = if is_page { Answer::Page } else { Answer::File };
    if !in_volume(place) {
        return client.download(place, answer).await;
    }
    let mut file = Vec::new();
    client.download_file(place, &mut file, EXPORT, answer).await?;
    Ok(file.into())
}

/// What should be read, by digest.
#[derive(PartialEq, Eq)]
enum Expected {
    /// A notebook, in whatever form an export brings it.
    Cells(String),
    Bytes(String),
}

/// None if nobody can tell.
async fn expected(
    eyes: &Eyes<'_>,
    content: &OnceCell<Arc<Content>>,
    spot: &Spot<'_>,
    listed: Option<&Listed>,
) -> Result<Option<Expected>, Trouble> {
    let size = listed.and_then(|listed| listed.size).or(spot.target.map(|target| target.entry.size));
    if size.is_some_and(|size| size > EXPORT) {
        return Ok(None);
    }
    let own = spot.target.filter(|_| spot.left.is_none() || spot.is_kept());
    let is_notebook = spot.left.map_or_else(|| own.is_some_and(|own| !own.is_file()), |left| left.notebook);
    if !is_notebook {
        let left = spot.left.and_then(|left| left.digest.clone());
        return Ok(left.or_else(|| own.map(|own| short(&own.entry.digest))).map(Expected::Bytes));
    }
    if let Some(cells) = spot.left.and_then(|left| left.cells.clone()) {
        return Ok(Some(Expected::Cells(cells)));
    }
    let Some(own) = own.filter(|own| own.has_cells()) else { return Ok(None) };
    let content = content.get_or_try_init(|| async { eyes.artifacts.open(eyes.artifact).await.map(Arc::new) });
    Ok(Some(Expected::Cells(cells(content.await?, own).await?)))
}

/// The digest of the cells of one notebook of the artifact.
pub(super) async fn cells(content: &Arc<Content>, target: &Target) -> Result<String, Error> {
    let mut cells = Cells::default();
    let unread = |error: std::io::Error| Error::Source { operation: "workspace/export", message: error.to_string() };
    let mut parts = upload(content, &target.entry).parts();
    while let Some(part) = parts.try_next().await.map_err(unread)? {
        cells.read(&part);
    }
    Ok(cells.digest())
}

/// The location, if no library is there.
async fn is_gone(client: &Client, location: &str) -> Result<Option<String>, Trouble> {
    Ok(client.stored_size(location).await?.is_none().then(|| location.to_owned()))
}
