//! Content is copied in a stream: hashed on its way, and no longer than it may be.

use std::io::{self, Read, Write};

use sha2::{Digest as _, Sha256};

use crate::digest::Digest;

/// What went by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passed {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}

/// Copies at most so many bytes; more is an error.
pub fn copy(from: &mut impl Read, to: &mut impl Write, limit: u64) -> io::Result<Passed> {
    let (mut hash, mut size, mut buffer) = (Sha256::new(), 0, vec![0; 64 * 1024]);
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            return Ok(Passed { digest: Digest::from_bytes(hash.finalize().into()), size });
        }
        size += count as u64;
        if size > limit {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "over the size limit"));
        }
        hash.update(&buffer[..count]);
        to.write_all(&buffer[..count])?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_hashed_and_limited() {
        let mut copied = Vec::new();
        let passed = copy(&mut &b"content"[..], &mut copied, 7).expect("within the limit");
        assert_eq!((passed.digest, passed.size, copied.as_slice()), (Digest::of(b"content"), 7, &b"content"[..]));
        assert!(copy(&mut &b"content"[..], &mut io::sink(), 6).is_err());
    }
}
