//! The archive is the artifact: manifest first, then files and wheels in order, the same bytes for the same content.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, Write};

use brickline_artifact::content::{self, Passed};
use brickline_artifact::layout::{FILES_PREFIX, MANIFEST_ENTRY};
use brickline_artifact::manifest::{self, Manifest, ManifestError, Origin, Skipped, Source, VERSION};
use brickline_artifact::notebook::{HEAD_BYTES, Notebook, recognise};
use brickline_artifact::plan::ReleaseIdentity;
use brickline_artifact::selection::{BadGlob, Selection};
use brickline_artifact::{ArtifactPath, Digest};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::wheels::Gathered;
use crate::Run;
use crate::beneath::Root;
use crate::source::{Kind, SourceInfo, TrackedFile};

/// The artifact, ready to be handed in.
pub struct Archive {
    pub file: File,
    pub digest: Digest,
    pub size: u64,
}

/// Why there's no artifact.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A glob of the plan.
    #[error(transparent)]
    Glob(#[from] BadGlob),
    /// A selected file.
    #[error("{0} can't be put into the artifact: {1}")]
    File(String, io::Error),
    /// A file that isn't what it was a moment ago.
    #[error("{0} changed while the artifact was made")]
    Changed(String),
    /// Over the number of files.
    #[error("more than {0} files are selected: exclude some by build.exclude, or raise the limit")]
    TooMany(u64),
    /// Over the size.
    #[error("the selected files are larger than {0} bytes: exclude some by build.exclude, or raise the limit")]
    TooLarge(u64),
    /// Its table of contents.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The volume, most likely full.
    #[error("the artifact can't be written: {0}")]
    Io(#[from] io::Error),
}

impl From<zip::result::ZipError> for ArchiveError {
    fn from(error: zip::result::ZipError) -> Self {
        Self::Io(error.into())
    }
}

/// Makes the artifact from the pristine source and the gathered wheels.
pub fn pack(run: &Run, source: &SourceInfo, wheels: &[Gathered]) -> Result<Archive, ArchiveError> {
    let root = Root::open(&run.place.source)?;
    let mut manifest = list(run, &root, source)?;
    manifest.wheels = wheels.iter().map(|gathered| gathered.wheel.clone()).collect();
    let total: u64 = manifest.entries().map(|(_, _, size)| size).sum();
    if total > run.plan.limits.artifact_bytes {
        return Err(ArchiveError::TooLarge(run.plan.limits.artifact_bytes));
    }
    let text = manifest.to_json()?;
    let mut zip = ZipWriter::new(BufWriter::new(tempfile::tempfile_in(&run.place.collect)?));
    zip.start_file(MANIFEST_ENTRY, options(false, 0))?;
    zip.write_all(&text)?;
    for file in &manifest.files {
        write_file(&mut zip, &root, file)?;
    }
    for wheel in &manifest.wheels {
        write_wheel(&mut zip, wheel, wheels)?;
    }
    seal(zip.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?)
}

fn list(run: &Run, root: &Root, source: &SourceInfo) -> Result<Manifest, ArchiveError> {
    let selection = Selection::new(&run.plan.include, &run.plan.exclude)?;
    let mut manifest = empty(run, source);
    for file in source.files.iter().filter(|file| selection.contains(&file.path)) {
        match why_not(file) {
            Some(reason) => manifest.skipped.push(Skipped { path: file.path.clone(), reason: reason.to_owned() }),
            None => manifest.files.push(describe(root, file)?),
        }
        if manifest.files.len() as u64 > run.plan.limits.artifact_files {
            return Err(ArchiveError::TooMany(run.plan.limits.artifact_files));
        }
    }
    let removed = source.removed.iter().filter(|path| selection.contains(path));
    manifest.removed = removed.filter_map(|path| ArtifactPath::new(path.as_str()).ok()).collect();
    Ok(manifest)
}

fn empty(run: &Run, info: &SourceInfo) -> Manifest {
    let ReleaseIdentity { namespace, name, uid, .. } = run.plan.release.clone();
    let source = Source {
        url: run.plan.source.url.clone(),
        reference: run.plan.source.reference.clone(),
        commit: info.commit.clone(),
        base: info.base.clone(),
        committed_at: info.committed_at,
    };
    let release = Origin { namespace, name, uid };
    let (files, removed, skipped, wheels) = Default::default();
    Manifest { version: VERSION, release, source, made_of: Vec::new(), files, removed, skipped, wheels }
}

fn why_not(file: &TrackedFile) -> Option<&'static str> {
    match file.kind {
        Kind::Symlink => Some("a symbolic link: Databricks has none"),
        Kind::Submodule => Some("a submodule that wasn't checked out"),
        Kind::Unreadable => Some("its name is not UTF-8"),
        Kind::Regular | Kind::Executable => ArtifactPath::new(file.path.as_str())
            .is_err()
            .then_some("its name has characters that are not safe everywhere"),
    }
}

fn describe(root: &Root, file: &TrackedFile) -> Result<manifest::File, ArchiveError> {
    let fail = |error| ArchiveError::File(file.path.clone(), error);
    let (notebook, Passed { digest, size }) = look(root, &file.path).map_err(fail)?;
    let path = ArtifactPath::new(file.path.as_str()).map_err(|error| fail(io::Error::other(error)))?;
    let previous_path = file.previous_path.as_deref().and_then(|path| ArtifactPath::new(path).ok());
    let executable = file.kind == Kind::Executable;
    Ok(manifest::File { path, digest, size, executable, change: file.change, previous_path, notebook })
}

fn look(root: &Root, path: &str) -> io::Result<(Option<Notebook>, Passed)> {
    let mut file = root.file(path)?;
    let mut head = Vec::new();
    (&mut file).take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    file.rewind()?;
    Ok((recognise(path, &head), content::copy(&mut file, &mut io::sink(), u64::MAX)?))
}

type Zip = ZipWriter<BufWriter<File>>;

fn write_file(zip: &mut Zip, root: &Root, file: &manifest::File) -> Result<(), ArchiveError> {
    let mut from = root.file(file.path.as_str()).map_err(|error| ArchiveError::File(file.path.to_string(), error))?;
    zip.start_file(format!("{FILES_PREFIX}{}", file.path), options(file.executable, file.size))?;
    copy_unchanged(&mut from, zip, file.path.as_str(), Passed { digest: file.digest, size: file.size })
}

fn write_wheel(zip: &mut Zip, wheel: &manifest::Wheel, gathered: &[Gathered]) -> Result<(), ArchiveError> {
    let missing = || ArchiveError::Changed(wheel.path.to_string());
    let mut from = &gathered.iter().find(|one| one.wheel.path == wheel.path).ok_or_else(missing)?.file;
    from.rewind()?;
    // A wheel is a zip already.
    let options = options(false, wheel.size).compression_method(CompressionMethod::Stored);
    zip.start_file(wheel.path.as_str(), options)?;
    copy_unchanged(&mut from, zip, wheel.path.as_str(), Passed { digest: wheel.digest, size: wheel.size })
}

fn copy_unchanged(from: &mut impl Read, zip: &mut Zip, path: &str, expected: Passed) -> Result<(), ArchiveError> {
    let passed = content::copy(from, zip, u64::MAX)?;
    if passed == expected { Ok(()) } else { Err(ArchiveError::Changed(path.to_owned())) }
}

/// Nothing of the clock or the machine goes into the zip.
fn options(executable: bool, size: u64) -> SimpleFileOptions {
    let mode = if executable { 0o755 } else { 0o644 };
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    options.last_modified_time(DateTime::DEFAULT).unix_permissions(mode).large_file(size >= u64::from(u32::MAX))
}

fn seal(mut file: File) -> Result<Archive, ArchiveError> {
    file.rewind()?;
    let Passed { digest, size } = content::copy(&mut file, &mut io::sink(), u64::MAX)?;
    Ok(Archive { file, digest, size })
}
