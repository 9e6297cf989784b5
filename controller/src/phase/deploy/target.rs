//! Where each file of the artifact goes: pure.

use brickline_artifact::{Manifest, selection::Selection};
use brickline_crds::{Deploy, DeployItem, ItemKind};

use crate::databricks::workspace::{Format, Language};

/// One file and its place in the workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Its path in the repository.
    pub(crate) path: String,
    /// Its place in the workspace, extension included.
    pub(crate) to: String,
    pub(crate) kind: ItemKind,
}

/// Every file that a deploy item selects, in the order of the items. A path may go to several places.
pub(crate) fn targets(deploy: &Deploy, manifest: &Manifest) -> Vec<Target> {
    deploy.items.iter().flat_map(|item| of_item(item, manifest)).collect()
}

fn of_item(item: &DeployItem, manifest: &Manifest) -> Vec<Target> {
    let Ok(selection) = Selection::new(std::slice::from_ref(&item.from), &[]) else { return Vec::new() };
    let base = fixed_part(&item.from);
    let selected = manifest.files.iter().map(|file| file.path.as_str()).filter(|path| selection.contains(path));
    selected
        .filter(|path| item.kind == ItemKind::File || form(path).is_some())
        .map(|path| {
            let below = path.strip_prefix(base).unwrap_or(path).trim_start_matches('/');
            Target { path: path.to_owned(), to: format!("{}/{below}", item.to), kind: item.kind }
        })
        .collect()
}

/// The folders of a glob before its first wildcard: `notebooks` of `notebooks/**`. A glob without one names a file or
/// a folder, whose own folder counts.
fn fixed_part(glob: &str) -> &str {
    let fixed = glob.find(['*', '?', '[', '{']).map_or(glob, |at| &glob[..at]);
    fixed.rfind('/').map_or("", |at| &fixed[..at])
}

/// How a notebook is imported, by its suffix in any case: Jupyter files tell their language themselves.
pub(super) fn form(path: &str) -> Option<(Format, Option<Language>)> {
    let suffix = path.rsplit_once('.')?.1.to_ascii_lowercase();
    match suffix.as_str() {
        "py" => Some((Format::Source, Some(Language::Python))),
        "scala" => Some((Format::Source, Some(Language::Scala))),
        "sql" => Some((Format::Source, Some(Language::Sql))),
        "r" => Some((Format::Source, Some(Language::R))),
        "ipynb" => Some((Format::Jupyter, None)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("notebooks/**", "notebooks")]
    #[case("notebooks/*.py", "notebooks")]
    #[case("a/b/c?.sql", "a/b")]
    #[case("**/*.py", "")]
    #[case("notebooks/one.py", "notebooks")]
    fn a_target_keeps_the_folders_below_the_globs_fixed_part(#[case] glob: &str, #[case] fixed: &str) {
        assert_eq!(fixed_part(glob), fixed);
    }

    #[rstest]
    #[case("a.PY", Some((Format::Source, Some(Language::Python))))]
    #[case("a.r", Some((Format::Source, Some(Language::R))))]
    #[case("a.ipynb", Some((Format::Jupyter, None)))]
    #[case("README.md", None)]
    #[case("Makefile", None)]
    fn the_suffix_names_the_language(#[case] path: &str, #[case] expected: Option<(Format, Option<Language>)>) {
        assert_eq!(form(path), expected);
    }
}
