//! Labels: how releases are found with `kubectl get dbrel -l ...`.
//!
//! A label value is at most 63 characters of `[A-Za-z0-9._-]`, so a branch such as `release/2026 été` can't stand in
//! one. Long or foreign values are encoded as a readable slug and a hash; the exact value stays in the spec.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// The pipeline a release belongs to.
pub const PIPELINE: &str = "brickline.dev/pipeline";
/// The branch, encoded by [`value`].
pub const BRANCH: &str = "brickline.dev/branch";
/// The first seven characters of the commit.
pub const COMMIT: &str = "brickline.dev/commit";
/// Why the release exists (`push`, `manual`, ...).
pub const REASON: &str = "brickline.dev/reason";
/// The stage it releases to.
pub const STAGE: &str = "brickline.dev/stage";
/// How it ended (`succeeded`, `failed`, ...); absent until then.
pub const RESULT: &str = "brickline.dev/result";
/// The release a Job or a pod belongs to.
pub const RELEASE: &str = "brickline.dev/release";
/// The job of a build that a Job or a pod works on: `artifact`, `<job>` or `<job>.<copy>`.
pub const JOB: &str = "brickline.dev/job";
/// Before each of a release's tags: `tags.brickline.dev/nightly`, with the value `true`.
pub const TAG_PREFIX: &str = "tags.brickline.dev/";
/// Keeps a release until what it began is cleaned up.
pub const FINALIZER: &str = "finalizers.brickline.dev/release";
/// Kubernetes' own: who manages the object.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// The longest label value Kubernetes takes.
const MAX: usize = 63;
/// Hex characters of the hash that keeps encoded values apart.
const HASH: usize = 8;

/// `text` as a label value: itself if it is one already, else a slug of it and 8 hex characters of its SHA-256.
///
/// An encoded value always ends in `-` and the hash, so two branches never share one by accident.
#[must_use]
pub fn value(text: &str) -> String {
    if is_label_value(text) {
        return text.to_owned();
    }
    let hash = &HEXLOWER.encode(&Sha256::digest(text))[..HASH];
    let slug = slug(text, MAX - HASH - 1);
    if slug.is_empty() { hash.to_owned() } else { format!("{slug}-{hash}") }
}

/// The short form of a git ref for people: `release` for `refs/heads/release`.
#[must_use]
pub fn branch_of(reference: &str) -> &str {
    reference.strip_prefix("refs/heads/").or_else(|| reference.strip_prefix("refs/tags/")).unwrap_or(reference)
}

/// The first seven characters of a commit id, as git prints it.
#[must_use]
pub fn short_commit(commit: &str) -> String {
    commit.chars().take(7).collect()
}

fn is_label_value(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let edge = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
    text.len() <= MAX && text.chars().all(inner) && edge(text.chars().next()) && edge(text.chars().last())
}

fn slug(text: &str, max: usize) -> String {
    let mapped: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' || c == '_' { c } else { '-' }).collect();
    let mut slug: String = mapped.trim_start_matches(|c: char| !c.is_ascii_alphanumeric()).chars().take(max).collect();
    while slug.ends_with(|c: char| !c.is_ascii_alphanumeric()) {
        slug.pop();
    }
    slug
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("release", "release")]
    #[case("release/1.2", "release-1.2-")]
    #[case("été", "t-")]
    #[case("///", "")]
    #[case("", "")]
    fn keeps_what_is_a_label_already(#[case] branch: &str, #[case] start: &str) {
        assert!(value(branch).starts_with(start), "{}", value(branch));
    }

    proptest! {
        #[test]
        fn is_always_a_label_value(text in ".{0,300}") {
            prop_assert!(is_label_value(&value(&text)));
        }

        #[test]
        fn keeps_different_branches_apart(a in "[a-z/]{1,80}", b in "[a-z/]{1,80}") {
            prop_assume!(a != b);
            prop_assert_ne!(value(&a), value(&b));
        }
    }
}
