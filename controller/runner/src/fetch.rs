//! Fetch brings a release's artifact into the pod that deploys its asset bundle: files at their paths, and the wheels that
//! the build made in the bundle's `dist`. It leaves this binary to the container after it, too.
//!
//! Nothing is taken on trust: the zip must have the plan's digest, and each file that of the manifest. The container has
//! the token for the controller's endpoint and no credential of Databricks; the one after it has it the other way round.

use std::env;
use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter, Read, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use brickline_artifact::content::{Passed, copy};
use brickline_artifact::layout::{BUNDLE_WHEELS, FETCH_ENV, FETCH_REFUSED, FILES_PREFIX, MANIFEST_ENTRY};
use brickline_artifact::manifest::{MAX_MANIFEST_BYTES, ManifestError};
use brickline_artifact::plan::Limits;
use brickline_artifact::upload::fetch_address;
use brickline_artifact::{Digest, FetchPlan, Manifest};
use ureq::Agent;
use zip::ZipArchive;
use zip::result::ZipError;

use crate::install::install;
use crate::place::Place;
use crate::web::{self, Fault, Try, left, outcome, refused, repeat};

/// Why there is nothing to deploy.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The environment has no plan, or none that is one.
    #[error("the environment variable {FETCH_ENV} holds no plan")]
    NoPlan,
    /// It did not come.
    #[error("the artifact could not be fetched: {0}")]
    Fault(#[from] Fault),
    /// It is another one.
    #[error("the artifact is {found}, and {wanted} was to be deployed")]
    Another {
        /// What came.
        found: Digest,
        /// What the plan says.
        wanted: Digest,
    },
    /// It can't be read.
    #[error("the artifact is not readable: {0}")]
    Zip(#[from] ZipError),
    /// Its table of contents.
    #[error("the artifact's manifest: {0}")]
    Manifest(#[from] ManifestError),
    /// One of its files is not what the manifest says.
    #[error("{0} in the artifact is not what its manifest says")]
    Differs(String),
    /// Over the size.
    #[error("the artifact's files have more than {0} bytes")]
    TooLarge(u64),
    /// The volume, most likely full.
    #[error("{0} can't be written: {1}")]
    Io(PathBuf, io::Error),
}

impl FetchError {
    /// Whether another try would end alike.
    fn is_lasting(&self) -> bool {
        !matches!(self, Self::Fault(Fault::Unreachable(_) | Fault::Io(_)) | Self::Io(..))
    }

    /// What the container ends with.
    pub fn exit_code(&self) -> u8 {
        if self.is_lasting() { FETCH_REFUSED } else { 1 }
    }
}

/// Brings the artifact and unpacks it.
pub fn fetch(place: &Place) -> Result<(), FetchError> {
    let plan = env::var(FETCH_ENV).ok().and_then(|text| serde_json::from_str(&text).ok());
    let plan: FetchPlan = plan.ok_or(FetchError::NoPlan)?;
    let limit = Limits::default().artifact_bytes;
    // It has no name, so it is never among the bundle's files.
    let mut zip = tempfile::tempfile_in(&place.bundle).map_err(|error| FetchError::Io(place.bundle.clone(), error))?;
    let found = download(&plan, place, &mut zip, limit)?;
    if found != plan.artifact {
        return Err(FetchError::Another { found, wanted: plan.artifact });
    }
    let count = unpack(zip, &place.bundle, &plan.path, limit)?;
    install(&place.bin).map_err(|error| FetchError::Io(place.bin.clone(), error))?;
    println!("{count} files of artifact {found} are in place");
    Ok(())
}

fn download(plan: &FetchPlan, place: &Place, to: &mut File, limit: u64) -> Result<Digest, FetchError> {
    let deadline = Instant::now() + Duration::from_secs(plan.seconds);
    let agent = web::agent(&plan.endpoint.ca_pem).map_err(Fault::Io)?;
    let address = fetch_address(&plan.endpoint.url, &plan.release);
    let mut passed = None;
    let attempt = || {
        to.set_len(0)?;
        to.rewind()?;
        let authorization = web::bearer(&place.token)?;
        Ok(receive(&agent, &address, &authorization, left(deadline), limit, to, &mut passed))
    };
    let (status, answer) = repeat(deadline, true, attempt)?;
    passed.map(|passed| passed.digest).ok_or_else(|| refused(status, &answer).into())
}

/// One try; `passed` is set if all of it came.
fn receive(
    agent: &Agent,
    address: &str,
    authorization: &str,
    left: Duration,
    limit: u64,
    to: &mut File,
    passed: &mut Option<Passed>,
) -> Try {
    let request = agent.get(address).header("authorization", authorization);
    match request.config().timeout_global(Some(left)).build().call() {
        Ok(mut response) if response.status().is_success() => {
            let mut body = response.body_mut().with_config().limit(u64::MAX).reader();
            match copy(&mut body, to, limit) {
                Ok(all) => {
                    *passed = Some(all);
                    Try::Answer(response.status(), Vec::new())
                }
                Err(error) => Try::Lost(error.to_string()),
            }
        }
        answered => outcome(answered),
    }
}

/// Writes every file below `root`, and the wheels into `dist` of the bundle's folder; answers how many.
fn unpack(zip: File, root: &Path, bundle: &str, limit: u64) -> Result<usize, FetchError> {
    let mut zip = ZipArchive::new(zip)?;
    let mut text = Vec::new();
    let most = MAX_MANIFEST_BYTES as u64 + 1;
    zip.by_name(MANIFEST_ENTRY)?.take(most).read_to_end(&mut text).map_err(ZipError::Io)?;
    let manifest = Manifest::from_json(&text)?;
    if manifest.entries().map(|(.., size)| size).fold(0, u64::saturating_add) > limit {
        return Err(FetchError::TooLarge(limit));
    }
    for file in &manifest.files {
        let entry = (format!("{FILES_PREFIX}{}", file.path), Passed { digest: file.digest, size: file.size });
        write(&mut zip, entry, &root.join(file.path.as_str()), file.executable)?;
    }
    let wheels = if bundle == "." { root.to_path_buf() } else { root.join(bundle) }.join(BUNDLE_WHEELS);
    for wheel in &manifest.wheels {
        let entry = (wheel.path.to_string(), Passed { digest: wheel.digest, size: wheel.size });
        write(&mut zip, entry, &wheels.join(wheel.path.file_name()), false)?;
    }
    Ok(manifest.files.len() + manifest.wheels.len())
}

/// Writes one entry, which must be what the manifest says. Its path was checked with the manifest.
fn write(
    zip: &mut ZipArchive<File>,
    (name, expected): (String, Passed),
    to: &Path,
    executable: bool,
) -> Result<(), FetchError> {
    let failed = |error: io::Error| FetchError::Io(to.to_path_buf(), error);
    let mut from = zip.by_name(&name)?;
    fs::create_dir_all(to.parent().unwrap_or(to)).map_err(failed)?;
    let mut file = BufWriter::new(File::create(to).map_err(failed)?);
    let passed = match copy(&mut from, &mut file, expected.size) {
        Ok(passed) => passed,
        Err(error) if matches!(error.kind(), io::ErrorKind::FileTooLarge | io::ErrorKind::InvalidData) => {
            return Err(FetchError::Differs(name));
        }
        Err(error) => return Err(failed(error)),
    };
    if passed != expected {
        return Err(FetchError::Differs(name));
    }
    file.flush().map_err(failed)?;
    let mode = if executable { 0o755 } else { 0o644 };
    fs::set_permissions(to, Permissions::from_mode(mode)).map_err(failed)
}
