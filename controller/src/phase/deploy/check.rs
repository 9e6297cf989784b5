//! What can't be written is found before anything is: pure.

use std::collections::BTreeMap;

use brickline_crds::Reason;

use super::key::key;
use super::target::{Form, Library, Target, in_volume};
use crate::trouble::Trouble;

/// The largest notebook that Databricks imports, in bytes (API page "Workspace", import).
const NOTEBOOK: u64 = 10 << 20;
/// The largest workspace file (page "What are workspace files").
const WORKSPACE_FILE: u64 = 500 << 20;
/// The largest file of a volume in one request (API page "Files").
const VOLUME_FILE: u64 = 5 << 30;
/// How many problems a message names.
const NAMED: usize = 5;

/// The targets in the order of their places, each place once.
///
/// # Errors
/// `InvalidSpec` if two files go to one place, a file would be a folder, or a notebook goes to a volume;
/// `DeployFailed` if a file is larger than Databricks takes.
pub(super) fn check<'a>(targets: &'a [Target], libraries: &[Library]) -> Result<BTreeMap<String, &'a Target>, Trouble> {
    let mut places: BTreeMap<String, &Target> = BTreeMap::new();
    let (mut wrong, mut large) = (Vec::new(), Vec::new());
    for target in targets {
        if target.form != Form::File && in_volume(&target.to) {
            wrong.push(format!("{} can't be a notebook in a volume: give its item kind File", target.to));
        }
        match places.insert(key(&target.to), target) {
            Some(other) if (&other.path, other.form) != (&target.path, target.form) => {
                wrong.push(format!("{} and {} both go to {}", other.path, target.path, target.to));
            }
            _ => {}
        }
        large.extend(too_large(&target.to, target.entry.size, limit(target)));
    }
    wrong.extend(folders(&places));
    for Library { location, entry } in libraries {
        let limit = if location.starts_with("/Workspace/") { WORKSPACE_FILE } else { VOLUME_FILE };
        large.extend(too_large(location, entry.size, limit));
    }
    refuse(Reason::InvalidSpec, "spec.deploy can't be carried out", &wrong)?;
    refuse(Reason::DeployFailed, "Databricks takes no files of this size, and nothing was written", &large)?;
    Ok(places)
}

fn limit(target: &Target) -> u64 {
    match target.form {
        Form::Notebook(..) | Form::Raw => NOTEBOOK,
        Form::File if in_volume(&target.to) => VOLUME_FILE,
        Form::File => WORKSPACE_FILE,
    }
}

fn too_large(to: &str, size: u64, limit: u64) -> Option<String> {
    (size > limit).then(|| format!("{to} has {size} bytes, at most {limit} are taken"))
}

/// Places that would have to be a file and a folder.
fn folders(places: &BTreeMap<String, &Target>) -> Vec<String> {
    let parents = places.keys().flat_map(|place| place.match_indices('/').map(|(end, _)| &place[..end]));
    let mut both: Vec<&str> = parents.filter(|folder| places.contains_key(*folder)).collect();
    both.dedup();
    both.into_iter().map(|place| format!("{place} would be a file and a folder")).collect()
}

fn refuse(reason: Reason, what: &str, problems: &[String]) -> Result<(), Trouble> {
    if problems.is_empty() {
        return Ok(());
    }
    let more = problems.len().saturating_sub(NAMED);
    let rest = if more == 0 { String::new() } else { format!(", and {more} more") };
    let named: Vec<&str> = problems.iter().take(NAMED).map(String::as_str).collect();
    Err(Trouble::lasting(reason, format!("{what}: {}{rest}", named.join("; "))))
}

#[cfg(test)]
mod tests;
