//! A release's name: the same for the same commit on the same branch, however often it is announced.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// The longest DNS label.
const MAX: usize = 63;
/// The longest part of the pipeline's name.
const MAX_PIPELINE: usize = 40;

/// How many hex characters of the hash a name holds: the first, unless another release has that name already.
pub(crate) const LENGTHS: [usize; 3] = [12, 20, 32];

/// What makes two releases the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'a> {
    /// The pipeline's name, for people.
    pub(crate) pipeline: &'a str,
    /// The pipeline's uid: one that was made anew releases anew.
    pub(crate) pipeline_uid: &'a str,
    /// Empty without stages.
    pub(crate) stage: &'a str,
    /// The canonical address of the repository.
    pub(crate) repository: &'a str,
    /// The full ref.
    pub(crate) reference: &'a str,
    pub(crate) commit: &'a str,
    /// What tells apart releases of one commit: empty for a push and a poll.
    pub(crate) trigger: &'a str,
}

/// The release's name with `length` characters of the hash: a DNS label of at most 63 characters.
pub(crate) fn name(origin: &Origin, length: usize) -> String {
    let hash = hash(origin);
    let hash = hash.get(..length).unwrap_or(&hash);
    let room = MAX_PIPELINE.min(MAX.saturating_sub(hash.len() + 1));
    match slug(origin.pipeline, room).as_str() {
        // A label starts with a letter to please older consumers of names.
        "" => format!("release-{hash}"),
        slug => format!("{slug}-{hash}"),
    }
}

/// Every field with its length before it, so that no two origins run together into the same bytes.
fn hash(origin: &Origin) -> String {
    let Origin { pipeline: _, pipeline_uid, stage, repository, reference, commit, trigger } = origin;
    let mut hash = Sha256::new();
    for field in [pipeline_uid, stage, repository, reference, commit, trigger] {
        hash.update((field.len() as u64).to_be_bytes());
        hash.update(field.as_bytes());
    }
    HEXLOWER.encode(&hash.finalize())
}

fn slug(pipeline: &str, max: usize) -> String {
    let label = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let slug: String = pipeline.chars().map(label).skip_while(|c| *c == '-').take(max).collect();
    slug.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ORIGIN: Origin = Origin {
        pipeline: "dbxdemo",
        pipeline_uid: "5c9f7a70-0000-4000-8000-000000000001",
        stage: "staging",
        repository: "git.example.com/data/dbxdemo",
        reference: "refs/heads/release",
        commit: "9b1c0de9b1c0de9b1c0de9b1c0de9b1c0de9b1c0",
        trigger: "",
    };

    #[test]
    fn names_never_change() {
        // A name that changes with a version of the controller would release every commit again.
        assert_eq!(name(&ORIGIN, 12), "dbxdemo-e09e6aa3bea5");
    }

    #[test]
    fn a_longer_hash_begins_with_the_shorter() {
        let [short, longer, longest] = LENGTHS.map(|length| name(&ORIGIN, length));
        assert!(longer.starts_with(&short) && longest.starts_with(&longer));
    }

    #[test]
    fn every_field_counts() {
        let names = [
            ORIGIN,
            Origin { pipeline_uid: "other", ..ORIGIN },
            Origin { stage: "production", ..ORIGIN },
            Origin { repository: "git.example.com/data/other", ..ORIGIN },
            Origin { reference: "refs/heads/release/1", ..ORIGIN },
            Origin { commit: "9b1c0de9b1c0de9b1c0de9b1c0de9b1c0de9b1c1", ..ORIGIN },
            Origin { trigger: "2", ..ORIGIN },
            // The same bytes in a row, cut at another place.
            Origin { stage: "staginggit", repository: ".example.com/data/dbxdemo", ..ORIGIN },
        ]
        .map(|origin| name(&origin, 12));
        let different: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(different.len(), names.len(), "{names:?}");
    }

    proptest! {
        #[test]
        fn is_always_a_dns_label(pipeline in ".{0,300}", length in proptest::sample::select(LENGTHS.to_vec())) {
            let name = name(&Origin { pipeline: &pipeline, ..ORIGIN }, length);
            let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            prop_assert!(name.len() <= 63 && name.chars().all(inner), "{}", name);
            prop_assert!(!name.starts_with('-') && !name.ends_with('-'), "{}", name);
        }
    }
}
