//! Claims: one digest is stored or removed by one task at a time, so that a sweep never takes away what was put there
//! while it looked. They hold in this process, which is the only one that writes to a volume.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use brickline_artifact::Digest;

/// The digests that somebody works on.
#[derive(Clone, Default)]
pub(super) struct Claims(Arc<Mutex<BTreeSet<Digest>>>);

/// The right to store or remove a digest, until it is dropped.
pub(super) struct Claim {
    digest: Digest,
    claims: Claims,
}

impl Claims {
    /// Claims a digest; none if somebody else has it.
    pub(super) fn claim(&self, digest: &Digest) -> Option<Claim> {
        let free = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(*digest);
        free.then(|| Claim { digest: *digest, claims: self.clone() })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.digest);
    }
}
