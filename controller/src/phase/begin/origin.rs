//! What several artifacts were built from, as far as one thing can be said of all: pure.

use brickline_crds::GitSource;

/// One branch speaks for the release, since protection looks at it. What came from a URL has none, and must not pass for
/// what its neighbour is of. The error is a sentence.
pub(super) fn joined(origins: Vec<Option<GitSource>>) -> Result<Option<GitSource>, String> {
    let one = named(origins.first().and_then(Option::as_ref)).to_owned();
    match origins.iter().map(|origin| named(origin.as_ref())).find(|other| **other != one) {
        Some(other) => Err(format!("artifactFrom mixes {one} and {other}: take all from one branch")),
        None => Ok(origins.into_iter().next().flatten()),
    }
}

fn named(origin: Option<&GitSource>) -> &str {
    origin.map_or("an artifact from a URL", |git| &git.reference)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn of(branch: &str) -> Option<GitSource> {
        (!branch.is_empty()).then(|| GitSource { reference: format!("refs/heads/{branch}"), ..GitSource::default() })
    }

    #[rstest]
    #[case::of_one_branch("release", "release", Ok("refs/heads/release"))]
    #[case::from_urls("", "", Ok("an artifact from a URL"))]
    #[case::of_two("release", "main", Err("artifactFrom mixes refs/heads/release and refs/heads/main"))]
    #[case::behind_a_branch("release", "", Err("artifactFrom mixes refs/heads/release and an artifact from a URL"))]
    #[case::before_a_branch("", "release", Err("artifactFrom mixes an artifact from a URL and refs/heads/release"))]
    fn one_branch_speaks_for_all(#[case] one: &str, #[case] other: &str, #[case] expected: Result<&str, &str>) {
        match (joined(vec![of(one), of(other)]), expected) {
            (Ok(origin), expected) => assert_eq!(Ok(named(origin.as_ref())), expected),
            (Err(said), expected) => assert!(said.starts_with(expected.unwrap_err()), "{said}"),
        }
    }
}
