//! A selection says which paths count: some include glob matches and no exclude glob does.

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};

/// Include and exclude globs. `*` stays within a folder's level, `**` crosses levels.
#[derive(Debug, Clone)]
pub struct Selection {
    include: GlobSet,
    exclude: GlobSet,
}

/// A glob that can't be read.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the glob {glob:?} is not valid: {why}")]
pub struct BadGlob {
    glob: String,
    why: String,
}

impl Selection {
    /// Compiles the globs. Without any include glob nothing is selected.
    pub fn new(include: &[String], exclude: &[String]) -> Result<Self, BadGlob> {
        Ok(Self { include: compile(include)?, exclude: compile(exclude)? })
    }

    /// Whether a relative path is selected.
    #[must_use]
    pub fn contains(&self, path: &str) -> bool {
        self.include.is_match(path) && !self.exclude.is_match(path)
    }
}

fn compile(globs: &[String]) -> Result<GlobSet, BadGlob> {
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        set.add(one(glob)?);
    }
    set.build().map_err(|error| BadGlob { glob: globs.join(" "), why: error.kind().to_string() })
}

fn one(glob: &str) -> Result<Glob, BadGlob> {
    let built = GlobBuilder::new(glob).literal_separator(true).build();
    built.map_err(|error| BadGlob { glob: glob.to_owned(), why: error.kind().to_string() })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(&["**"], &[], "a/b/c.py", true)]
    #[case(&["notebooks/**"], &[], "notebooks/x.py", true)]
    #[case(&["notebooks/**"], &[], "other/x.py", false)]
    #[case(&["*.md"], &[], "docs/x.md", false)]
    #[case(&["**/*.md"], &[], "x.md", true)]
    #[case(&["**"], &["**/*.md"], "docs/x.md", false)]
    #[case(&["**/TEST-*.xml"], &[], "logs/TEST-LOCAL.xml", true)]
    #[case(&[], &[], "x", false)]
    fn globs_select(#[case] include: &[&str], #[case] exclude: &[&str], #[case] path: &str, #[case] chosen: bool) {
        let own = |globs: &[&str]| globs.iter().map(ToString::to_string).collect::<Vec<_>>();
        let selection = Selection::new(&own(include), &own(exclude)).expect("valid globs");
        assert_eq!(selection.contains(path), chosen);
    }

    #[test]
    fn a_broken_glob_is_named() {
        let error = Selection::new(&["a{b".into()], &[]).expect_err("unclosed");
        assert!(error.to_string().contains("a{b"));
    }
}
