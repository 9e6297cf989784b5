//! A branch pattern: a branch's name, or a glob in which `*` stays between two slashes and `**` doesn't.

use globset::{GlobBuilder, GlobMatcher};

/// Patterns, read once for many branches.
pub(crate) struct Wanted<'a>(Vec<(&'a str, Option<GlobMatcher>)>);

impl<'a> Wanted<'a> {
    /// A pattern that is no glob means the branch of that name.
    pub(crate) fn read(patterns: &'a [String]) -> Self {
        Self(patterns.iter().map(|pattern| (pattern.as_str(), matcher(pattern))).collect())
    }

    /// Whether one of the patterns means the branch.
    pub(crate) fn is(&self, branch: &str) -> bool {
        let means = |glob: &GlobMatcher| glob.is_match(branch);
        self.0.iter().any(|(pattern, glob)| *pattern == branch || glob.as_ref().is_some_and(means))
    }
}

/// Whether one of the patterns means the branch.
pub(crate) fn is_wanted(patterns: &[String], branch: &str) -> bool {
    Wanted::read(patterns).is(branch)
}

fn matcher(pattern: &str) -> Option<GlobMatcher> {
    match GlobBuilder::new(pattern).literal_separator(true).backslash_escape(true).build() {
        Ok(glob) => Some(glob.compile_matcher()),
        Err(error) => {
            tracing::warn!(pattern, %error, "a branch pattern is no glob");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("release", "release", true)]
    #[case("release", "release/1", false)]
    #[case("release", "my-release", false)]
    #[case("release/*", "release/1.2", true)]
    #[case("release/*", "release/1/2", false)]
    #[case("release/*", "release", false)]
    #[case("release/**", "release/1/2", true)]
    #[case("*", "main", true)]
    #[case("*", "feature/x", false)]
    #[case("release-{1,2}", "release-2", true)]
    #[case("release-[", "release-[", true)]
    #[case("release-[", "release-x", false)]
    #[case("Release", "release", false)]
    fn stars_stop_at_slashes(#[case] pattern: &str, #[case] branch: &str, #[case] wanted: bool) {
        assert_eq!(is_wanted(&[pattern.to_owned()], branch), wanted);
    }
}
