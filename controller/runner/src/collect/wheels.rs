//! Wheels are taken out of the work folder first, and only then looked into: the copy can't change any more.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek};

use brickline_artifact::layout::WHEELS_PREFIX;
use brickline_artifact::manifest::Wheel;
use brickline_artifact::wheel::{WheelName, normalise, parse};
use brickline_artifact::{ArtifactPath, content};
use zip::ZipArchive;

use super::overlap;
use crate::Run;
use crate::beneath::Root;
use crate::place::name;

/// The most wheels of one build.
const MAX_WHEELS: usize = 200;
/// The longest metadata that is read, in bytes.
const MAX_METADATA: u64 = 4 * 1024 * 1024;

/// A wheel and its content, safe from the build.
pub struct Gathered {
    pub wheel: Wheel,
    pub file: File,
}

/// Why the wheels can't be in an artifact.
#[derive(Debug, thiserror::Error)]
pub enum WheelError {
    /// The file can't be taken; also if it's a link or too large.
    #[error("the wheel {0} can't be taken: {1}")]
    Unreadable(String, io::Error),
    /// Its name or content isn't a wheel's.
    #[error("{0} is not a sound wheel: {1}")]
    Unsound(String, String),
    /// Two wheels of one distribution: only one of them could be installed.
    #[error("{0} and {1} are wheels of the same distribution: keep one, by build.wheels")]
    Twice(String, String),
    /// Two wheels bring different files to one place in `site-packages`, as `packages=["."]` does with its modules.
    #[error(
        "{0} and {1} both install {2}, with different content: the one installed last would win. Give each its own \
         package: packages=[\".\"] in a setup.py puts its modules at the top of site-packages"
    )]
    Clash(String, String, String),
    /// Over [`MAX_WHEELS`].
    #[error("the build left more than {MAX_WHEELS} wheels")]
    TooMany,
}

/// Takes all wheels that the build left.
pub fn gather(run: &Run) -> Result<Vec<Gathered>, WheelError> {
    let root = Root::open(&run.place.work).map_err(|error| WheelError::Unreadable("folder".into(), error))?;
    let found = listed(run)?;
    let (mut gathered, mut by_name) = (Vec::new(), BTreeMap::new());
    let mut left = run.plan.limits.artifact_bytes;
    for file in found {
        let one = take(run, &root, &file, left)?;
        left -= one.wheel.size;
        if let Some(other) = by_name.insert(one.wheel.distribution.clone(), file.clone()) {
            return Err(WheelError::Twice(other, file));
        }
        gathered.push(one);
    }
    apart(&gathered)?;
    Ok(gathered)
}

/// No two wheels install different files at one place.
fn apart(gathered: &[Gathered]) -> Result<(), WheelError> {
    let file = |one: &Gathered| one.wheel.path.as_str().trim_start_matches(WHEELS_PREFIX).to_owned();
    let mut seen: Vec<(String, BTreeMap<String, u32>)> = Vec::new();
    for one in gathered {
        let name = file(one);
        let files = overlap::files(&one.file).map_err(|error| WheelError::Unsound(name.clone(), error.to_string()))?;
        if let Some((other, path)) =
            seen.iter().find_map(|(other, theirs)| Some((other, overlap::clash(theirs, &files)?)))
        {
            return Err(WheelError::Clash(other.clone(), name, path.to_owned()));
        }
        seen.push((name, files));
    }
    Ok(())
}

/// Names only, links too: a wheel that is a link must fail the build, not be missing from it.
fn listed(run: &Run) -> Result<Vec<String>, WheelError> {
    let unreadable = |error| WheelError::Unreadable("folder".into(), error);
    let folder = run.place.work.join(name::WHEELS);
    if !std::fs::symlink_metadata(&folder).is_ok_and(|folder| folder.is_dir()) {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name().to_string_lossy().into_owned();
        if is_wheel(&name) {
            files.push(name);
        }
        if files.len() > MAX_WHEELS {
            return Err(WheelError::TooMany);
        }
    }
    files.sort();
    Ok(files)
}

fn is_wheel(name: &str) -> bool {
    name.strip_suffix(".whl").is_some()
}

fn take(run: &Run, root: &Root, name: &str, limit: u64) -> Result<Gathered, WheelError> {
    let unsound = |why: &str| WheelError::Unsound(name.to_owned(), why.to_owned());
    let unreadable = |error| WheelError::Unreadable(name.to_owned(), error);
    let named = parse(name).ok_or_else(|| unsound("its name isn't distribution-version-tags.whl"))?;
    let path = ArtifactPath::new(format!("{WHEELS_PREFIX}{name}")).map_err(|why| unsound(&why.to_string()))?;
    let mut from = root.file(&format!("{}/{name}", name::WHEELS)).map_err(unreadable)?;
    let mut file = tempfile::tempfile_in(&run.place.collect).map_err(unreadable)?;
    let passed = content::copy(&mut from, &mut file, limit).map_err(unreadable)?;
    file.rewind().map_err(unreadable)?;
    agree(&file, &named).map_err(|why| unsound(&why))?;
    let WheelName { distribution, version, .. } = named;
    Ok(Gathered { wheel: Wheel { path, distribution, version, digest: passed.digest, size: passed.size }, file })
}

/// The metadata inside must be of the distribution and version that the name says.
fn agree(file: &File, name: &WheelName) -> Result<(), String> {
    let metadata = metadata(file).map_err(|error| format!("its METADATA can't be read: {error}"))?;
    let field =
        |field: &str| metadata.lines().take_while(|line| !line.is_empty()).find_map(|line| line.strip_prefix(field));
    let (distribution, version) = (field("Name:").unwrap_or("").trim(), field("Version:").unwrap_or("").trim());
    if normalise(distribution) == name.distribution && normalise(version) == normalise(&name.version) {
        return Ok(());
    }
    Err(format!("its METADATA says {distribution:?} {version:?}"))
}

fn metadata(file: &File) -> io::Result<String> {
    let mut archive = ZipArchive::new(io::BufReader::new(file))?;
    let is_metadata = |path: &String| path.ends_with(".dist-info/METADATA") && path.matches('/').count() == 1;
    let path = archive.file_names().flatten().map(Cow::into_owned).find(is_metadata);
    let path = path.ok_or_else(|| io::Error::other("there is none"))?;
    let mut text = Vec::new();
    archive.by_name(&path)?.take(MAX_METADATA).read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).replace('\r', ""))
}
