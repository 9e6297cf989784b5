//! Carries a plan out: folders, libraries, files, and last what has to go. Harmless when repeated: everything overwrites.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures::{StreamExt, TryStreamExt, stream};

use super::key::{folder, is_below};
use super::plan::Plan;
use super::state::{Progress, State};
use super::target::{Form, Library, Target, in_volume};
use crate::artifact::{Content, Entry};
use crate::databricks::workspace::Format;
use crate::databricks::{Client, Error, Upload};
use crate::trouble::Trouble;

/// The most empty folders that one deployment removes.
const FOLDERS: usize = 200;

/// What a deployment works with.
pub(super) struct Site<'a> {
    pub(super) client: &'a Client,
    pub(super) content: &'a Arc<Content>,
    pub(super) places: &'a BTreeMap<String, &'a Target>,
    pub(super) libraries: &'a [Library],
    /// The folders below which Brickline makes folders, each by its one name.
    pub(super) roots: &'a [String],
    /// Calls at the same time.
    pub(super) parallel: usize,
    /// Told of each thing that was done.
    pub(super) tell: &'a (dyn Fn(String) + Sync),
}

/// One thing to do, by its name.
enum Task<'a> {
    Put(&'a Library),
    Write { target: &'a Target, replaces: bool },
    Remove,
}

/// Does what the plan says, until something goes wrong or `stop` says why to stop. Answers how far it came, and what
/// went wrong first. What runs is never cut off half-way without being named.
pub(super) async fn carry_out(
    site: &Site<'_>,
    state: &State,
    plan: &Plan,
    stop: impl Future<Output = Trouble>,
) -> (Progress, Option<Trouble>) {
    let mut progress = Progress::default();
    let mut stop = std::pin::pin!(stop);
    let made = tokio::select! {
        made = make_folders(site, state, plan) => made.map_err(Trouble::from),
        why = &mut stop => Err(why),
    };
    if let Err(trouble) = made {
        return (progress, Some(trouble));
    }
    let puts = site.libraries.iter().filter(|library| plan.put.contains(&library.location));
    let puts = puts.map(|library| (library.location.as_str(), Task::Put(library)));
    let writes = plan.write.iter().filter_map(|(place, write)| {
        let target: &Target = site.places.get(place)?;
        Some((place.as_str(), Task::Write { target, replaces: write.replaces }))
    });
    let (written, trouble) = all(site, puts.chain(writes).collect(), stop.as_mut(), &mut progress.unknown).await;
    progress.written = written;
    if trouble.is_some() {
        return (progress, trouble);
    }
    let rest = plan.remove.iter().map(|place| (place.as_str(), Task::Remove)).collect();
    let (removed, trouble) = all(site, rest, stop.as_mut(), &mut progress.unknown).await;
    progress.removed = removed;
    if trouble.is_some() {
        return (progress, trouble);
    }
    let trouble = tokio::select! {
        () = remove_folders(site, state, &progress.removed) => None,
        why = stop => Some(why),
    };
    (progress, trouble)
}

/// The folders below an item's target in which nothing lies any more that Brickline knows of, the inner ones first. One that
/// somebody else put something into is not empty, and stays.
async fn remove_folders(site: &Site<'_>, state: &State, removed: &[String]) {
    let gone: BTreeSet<&str> = removed.iter().map(String::as_str).collect();
    let left = state.files.keys().filter(|place| !gone.contains(place.as_str())).chain(site.places.keys());
    let needed: BTreeSet<&str> = left.flat_map(|place| above(place)).collect();
    let is_ours = |folder: &str| site.roots.iter().any(|root| is_below(folder, root));
    let all = gone.iter().flat_map(|place| above(place));
    let empty: BTreeSet<&str> = all.filter(|folder| !needed.contains(folder) && is_ours(folder)).collect();
    for folder in empty.iter().rev().take(FOLDERS) {
        let removed = if in_volume(folder) {
            site.client.delete_directory(folder).await
        } else {
            site.client.delete_object(folder, false).await
        };
        match removed {
            Ok(()) => (site.tell)(format!("empty folder removed: {folder}")),
            Err(error) => tracing::debug!(%error, folder, "the folder stays"),
        }
    }
}

/// Every folder in which nothing lies yet, once: not one found missing by each file.
async fn make_folders(site: &Site<'_>, state: &State, plan: &Plan) -> Result<(), Error> {
    let known: BTreeSet<&str> =
        state.files.iter().filter(|(_, left)| left.digest.is_some()).filter_map(|(place, _)| folder(place)).collect();
    let needed: BTreeSet<&str> = plan.write.keys().filter_map(|place| folder(place)).collect();
    // A folder is made with those above it.
    let is_inner = |outer: &str| needed.range(outer..).nth(1).is_some_and(|next| is_below(next, outer));
    let missing = needed.iter().filter(|folder| !known.contains(**folder) && !is_inner(folder));
    let makes: Vec<_> = missing.map(|folder| make(site.client, folder)).collect();
    stream::iter(makes).buffer_unordered(site.parallel).try_collect().await
}

/// Every folder that a place is in, from the inner ones to the outer.
fn above(place: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(folder(place), |inner| folder(inner))
}

async fn make(client: &Client, folder: &str) -> Result<(), Error> {
    if in_volume(folder) { client.make_directory(folder).await } else { client.make_folders(folder).await }
}

/// Does all of these, `parallel` at the same time. After the first fault none is begun any more, and those under way
/// come to their end; `stop` cuts them off.
async fn all<'a>(
    site: &Site<'_>,
    tasks: Vec<(&'a str, Task<'a>)>,
    mut stop: Pin<&mut impl Future<Output = Trouble>>,
    unknown: &mut Vec<String>,
) -> (Vec<String>, Option<Trouble>) {
    let (halted, open) = (AtomicBool::new(false), Mutex::new(BTreeSet::new()));
    let begin = |name: &'a str| open.lock().unwrap_or_else(PoisonError::into_inner).insert(name);
    let running: Vec<_> = tasks
        .into_iter()
        .map(|(name, task)| {
            let (halted, begin) = (&halted, &begin);
            async move {
                if halted.load(Ordering::Relaxed) {
                    return None;
                }
                begin(name);
                Some((name, do_one(site, name, &task).await))
            }
        })
        .collect();
    let mut running = stream::iter(running).buffer_unordered(site.parallel);
    let (mut done, mut trouble) = (Vec::new(), None);
    loop {
        let next = tokio::select! {
            next = running.next() => next,
            why = &mut stop => {
                trouble.get_or_insert(why);
                break;
            }
        };
        match next {
            None => break,
            Some(None) => {}
            Some(Some((name, Ok(())))) => {
                open.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
                done.push(name.to_owned());
            }
            Some(Some((name, Err(error)))) => {
                halted.store(true, Ordering::Relaxed);
                let error = Trouble::from(error);
                trouble.get_or_insert(Trouble { message: format!("{name}: {}", error.message), ..error });
            }
        }
    }
    drop(running);
    let open = open.into_inner().unwrap_or_else(PoisonError::into_inner);
    unknown.extend(open.into_iter().map(str::to_owned));
    (done, trouble)
}

async fn do_one(site: &Site<'_>, name: &str, task: &Task<'_>) -> Result<(), Error> {
    let (word, done) = match task {
        Task::Put(library) => ("library in place", put(site, library).await),
        Task::Write { target, replaces: false } => ("written", write(site, target).await),
        Task::Write { target, replaces: true } => ("replaced", replace(site, name, target).await),
        Task::Remove => ("removed", remove(site.client, name).await),
    };
    match &done {
        Ok(()) => (site.tell)(format!("{word}: {name}")),
        Err(error) => (site.tell)(format!("not {word}: {name}: {error}")),
    }
    done
}

async fn replace(site: &Site<'_>, name: &str, target: &Target) -> Result<(), Error> {
    remove(site.client, name).await?;
    write(site, target).await
}

/// Never a folder with something in it.
async fn remove(client: &Client, place: &str) -> Result<(), Error> {
    if in_volume(place) { client.delete_file(place).await } else { client.delete_object(place, false).await }
}

async fn write(site: &Site<'_>, target: &Target) -> Result<(), Error> {
    let upload = upload(site.content, &target.entry);
    match target.form {
        Form::Notebook(format, language) => site.client.import(&target.to, format, language, &upload).await,
        Form::Raw => site.client.import(&target.to, Format::Raw, None, &upload).await,
        Form::File => site.client.upload(&file_location(&target.to), &upload).await,
    }
}

/// A library lies at a place named by its content: what is there with this size is the library, whoever put it.
async fn put(site: &Site<'_>, library: &Library) -> Result<(), Error> {
    if site.client.stored_size(&library.location).await? == Some(library.entry.size) {
        return Ok(());
    }
    site.client.upload(&library.location, &upload(site.content, &library.entry)).await
}

/// An entry of the artifact as something to send.
pub(super) fn upload(content: &Arc<Content>, entry: &Entry) -> Upload {
    let (content, entry) = (Arc::clone(content), entry.clone());
    Upload::new(entry.size, move || content.parts(&entry))
}

/// Workspace files live below `/Workspace`, whatever short form the target has.
pub(crate) fn file_location(to: &str) -> String {
    let rooted = to.starts_with("/Workspace/") || to.starts_with("/Volumes/");
    if rooted { to.to_owned() } else { format!("/Workspace{to}") }
}
