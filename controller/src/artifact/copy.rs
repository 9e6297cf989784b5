//! The copy of a manifest that lies beside its artifact, so that reading it costs no zip: the SHA-256 of the manifest,
//! a line end, the manifest. The artifact's own digest says nothing about the copy.

use brickline_artifact::{Digest, Manifest};

/// The copy of a manifest's text.
pub(super) fn seal(text: &[u8]) -> Vec<u8> {
    let mut copy = Digest::of(text).to_string().into_bytes();
    copy.push(b'\n');
    copy.extend_from_slice(text);
    copy
}

/// The manifest in a copy; none if a byte of it is not as it was.
pub(super) fn open(copy: &[u8]) -> Option<Manifest> {
    let end = copy.iter().position(|byte| *byte == b'\n')?;
    let (digest, text) = (copy.get(..end)?, copy.get(end + 1..)?);
    let digest: Digest = std::str::from_utf8(digest).ok()?.parse().ok()?;
    if Digest::of(text) == digest { Manifest::from_json(text).ok() } else { None }
}
