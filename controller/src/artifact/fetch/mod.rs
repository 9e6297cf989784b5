//! Artifacts that were built elsewhere: fetched from a URL, checked by the digest that the release names, and kept as if
//! a build had handed them in. Whoever made one is not trusted: every byte of it is compared with its manifest before it
//! is kept.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `download.rs` | the request, its redirects, and the body as it comes |
//! | `fault.rs` | why a host has not handed it out |

mod download;
mod fault;

use std::fs::File;
use std::io;
use std::time::Duration;

use brickline_artifact::content::{self as passing, Passed};
use brickline_artifact::plan::Limits;
use brickline_artifact::{Digest, Manifest};
use brickline_crds::{Artifact, Reason};
use bytes::Bytes;
use futures::{Stream, TryStreamExt};
use object_store::ObjectStoreExt;
use url::Url;
use zip::ZipArchive;

use super::content::{Reader, unpacking};
use super::receive::{Refused, manifest_of, stage};
use super::{Artifacts, place, unreadable};
use crate::forge::Proof;
use crate::trouble::Trouble;
use fault::Fault;

/// The longest silence of a host that is waited out.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
/// The most letters of what an artifact says of itself that are shown.
const SHOWN: usize = 200;

/// An artifact that lies elsewhere.
pub(crate) struct Remote<'a> {
    /// The namespace whose release wants it.
    pub(crate) namespace: &'a str,
    pub(crate) url: Url,
    pub(crate) digest: Digest,
    /// Connections that follow no redirects and trust the host's authority.
    pub(crate) http: reqwest::Client,
    /// What the host wants to see.
    pub(crate) proof: Option<Proof>,
    /// The hosts that may be asked, as [`crate::hosts::is_allowed`] reads them.
    pub(crate) hosts: &'a [String],
    /// The longest silence.
    pub(crate) patience: Duration,
    /// The most bytes of the zip.
    pub(crate) limit: u64,
}

impl Remote<'_> {
    /// What messages call it: neither the path nor what stands behind `?`, which may be secrets.
    pub(crate) fn host(&self) -> String {
        host_of(&self.url)
    }
}

/// What was fetched.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fetched {
    pub(crate) artifact: Artifact,
    /// Where it came from, and what it says of itself, in a sentence for people: nothing may be concluded from it.
    pub(crate) message: String,
}

impl Artifacts {
    /// Fetches an artifact. Harmless when repeated: it is stored by its digest.
    ///
    /// What this namespace has fetched before and the store still holds is not asked for again, but read and stored once
    /// more, so that a sweep counts it as new. What only other namespaces have is asked for: knowing a digest is no right
    /// to what it stands for.
    pub(crate) async fn fetch(&self, remote: &Remote<'_>) -> Result<Fetched, Trouble> {
        if let Some(kept) = self.kept(remote).await? {
            return Ok(fetched(kept, "the artifact store, where it was from before"));
        }
        let host = remote.host();
        let response = download::open(remote).await.map_err(Fault::into_trouble)?;
        if response.content_length().is_some_and(|length| length > remote.limit) {
            return Err(trouble(&Refused::TooLarge(remote.limit), &host));
        }
        let body = Box::pin(download::body(response, remote.patience));
        let taken = self.take(remote, body).await.map_err(|refused| trouble(&refused, &host))?;
        Ok(fetched(taken, &host))
    }

    /// What this namespace has fetched before, if every byte of it is still there.
    async fn kept(&self, remote: &Remote<'_>) -> Result<Option<Taken>, Trouble> {
        match self.store.head(&place::fetched(&remote.digest, remote.namespace)).await {
            Ok(_) => {}
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(unreadable(&error)),
        }
        let found = match self.store.get(&place::artifact(&remote.digest)).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(unreadable(&error)),
        };
        match self.take(remote, found.into_stream().map_err(|error| error.to_string())).await {
            Ok(taken) => Ok(Some(taken)),
            // It was damaged meanwhile: the host has it whole.
            Err(Refused::Invalid(_) | Refused::TooLarge(_)) => Ok(None),
            Err(refused) => Err(trouble(&refused, "the artifact store")),
        }
    }

    /// Checks what comes, and keeps it.
    async fn take(
        &self,
        remote: &Remote<'_>,
        body: impl Stream<Item = Result<Bytes, String>> + Unpin,
    ) -> Result<Taken, Refused> {
        let (file, found, size) = stage(body, remote.limit).await?;
        if found != remote.digest {
            let message = format!("the file there is {found}, and source.artifact.digest says {}", remote.digest);
            return Err(Refused::Invalid(message));
        }
        let copy = file.try_clone()?;
        let (text, manifest) = tokio::task::spawn_blocking(move || checked(copy))
            .await
            .map_err(|error| Refused::Broken(error.to_string()))??;
        self.seal(&found, file, &text).await?;
        self.store.put(&place::fetched(&found, remote.namespace), Bytes::new().into()).await?;
        Ok(Taken { digest: found, size, manifest })
    }
}

/// What was checked and kept.
struct Taken {
    digest: Digest,
    size: u64,
    manifest: Manifest,
}

fn fetched(taken: Taken, from: &str) -> Fetched {
    let Taken { digest, size, manifest } = taken;
    let source = manifest.source;
    let [url, reference, commit] = [&source.url, &source.reference, &source.commit].map(|text| shown(text));
    Fetched {
        artifact: Artifact {
            digest: digest.to_string(),
            size: i64::try_from(size).unwrap_or(i64::MAX),
            uri: place::artifact(&digest).to_string(),
        },
        message: format!(
            "artifact {digest} from {from}; it says it was built from {url}, {reference}, commit {commit}"
        ),
    }
}

/// Somebody else's words, fit for a status.
fn shown(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(SHOWN).collect()
}

/// The manifest of a staged zip, as its text and read, if it is a good one and every entry is what it says.
fn checked(file: File) -> Result<(Vec<u8>, Manifest), Refused> {
    let text = manifest_of(file.try_clone()?)?;
    let invalid = |error: &dyn std::fmt::Display| Refused::Invalid(format!("not an artifact: {error}"));
    let manifest = Manifest::from_json(&text).map_err(|error| invalid(&error))?;
    let limits = Limits::default();
    let whole = manifest.entries().try_fold(0_u64, |whole, (.., size)| whole.checked_add(size));
    if whole.is_none_or(|whole| whole > limits.artifact_bytes) {
        return Err(Refused::TooLarge(limits.artifact_bytes));
    }
    if manifest.files.len() as u64 > limits.artifact_files {
        return Err(Refused::Invalid(format!("more than {} files", limits.artifact_files)));
    }
    let mut zip = ZipArchive::new(Reader::new(file)?).map_err(|error| invalid(&error))?;
    for (name, digest, size) in manifest.entries() {
        let mut entry = zip.by_name(&name).map_err(|error| invalid(&format!("{name}: {error}")))?;
        match passing::copy(&mut entry, &mut io::sink(), size) {
            Ok(passed) if passed == (Passed { digest, size }) => {}
            Err(error) if error.kind() != io::ErrorKind::FileTooLarge => {
                let trouble = unpacking(&error);
                return Err(if trouble.transient { error.into() } else { invalid(&format!("{name}: {error}")) });
            }
            _ => return Err(Refused::Invalid(format!("{name} in the artifact is not what its manifest says"))),
        }
    }
    drop(zip);
    Ok((text, manifest))
}

/// What lies stays a lie; what broke may heal.
fn trouble(refused: &Refused, from: &str) -> Trouble {
    let message = format!("source.artifact from {from}: {refused}");
    match refused {
        Refused::Invalid(_) | Refused::TooLarge(_) => Trouble::lasting(Reason::ArtifactFailed, message),
        _ => Trouble::passing(Reason::ArtifactFailed, message),
    }
}

fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests;
