//! What somebody else changed, told from a folder's list: pure.

use std::collections::BTreeMap;

use brickline_crds::ItemKind;

use super::key::{folder, key};
use super::plan::{Drifted, Wanted};
use super::state::{Left, State, is_same};
use super::target::{Form, Target, in_volume};
use crate::databricks::files::FileInfo;
use crate::databricks::workspace::{Language, ObjectInfo, ObjectType};

/// One object as a list tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    kind: ObjectType,
    language: Option<Language>,
    size: Option<u64>,
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

/// One place that is as the last release left it, as far as is known.
#[derive(Clone, Copy)]
pub(super) struct Kept<'a> {
    pub(super) place: &'a str,
    pub(super) target: &'a Target,
    pub(super) left: &'a Left,
}

/// The places that a release would leave alone: only they have to be looked at.
pub(super) fn kept<'a>(state: &'a State, wanted: &'a Wanted) -> Vec<Kept<'a>> {
    let kept = wanted.places.iter().filter_map(|(place, target)| {
        let left = state.files.get(place).filter(|left| is_same(left, &target.entry.digest, target.kind))?;
        Some(Kept { place, target, left })
    });
    kept.collect()
}

/// The folders to list, each with its name for the call, and whether it is a volume's.
pub(super) fn folders<'a>(places: impl IntoIterator<Item = &'a str>) -> BTreeMap<&'a str, bool> {
    places.into_iter().filter_map(folder).map(|folder| (folder, in_volume(folder))).collect()
}

/// What happened to a place; none if it is as it was left.
pub(super) fn change(kept: &Kept, listed: Option<&Listed>) -> Option<Drifted> {
    let Some(listed) = listed else { return Some(changed("is gone".to_owned())) };
    let is_notebook = kept.target.kind == ItemKind::Notebook;
    let expected = if is_notebook { ObjectType::Notebook } else { ObjectType::File };
    if listed.kind != expected {
        return Some(Drifted { what: format!("is a {} now", listed.kind), in_the_way: true });
    }
    if is_notebook {
        let Form::Notebook(_, Some(wanted)) = kept.target.form else { return None };
        let found = listed.language.filter(|found| *found != wanted)?;
        return Some(changed(format!("is a notebook of another language now: {found:?}")));
    }
    match (listed.size, listed.modified, kept.left.modified) {
        (Some(size), ..) if size != kept.target.entry.size => Some(changed(format!("has {size} bytes now"))),
        (_, Some(found), Some(left)) if found != left => Some(changed("was written again".to_owned())),
        _ => None,
    }
}

fn changed(what: String) -> Drifted {
    Drifted { what, in_the_way: false }
}

#[cfg(test)]
mod tests;
