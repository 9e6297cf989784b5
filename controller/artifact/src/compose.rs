//! Several artifacts become one: the union of what they hold, each path and each distribution from one of them.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use crate::digest::Digest;
use crate::manifest::{File, Manifest, ManifestError, Wheel};
use crate::path::ArtifactPath;
use crate::plan::Limits;

/// What one artifact of several will be.
#[derive(Debug)]
pub struct Composition {
    /// Its table of contents.
    pub manifest: Manifest,
    /// The same as JSON: the artifact's first entry.
    pub text: Vec<u8>,
    /// For each of the manifest's entries, in their order, the position of the artifact it is taken from.
    pub origins: Vec<usize>,
}

/// Why several artifacts can't become one.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// Two of them hold something else for one path or one distribution.
    #[error("{0}: release only one of them, or set source.precedence so that the first in the list wins")]
    Conflict(Box<Conflict>),
    /// Over the number of files.
    #[error("together the artifacts have more than {0} files")]
    TooMany(u64),
    /// Over the size.
    #[error("together the artifacts hold more than {0} bytes")]
    TooLarge(u64),
    /// There is nothing to compose.
    #[error("no artifact is named")]
    Nothing,
    /// A path of one is a folder of another, or the table of contents is too long.
    #[error("the artifacts do not fit together: {0}")]
    Manifest(#[from] ManifestError),
}

/// What two artifacts don't agree on.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} is {} in artifact {} and {} in artifact {}", .first.0, .first.1, .second.0, .second.1)]
pub struct Conflict {
    /// A path, or a distribution with its two wheels.
    pub what: String,
    /// The digest of the content and that of the earlier artifact.
    pub first: (Digest, Digest),
    /// The digest of the content and that of the later artifact.
    pub second: (Digest, Digest),
}

/// Unites artifacts, each with its digest, in their order. With `precedence` the earlier one wins where two don't agree:
/// file by file, and distribution by distribution. Without, that is refused.
pub fn compose(parts: &[(Digest, Manifest)], precedence: bool, limits: &Limits) -> Result<Composition, ComposeError> {
    let (_, first) = parts.first().ok_or(ComposeError::Nothing)?;
    let (files, wheels) = (files(parts, precedence)?, wheels(parts, precedence)?);
    let removed = parts.iter().flat_map(|(_, manifest)| &manifest.removed);
    let removed: BTreeSet<_> = removed.filter(|path| !files.contains_key(path)).collect();
    let mut skipped: Vec<_> = parts.iter().flat_map(|(_, manifest)| &manifest.skipped).cloned().collect();
    skipped.sort_by(|a, b| (&a.path, &a.reason).cmp(&(&b.path, &b.reason)));
    skipped.dedup();
    let mut manifest = Manifest {
        version: first.version,
        release: first.release.clone(),
        source: first.source.clone(),
        made_of: parts.iter().map(|(digest, _)| *digest).collect(),
        files: files.values().map(|taken| taken.of.clone()).collect(),
        removed: removed.into_iter().cloned().collect(),
        skipped,
        wheels: wheels.iter().map(|taken| taken.of.clone()).collect(),
    };
    if manifest.files.len() as u64 > limits.artifact_files {
        return Err(ComposeError::TooMany(limits.artifact_files));
    }
    let total = manifest.entries().try_fold(0_u64, |total, (_, _, size)| total.checked_add(size));
    if total.is_none_or(|total| total > limits.artifact_bytes) {
        return Err(ComposeError::TooLarge(limits.artifact_bytes));
    }
    let origins = files.values().map(|taken| taken.at).chain(wheels.iter().map(|taken| taken.at)).collect();
    let text = manifest.to_json()?;
    Ok(Composition { manifest, text, origins })
}

/// Something of the artifact at a position.
struct Taken<'a, T> {
    at: usize,
    artifact: Digest,
    of: &'a T,
}

fn files(
    parts: &[(Digest, Manifest)],
    precedence: bool,
) -> Result<BTreeMap<&ArtifactPath, Taken<'_, File>>, ComposeError> {
    let mut files: BTreeMap<&ArtifactPath, Taken<'_, File>> = BTreeMap::new();
    for (at, (artifact, manifest)) in parts.iter().enumerate() {
        for file in &manifest.files {
            match files.entry(&file.path) {
                Entry::Vacant(free) => drop(free.insert(Taken { at, artifact: *artifact, of: file })),
                Entry::Occupied(taken) => {
                    let earlier = taken.get();
                    if !precedence && earlier.of.digest != file.digest {
                        let first = (earlier.of.digest, earlier.artifact);
                        return Err(conflict(file.path.to_string(), first, (file.digest, *artifact)));
                    }
                }
            }
        }
    }
    Ok(files)
}

/// The wheels, sorted by path. Wheels of one distribution stay together: they come from one artifact.
fn wheels(parts: &[(Digest, Manifest)], precedence: bool) -> Result<Vec<Taken<'_, Wheel>>, ComposeError> {
    let mut distributions: BTreeMap<&str, (usize, Digest, Vec<&Wheel>)> = BTreeMap::new();
    for (at, (artifact, manifest)) in parts.iter().enumerate() {
        let mut own: BTreeMap<&str, Vec<&Wheel>> = BTreeMap::new();
        for wheel in &manifest.wheels {
            own.entry(&wheel.distribution).or_default().push(wheel);
        }
        for (distribution, later) in own {
            match distributions.entry(distribution) {
                Entry::Vacant(free) => drop(free.insert((at, *artifact, later))),
                Entry::Occupied(taken) => {
                    let (_, holder, earlier) = taken.get();
                    if let Some((one, other)) = differing(earlier, &later).filter(|_| !precedence) {
                        let what = format!("distribution {distribution} ({}, {})", one.path, other.path);
                        return Err(conflict(what, (one.digest, *holder), (other.digest, *artifact)));
                    }
                }
            }
        }
    }
    let placed = distributions
        .into_values()
        .flat_map(|(at, artifact, wheels)| wheels.into_iter().map(move |of| Taken { at, artifact, of }));
    let mut wheels: Vec<_> = placed.collect();
    wheels.sort_by(|a, b| a.of.path.cmp(&b.of.path));
    Ok(wheels)
}

/// A wheel of each side that has no equal on the other; none if both sides hold the same.
fn differing<'a>(earlier: &[&'a Wheel], later: &[&'a Wheel]) -> Option<(&'a Wheel, &'a Wheel)> {
    let lacks = |side: &[&Wheel], wheel: &Wheel| side.iter().all(|other| other.digest != wheel.digest);
    let missing = earlier.iter().find(|wheel| lacks(later, wheel));
    let added = later.iter().find(|wheel| lacks(earlier, wheel));
    match (missing, added) {
        (None, None) => None,
        (missing, added) => Some((missing.or(earlier.first())?, added.or(later.first())?)),
    }
}

fn conflict(what: String, first: (Digest, Digest), second: (Digest, Digest)) -> ComposeError {
    ComposeError::Conflict(Box::new(Conflict { what, first, second }))
}

#[cfg(test)]
mod tests;
