//! What Brickline knows that it left in a workspace: one small file there for each pipeline and stage. Pure.
//!
//! It is written before anything is changed, with everything that is about to be changed marked as unknown, and after:
//! so whoever finds it knows what is certain, wherever a deployment broke off.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use brickline_artifact::Digest;
use brickline_crds::ItemKind;
use data_encoding::HEXLOWER;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::plan::Plan;

/// The format's version; others are refused.
const VERSION: u32 = 1;
/// The largest state file, compressed: what an export answers. Some 250,000 files.
const MAX_FILE: usize = 10 << 20;
/// The largest one in memory, decompressed.
const MAX_TEXT: u64 = 128 << 20;
/// Hex characters of a digest: 128 bits, enough to tell contents apart, and half the file.
const SHORT: usize = 32;
/// How many deployments are remembered: what they used is kept.
pub(super) const REMEMBERED: usize = 5;
/// Hex characters of an owner's hash in the file's name.
const NAME: usize = 20;
/// The folder of the state files.
pub(super) const FOLDER: &str = "/Workspace/Shared/.brickline/state";

/// The state of one owner.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct State {
    version: u32,
    /// For people: whose it is. Example: `pipeline data/dbxdemo, stage staging`.
    owner: String,
    /// The installation of the controller that wrote it last.
    pub(crate) installation: String,
    /// One more with each release that changes something.
    pub(crate) sequence: u64,
    /// Who wrote it last: namespace, name, and uid.
    pub(crate) release: String,
    pub(crate) uid: String,
    /// What the last deployments deployed that came to their end, oldest first.
    history: Vec<Deployment>,
    /// What lies where, by place.
    pub(super) files: BTreeMap<String, Left>,
    /// Libraries by location.
    pub(super) libraries: BTreeMap<String, Put>,
}

/// A deployment that came to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Deployment {
    sequence: u64,
    artifact: String,
}

/// A notebook or file that was put into the workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Left {
    /// The beginning of its content's digest. None: it was about to be written or removed, so it may be the one or the
    /// other, or not there.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub(super) digest: Option<String>,
    /// Whether it is a notebook.
    #[serde(rename = "n", default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) notebook: bool,
    /// The deployment that first put it there.
    #[serde(rename = "s")]
    pub(super) since: u64,
    /// A file's time of change as Databricks told it after it was written.
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    pub(super) modified: Option<i64>,
    /// The beginning of the digest of a notebook's cells, by which an export is told from what was written; none if nobody
    /// asked for it, or for a Jupyter notebook.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub(super) cells: Option<String>,
}

/// A library that was put to the library root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Put {
    /// The last deployment that used it.
    #[serde(rename = "u")]
    pub(super) used: u64,
    /// It was about to be written: whether it is there is not known.
    #[serde(rename = "x", default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) unknown: bool,
}

/// Who deploys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Author {
    pub(crate) installation: String,
    pub(crate) owner: String,
    pub(crate) release: String,
    pub(crate) uid: String,
}

/// What was done of a plan. What is in none of its lists was not begun.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Places and locations that were written.
    pub(crate) written: Vec<String>,
    /// Places that were removed.
    pub(crate) removed: Vec<String>,
    /// Places and locations that were begun and not heard of again.
    pub(crate) unknown: Vec<String>,
    /// Files' times of change.
    pub(crate) modified: BTreeMap<String, i64>,
    /// Digests of notebooks' cells.
    pub(crate) cells: BTreeMap<String, String>,
}

/// A state file that can't be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    /// Not compressed JSON of its form.
    #[error("it is damaged ({0})")]
    Damaged(String),
    /// Of another version.
    #[error("its version is {0}, and this controller knows {VERSION}")]
    Version(u32),
}

impl State {
    /// Reads a state file.
    pub(super) fn read(file: &[u8]) -> Result<Self, Unreadable> {
        let damaged = |error: &dyn std::fmt::Display| Unreadable::Damaged(error.to_string());
        let mut text = Vec::new();
        GzDecoder::new(file).take(MAX_TEXT).read_to_end(&mut text).map_err(|error| damaged(&error))?;
        let state: Self = serde_json::from_slice(&text).map_err(|error| damaged(&error))?;
        if state.version == VERSION { Ok(state) } else { Err(Unreadable::Version(state.version)) }
    }

    /// The state as a file.
    ///
    /// # Errors
    /// If it is larger than it could be read again.
    pub(super) fn write(&self) -> io::Result<Vec<u8>> {
        let mut to = GzEncoder::new(Vec::new(), Compression::default());
        serde_json::to_writer(&mut to, self)?;
        to.flush()?;
        let file = to.finish()?;
        if file.len() > MAX_FILE { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(file) }
    }

    /// The deployment begins: everything that the plan changes is unknown from here on.
    pub(crate) fn begun(&self, plan: &Plan, author: &Author) -> Self {
        // Whatever a release does again, after a failure or because the answer was lost, is the same deployment of its.
        let sequence = if self.uid == author.uid { self.sequence } else { self.sequence + 1 };
        let mut next = Self { version: VERSION, owner: author.owner.clone(), sequence, ..self.clone() };
        next.history.retain(|deployment| deployment.sequence != sequence);
        (next.installation, next.release, next.uid) =
            (author.installation.clone(), author.release.clone(), author.uid.clone());
        for (place, change) in &plan.write {
            let since = self.files.get(place).map_or(sequence, |left| left.since);
            let (digest, modified, cells) = (None, None, None);
            next.files.insert(place.clone(), Left { digest, notebook: change.notebook, since, modified, cells });
        }
        for place in &plan.remove {
            if let Some(left) = next.files.get_mut(place) {
                (left.digest, left.modified, left.cells) = (None, None, None);
            }
        }
        for location in &plan.put {
            next.libraries.insert(location.clone(), Put { used: sequence, unknown: true });
        }
        next
    }

    /// What is known after the deployment has gone as far as it did. `before` is the state before it began.
    pub(crate) fn settled(&self, before: &Self, plan: &Plan, progress: &Progress) -> Self {
        let mut next = self.clone();
        let is_unknown = |place: &String| progress.unknown.contains(place);
        let begun = plan.write.keys().chain(&plan.remove).chain(&plan.put);
        for place in begun.filter(|place| !is_unknown(place)) {
            restore(&mut next.files, &before.files, place);
            restore(&mut next.libraries, &before.libraries, place);
        }
        for place in &progress.written {
            if let Some(change) = plan.write.get(place) {
                let since = self.files.get(place).map_or(self.sequence, |left| left.since);
                let modified = progress.modified.get(place).copied();
                let (digest, cells) = (Some(change.digest.clone()), progress.cells.get(place).cloned());
                let left = Left { digest, notebook: change.notebook, since, modified, cells };
                next.files.insert(place.clone(), left);
            } else {
                next.libraries.insert(place.clone(), Put { used: self.sequence, unknown: false });
            }
        }
        for place in &progress.removed {
            next.files.remove(place);
        }
        next
    }

    /// All of it was done: the deployment goes into the history, and what it used is used.
    pub(crate) fn completed(mut self, artifact: &str, used: &[String]) -> Self {
        let (sequence, artifact) = (self.sequence, artifact.to_owned());
        self.history.retain(|deployment| deployment.sequence != sequence);
        self.history.push(Deployment { sequence, artifact });
        let beyond = self.history.len().saturating_sub(REMEMBERED);
        self.history.drain(..beyond);
        for location in used {
            self.libraries.entry(location.clone()).or_insert(Put { used: sequence, unknown: false }).used = sequence;
        }
        self
    }

    /// These libraries were deleted.
    pub(super) fn forget(&mut self, locations: &[String]) {
        self.libraries.retain(|location, _| !locations.contains(location));
    }

    /// Whether the last deployment came to its end.
    pub(crate) fn is_complete(&self) -> bool {
        self.last() == self.sequence
    }

    /// The last deployment that came to its end; 0 if none did.
    pub(super) fn last(&self) -> u64 {
        self.history.last().map_or(0, |deployment| deployment.sequence)
    }

    /// Whether this artifact is what the last deployment left.
    pub(super) fn has(&self, artifact: &str) -> bool {
        self.is_complete() && self.history.last().is_some_and(|deployment| deployment.artifact == artifact)
    }

    /// The last deployment of an artifact, if it is remembered.
    pub(super) fn deployed(&self, artifact: &str) -> Option<u64> {
        self.history.iter().rfind(|deployment| deployment.artifact == artifact).map(|deployment| deployment.sequence)
    }

    /// Libraries that none of the remembered deployments used.
    pub(super) fn unused(&self) -> Vec<String> {
        let Some(oldest) = self.history.first().filter(|_| self.history.len() == REMEMBERED) else { return Vec::new() };
        let old = self.libraries.iter().filter(|(_, put)| put.used < oldest.sequence);
        old.map(|(location, _)| location.clone()).collect()
    }
}

fn restore<T: Clone>(to: &mut BTreeMap<String, T>, from: &BTreeMap<String, T>, place: &str) {
    match from.get(place) {
        Some(left) => to.insert(place.to_owned(), left.clone()),
        None => to.remove(place),
    };
}

/// The part of a digest that is kept.
pub(super) fn short(digest: &Digest) -> String {
    let hex = digest.hex();
    hex.get(..SHORT).unwrap_or(&hex).to_owned()
}

/// Whether a target is what was left, as far as the state tells.
pub(super) fn is_same(left: &Left, digest: &Digest, kind: ItemKind) -> bool {
    left.digest.as_deref() == Some(short(digest).as_str()) && left.notebook == (kind == ItemKind::Notebook)
}

/// Where an owner's state file is. The parts are hashed with their lengths, so that no two owners run together.
pub(super) fn place(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let hash = HEXLOWER.encode(&hash.finalize());
    format!("{FOLDER}/{}.json.gz", hash.get(..NAME).unwrap_or(&hash))
}

#[cfg(test)]
mod tests;
