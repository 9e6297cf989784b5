//! One artifact of one or several: the same for one, a new zip for several.
//!
//! The new zip is like a build's: the manifest first, then files and wheels in order, fixed times. Nothing in it is
//! compressed, so that no compressor's version decides its digest: composing again, years later, gives the same bytes.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, Write};
use std::iter::repeat;

use brickline_artifact::compose::{Composition, compose};
use brickline_artifact::content::{self, Passed};
use brickline_artifact::plan::Limits;
use brickline_artifact::{Digest, layout};
use brickline_crds::{Artifact, Reason};
use object_store::ObjectStoreExt;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::content::{Staged, Zip, blocking, broken, differs, fault, unpacking};
use super::{Artifacts, gone, place, unreadable};
use crate::trouble::Trouble;

impl Artifacts {
    /// The bytes of an artifact that is in the store; none if it is not there any more.
    pub(crate) async fn stat(&self, digest: &Digest) -> Result<Option<u64>, Trouble> {
        match self.store.head(&place::artifact(digest)).await {
            Ok(object) => Ok(Some(object.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(unreadable(&error)),
        }
    }

    /// The artifact that a release of these artifacts deploys. One digest: exactly that, and nothing is copied. Several:
    /// their union, stored like a build's; harmless when repeated. With `precedence` the earlier one wins where two
    /// don't agree, without it that is refused.
    pub(crate) async fn compose(&self, digests: &[Digest], precedence: bool) -> Result<Artifact, Trouble> {
        let mut sources: Vec<Digest> = Vec::with_capacity(digests.len());
        for digest in digests {
            if !sources.contains(digest) {
                sources.push(*digest);
            }
        }
        if let [only] = sources.as_slice() {
            let size = self.stat(only).await?.ok_or_else(|| gone(only))?;
            return Ok(described(only, size));
        }
        let (mut parts, mut zips) = (Vec::new(), Vec::new());
        for digest in sources {
            let Staged { manifest, zip } = self.staged(&digest).await?;
            parts.push((digest, manifest));
            zips.push(zip);
        }
        let (file, passed, text) = blocking(move || {
            let composition = compose(&parts, precedence, &Limits::default());
            let composition =
                composition.map_err(|error| Trouble::lasting(Reason::ArtifactFailed, error.to_string()))?;
            let mut file = write(&composition, &mut zips)?;
            file.rewind().map_err(|error| fault(&error))?;
            let passed = content::copy(&mut file, &mut io::sink(), u64::MAX).map_err(|error| fault(&error))?;
            Ok((file, passed, composition.text))
        })
        .await?;
        let sealed = self.seal(&passed.digest, file, &text).await;
        sealed.map_err(|refused| Trouble::passing(Reason::ArtifactFailed, refused.to_string()))?;
        Ok(described(&passed.digest, passed.size))
    }
}

fn described(digest: &Digest, size: u64) -> Artifact {
    Artifact {
        digest: digest.to_string(),
        size: i64::try_from(size).unwrap_or(i64::MAX),
        uri: place::artifact(digest).to_string(),
    }
}

/// Writes the zip: entry by entry, each checked while it goes by.
fn write(composition: &Composition, zips: &mut [Zip]) -> Result<File, Trouble> {
    let file = tempfile::tempfile().map_err(|error| fault(&error))?;
    let mut to = ZipWriter::new(BufWriter::new(file));
    to.start_file(layout::MANIFEST_ENTRY, options(false)).map_err(|error| fault(&error.into()))?;
    to.write_all(&composition.text).map_err(|error| fault(&error))?;
    let executables = composition.manifest.files.iter().map(|file| file.executable).chain(repeat(false));
    let entries = composition.manifest.entries().zip(&composition.origins).zip(executables);
    for (((name, digest, size), origin), executable) in entries {
        let from = zips.get_mut(*origin).ok_or_else(|| differs(&name))?;
        let mut entry = from.by_name(&name).map_err(|error| broken(&error))?.take(size.saturating_add(1));
        to.start_file(&name, options(executable)).map_err(|error| fault(&error.into()))?;
        let passed = content::copy(&mut entry, &mut to, u64::MAX).map_err(|error| unpacking(&error))?;
        if passed != (Passed { digest, size }) {
            return Err(differs(&name));
        }
    }
    let writer = to.finish().map_err(|error| fault(&error.into()))?;
    writer.into_inner().map_err(|error| fault(error.error()))
}

/// Nothing of the clock or the machine goes into the zip.
fn options(executable: bool) -> SimpleFileOptions {
    let mode = if executable { 0o755 } else { 0o644 };
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    options.last_modified_time(DateTime::DEFAULT).unix_permissions(mode)
}

#[cfg(test)]
mod tests;
