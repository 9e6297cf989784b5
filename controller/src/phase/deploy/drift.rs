//! What somebody else changed, told from a folder's list: pure.

use std::collections::{BTreeMap, BTreeSet};

use brickline_crds::ItemKind;

use super::key::{folder, key};
use super::plan::{Drifted, Wanted};
use super::state::{Left, State, is_same};
use super::target::{Form, Target, in_volume};
use crate::databricks::files::FileInfo;
use crate::databricks::workspace::{Language, ObjectInfo, ObjectType};

/// What is told of something that lay where Brickline had put nothing.
pub(super) const FOREIGN: &str = "was put there by somebody else";

/// One object as a list tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    kind: ObjectType,
    language: Option<Language>,
    pub(super) size: Option<u64>,
    pub(super) modified: Option<i64>,
}

impl Listed {
    /// An object of the workspace tree, by its place.
    pub(super) fn of_object(object: &ObjectInfo) -> (String, Self) {
        let ObjectInfo { object_type: kind, language, size, modified_at: modified, .. } = *object;
        (key(&object.path), Self { kind, language, size, modified })
    }

    /// A file or folder of a volume, by its place.
    pub(super) fn of_file(file: &FileInfo) -> (String, Self) {
        let kind = if file.is_directory { ObjectType::Directory } else { ObjectType::File };
        let listed = Self { kind, language: None, size: file.file_size, modified: file.last_modified };
        (key(file.path.trim_end_matches('/')), listed)
    }
}

/// One place that a release writes, removes or leaves alone.
#[derive(Clone, Copy)]
pub(super) struct Spot<'a> {
    pub(super) place: &'a str,
    /// What goes there; none if it is removed.
    pub(super) target: Option<&'a Target>,
    /// What the last release left there; none if Brickline put nothing there.
    pub(super) left: Option<&'a Left>,
}

impl Spot<'_> {
    /// Whether the release would leave it alone.
    pub(super) fn is_kept(&self) -> bool {
        matches!((self.target, self.left), (Some(target), Some(left)) if is_same(left, &target.entry.digest, target.kind))
    }
}

/// Every place that a release has to do with, and of which it is known what should be there: what was about to be written
/// when a deployment broke off may be the one or the other.
pub(super) fn spots<'a>(state: &'a State, wanted: &'a Wanted, removed: &'a BTreeSet<String>) -> Vec<Spot<'a>> {
    let written = wanted.places.iter().map(|(place, target)| (place, Some(*target)));
    let all = written.chain(removed.iter().map(|place| (place, None)));
    let spots = all.map(|(place, target)| Spot { place, target, left: state.files.get(place) });
    spots.filter(|spot| spot.left.is_none_or(|left| left.digest.is_some())).collect()
}

/// The folders to list, each with its name for the call, and whether it is a volume's.
pub(super) fn folders<'a>(places: impl IntoIterator<Item = &'a str>) -> BTreeMap<&'a str, bool> {
    places.into_iter().filter_map(folder).map(|folder| (folder, in_volume(folder))).collect()
}

/// What a list tells of a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tale {
    /// As it was left, as far as a list tells; or nothing is there, and nothing has to be.
    Same,
    /// Somebody else changed it.
    Drifted(Drifted),
    /// Brickline put nothing there, and there is something of the kind that it is about to put: only the content tells
    /// whether that is the same.
    Found,
}

/// What happened to a place.
pub(super) fn tale(spot: &Spot, listed: Option<&Listed>) -> Tale {
    match (spot.left, listed) {
        (None, None) => Tale::Same,
        (None, Some(listed)) => found(spot, listed),
        // What has to go may be gone.
        (Some(_), None) if spot.target.is_none() => Tale::Same,
        (Some(_), None) => changed("is gone".to_owned(), false),
        (Some(left), Some(listed)) => edited(spot, left, listed),
    }
}

fn found(spot: &Spot, listed: &Listed) -> Tale {
    let Some(target) = spot.target else { return Tale::Same };
    if listed.kind != kind(target.kind == ItemKind::Notebook) {
        // Whatever else it is, such as a folder, is not for a release to remove.
        let in_the_way = matches!(listed.kind, ObjectType::Notebook | ObjectType::File);
        return changed(format!("is a {}, and {FOREIGN}", listed.kind), in_the_way);
    }
    let other_size = target.is_file() && listed.size.is_some_and(|size| size != target.entry.size);
    if other_size || language(target, listed).is_some() {
        return changed(FOREIGN.to_owned(), false);
    }
    Tale::Found
}

fn edited(spot: &Spot, left: &Left, listed: &Listed) -> Tale {
    if listed.kind != kind(left.notebook) {
        return changed(format!("is a {} now", listed.kind), true);
    }
    // Of what it was before, where that is not what is to come, no more is known than when a file was written.
    let kept = spot.target.filter(|_| spot.is_kept());
    if left.notebook {
        let other = kept.and_then(|target| language(target, listed));
        return other
            .map_or(Tale::Same, |found| changed(format!("is a notebook of another language now: {found:?}"), false));
    }
    match (listed.size, listed.modified, left.modified) {
        (Some(size), ..) if kept.is_some_and(|target| size != target.entry.size) => {
            changed(format!("has {size} bytes now"), false)
        }
        (_, Some(found), Some(left)) if found != left => changed("was written again".to_owned(), false),
        _ => Tale::Same,
    }
}

fn kind(is_notebook: bool) -> ObjectType {
    if is_notebook { ObjectType::Notebook } else { ObjectType::File }
}

/// A notebook's language, if it is another one than the target's.
fn language(target: &Target, listed: &Listed) -> Option<Language> {
    let Form::Notebook(_, Some(wanted)) = target.form else { return None };
    listed.language.filter(|found| *found != wanted)
}

fn changed(what: String, in_the_way: bool) -> Tale {
    Tale::Drifted(Drifted { what, in_the_way })
}

#[cfg(test)]
mod tests;
