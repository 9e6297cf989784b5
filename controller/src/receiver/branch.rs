//! A branch pattern: a branch's name, or a glob in which `*` stays between two slashes and `**` doesn't.

use globset::GlobBuilder;

/// Whether one of the patterns means the branch.
pub(crate) fn is_wanted(patterns: &[String], branch: &str) -> bool {
    patterns.iter().any(|pattern| pattern == branch || is_match(pattern, branch))
}

fn is_match(pattern: &str, branch: &str) -> bool {
    match GlobBuilder::new(pattern).literal_separator(true).backslash_escape(true).build() {
        Ok(glob) => glob.compile_matcher().is_match(branch),
        Err(error) => {
            tracing::warn!(pattern, %error, "a branch pattern is no glob");
            false
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
