//! The labels that every release has, whoever made it: pure.

use std::collections::BTreeMap;

use brickline_crds::{DatabricksRelease, labels};

use crate::forge::origin;

/// What `kubectl get dbrel -l` finds a release by. The pipeline's label is not among them: it is set by whoever made the
/// release, and admission decides who may. What an artifact was built from is known once it was looked up.
pub(crate) fn labels_of(release: &DatabricksRelease) -> BTreeMap<String, String> {
    let spec = &release.spec;
    let git = origin(release);
    let branch = git.map(|git| (labels::BRANCH.to_owned(), labels::value(labels::branch_of(&git.reference))));
    let commit = git.map(|git| (labels::COMMIT.to_owned(), labels::short_commit(&git.commit)));
    let stage = spec.stage.as_ref().map(|stage| (labels::STAGE.to_owned(), labels::value(stage)));
    let tags = spec.tags.iter().map(|tag| (format!("{}{tag}", labels::TAG_PREFIX), "true".to_owned()));
    let reason = (labels::REASON.to_owned(), spec.reason.to_string());
    [Some(reason), branch, commit, stage].into_iter().flatten().chain(tags).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use brickline_crds::{DatabricksReleaseSpec, GitSource, Source};

    #[test]
    fn a_release_made_by_hand_is_found_like_any_other() {
        let git = GitSource {
            reference: "refs/heads/release/2026 été".to_owned(),
            commit: "9b1c0de9b1c0de9b1c0de9b1c0de9b1c0de9b1c0".to_owned(),
            ..GitSource::default()
        };
        let spec = DatabricksReleaseSpec {
            source: Source { git: Some(git), ..Source::default() },
            stage: Some("staging".to_owned()),
            tags: vec!["nightly".to_owned(), "hotfix".to_owned()],
            ..DatabricksReleaseSpec::default()
        };
        let labels = labels_of(&DatabricksRelease::new("by-hand", spec));
        let lines: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(
            lines,
            [
                "brickline.dev/branch=release-2026--t-".to_owned() + &labels["brickline.dev/branch"][16..],
                "brickline.dev/commit=9b1c0de".to_owned(),
                "brickline.dev/reason=manual".to_owned(),
                "brickline.dev/stage=staging".to_owned(),
                "tags.brickline.dev/hotfix=true".to_owned(),
                "tags.brickline.dev/nightly=true".to_owned(),
            ]
        );
    }
}
