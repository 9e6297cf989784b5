//! Conditions are the trigger's questions that only the tree can answer; a no skips the release.

use brickline_artifact::plan::Conditions;
use brickline_artifact::result::SkipReason;
use brickline_artifact::selection::Selection;

use super::changes::Changes;
use super::session::Trouble;
use super::tree::Commit;

/// Whether the commit is a merge, if only merges are due.
pub fn merge(conditions: &Conditions, commit: &Commit) -> Result<(), Trouble> {
    if conditions.merges_only && commit.parents.len() < 2 {
        let message = "the commit has one parent, and the pipeline releases merges only";
        return Err(Trouble::Skip(SkipReason::NotAMerge, message.into()));
    }
    Ok(())
}

/// Whether a changed or removed path is one that the trigger asks for.
pub fn paths(conditions: &Conditions, changes: &Changes) -> Result<(), Trouble> {
    let (mut include, exclude) = (conditions.include_paths.clone(), &conditions.exclude_paths);
    if include.is_empty() && exclude.is_empty() {
        return Ok(());
    }
    if include.is_empty() {
        include.push("**".into());
    }
    let due = Selection::new(&include, exclude).map_err(|error| Trouble::Failed(error.to_string()))?;
    if changes.files.keys().chain(&changes.removed).any(|path| due.contains(path)) {
        return Ok(());
    }
    let message = "no changed path matches the pipeline's trigger.paths".to_owned();
    Err(Trouble::Skip(SkipReason::PathsNotMatched, message))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use brickline_artifact::manifest::Change;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(&[], &[], true)]
    #[case(&["libraries/**"], &[], true)]
    #[case(&["notebooks/**"], &[], false)]
    #[case(&[], &["**/*.py"], false)]
    #[case(&[], &["**/*.md"], true)]
    fn some_path_must_match(#[case] include: &[&str], #[case] exclude: &[&str], #[case] due: bool) {
        let own = |globs: &[&str]| globs.iter().map(ToString::to_string).collect();
        let conditions = Conditions { include_paths: own(include), exclude_paths: own(exclude), merges_only: false };
        let files = HashMap::from([("libraries/x.py".to_owned(), (Change::Modified, None))]);
        let result = paths(&conditions, &Changes { files, removed: Vec::new() });
        assert_eq!(result.is_ok(), due);
    }
}
