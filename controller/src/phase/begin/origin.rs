//! What several artifacts were built from, as far as one thing can be said of all: pure.

use brickline_crds::{ArtifactFrom, DatabricksRelease, GitSource, ReleasePipeline};

use crate::creation::remembered;
use crate::forge::origin;

/// An artifact that there is.
#[derive(Debug, PartialEq)]
pub(super) struct Built {
    /// What it was built from; none if it came from a URL.
    pub(super) from: Option<GitSource>,
}

/// The artifact of a release, if it is this one.
pub(super) fn of_release(release: &DatabricksRelease, wanted: &ArtifactFrom) -> Option<Built> {
    let has = release.status.as_ref().and_then(|status| status.artifact.as_ref());
    has.filter(|artifact| artifact.digest == wanted.digest).map(|_| Built { from: origin(release).cloned() })
}

/// The same of a release that was deleted, as a stage of the pipeline remembers it.
pub(super) fn of_stage(pipeline: &ReleasePipeline, wanted: &ArtifactFrom) -> Option<Built> {
    let stages = pipeline.status.as_ref().map(|status| status.stages.as_slice()).unwrap_or_default();
    let mut known = stages.iter().flat_map(|stage| [&stage.deployed, &stage.last_good, &stage.promoted]).flatten();
    let stored = known.find(|stored| stored.release == wanted.release && stored.artifact == wanted.digest)?;
    Some(Built { from: remembered(pipeline, stored) })
}

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
    use brickline_crds::{ReleasePipelineSpec, ReleasePipelineStatus, StageStatus, StoredArtifact};
    use rstest::rstest;

    fn of(branch: &str) -> Option<GitSource> {
        (!branch.is_empty()).then(|| GitSource { reference: format!("refs/heads/{branch}"), ..GitSource::default() })
    }

    /// A rollback to an artifact whose release somebody deleted.
    #[test]
    fn a_stage_remembers_what_its_artifact_was_built_from() {
        let digest = "sha256:1".to_owned();
        let good = StoredArtifact {
            release: "gone".to_owned(),
            artifact: digest.clone(),
            commit: "9".repeat(40),
            reference: "refs/heads/release".to_owned(),
            ..StoredArtifact::default()
        };
        let stage = StageStatus { last_good: Some(good), ..StageStatus::default() };
        let mut pipeline = ReleasePipeline::new("dbxdemo", ReleasePipelineSpec::default());
        pipeline.spec.repository.url = "https://git.example.com/data/dbxdemo.git".to_owned();
        pipeline.status = Some(ReleasePipelineStatus { stages: vec![stage], ..ReleasePipelineStatus::default() });
        let from =
            |release: &str, digest: &str| ArtifactFrom { release: release.to_owned(), digest: digest.to_owned() };
        let known = of_stage(&pipeline, &from("gone", &digest)).unwrap().from.unwrap();
        assert_eq!(
            (known.reference.as_str(), known.url.as_str()),
            ("refs/heads/release", "https://git.example.com/data/dbxdemo.git")
        );
        assert_eq!(of_stage(&pipeline, &from("gone", "sha256:2")), None, "another artifact");
        assert_eq!(of_stage(&pipeline, &from("another", &digest)), None, "another release");
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
