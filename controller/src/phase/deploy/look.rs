//! Looks at what is in the workspace: one list for each folder, and with `Full` the content of each file.

use std::collections::BTreeMap;
use std::sync::Arc;

use brickline_artifact::Digest;
use brickline_crds::{Drift, ItemKind};
use futures::{StreamExt, TryStreamExt, stream};

use super::drift::{Kept, Listed, change, folders, kept};
use super::plan::{Drifted, Seen, Wanted};
use super::source;
use super::state::State;
use super::target::{Form, in_volume};
use super::write::upload;
use crate::artifact::Content;
use crate::databricks::{Client, Error};
use crate::trouble::Trouble;

/// The largest file that an export answers.
const EXPORT: u64 = 10 << 20;

/// How to look.
pub(super) struct Eyes<'a> {
    pub(super) client: &'a Client,
    /// The artifact, to compare contents; none: they are not compared.
    pub(super) content: Option<&'a Arc<Content>>,
    pub(super) drift: Drift,
    /// Calls at the same time.
    pub(super) parallel: usize,
}

/// What of the last release's work somebody else changed.
pub(super) async fn look(eyes: &Eyes<'_>, state: &State, wanted: &Wanted<'_>) -> Result<Seen, Trouble> {
    let Eyes { client, content, drift, parallel } = *eyes;
    let mut seen = Seen::default();
    if drift == Drift::Off {
        return Ok(seen);
    }
    let kept = kept(state, wanted);
    let lists = lists(client, kept.iter().map(|kept| kept.place), parallel).await?;
    for one in &kept {
        if let Some(drifted) = change(one, lists.get(one.place)) {
            seen.drifted.insert(one.place.to_owned(), drifted);
        }
    }
    if let Some(content) = content {
        let rest: Vec<_> = kept.iter().filter(|kept| !seen.drifted.contains_key(kept.place)).collect();
        let looks: Vec<_> = rest.into_iter().map(|kept| read(client, content, kept)).collect();
        let read: Vec<Option<String>> = stream::iter(looks).buffer_unordered(parallel).try_collect().await?;
        let edited = || Drifted { what: "has another content now".to_owned(), in_the_way: false };
        seen.drifted.extend(read.into_iter().flatten().map(|place| (place, edited())));
    }
    let known = wanted.libraries.iter().filter(|location| state.libraries.contains_key(*location));
    let looks: Vec<_> = known.map(|location| is_gone(client, location)).collect();
    let gone: Vec<Option<String>> = stream::iter(looks).buffer_unordered(parallel).try_collect().await?;
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

/// The place, if its content is another one than what is deployed. What is too large for an export counts as the same.
async fn read(client: &Client, content: &Arc<Content>, kept: &Kept<'_>) -> Result<Option<String>, Trouble> {
    let target = kept.target;
    let exported = match target.form {
        Form::Notebook(_, None) => return Ok(None),
        _ if in_volume(&target.to) || target.entry.size > EXPORT => return Ok(None),
        _ => client.download(&target.to).await,
    };
    let found = match exported {
        Ok(found) => found,
        Err(error) if error.is_not_found() => return Ok(Some(kept.place.to_owned())),
        Err(error) => return Err(error.into()),
    };
    let same = if target.kind == ItemKind::Notebook {
        let own = upload(content, &target.entry).whole("workspace/export").await?;
        source::is_same(&own, &found)
    } else {
        Digest::of(&found) == target.entry.digest
    };
    Ok((!same).then(|| kept.place.to_owned()))
}

/// The location, if no library is there.
async fn is_gone(client: &Client, location: &str) -> Result<Option<String>, Trouble> {
    Ok(client.stored_size(location).await?.is_none().then(|| location.to_owned()))
}
