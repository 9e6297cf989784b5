use brickline_artifact::notebook::Notebook;
use rstest::rstest;

use super::super::samples::{manifest, with_mark};
use super::*;

#[rstest]
#[case("notebooks/**", "notebooks")]
#[case("notebooks/*.py", "notebooks")]
#[case("a/b/c?.sql", "a/b")]
#[case("**/*.py", "")]
#[case("notebooks/one.py", "notebooks")]
fn a_target_keeps_the_folders_below_the_globs_fixed_part(#[case] glob: &str, #[case] fixed: &str) {
    assert_eq!(fixed_part(glob), fixed);
}

const PYTHON: Form = Form::Notebook(Format::Source, Some(Language::Python));

#[rstest]
#[case("a.PY", Some((Format::Source, Some(Language::Python))))]
#[case("a.Scala", Some((Format::Source, Some(Language::Scala))))]
#[case("a.SQL", Some((Format::Source, Some(Language::Sql))))]
#[case("a.r", Some((Format::Source, Some(Language::R))))]
#[case("a.R", Some((Format::Source, Some(Language::R))))]
#[case("a.ipynb", Some((Format::Jupyter, None)))]
#[case("README.md", None)]
#[case("Makefile", None)]
fn the_suffix_names_the_language(#[case] path: &str, #[case] expected: Option<(Format, Option<Language>)>) {
    assert_eq!(language(path), expected);
}

#[rstest]
// `Notebook` needs no mark, and leaves out what can't be one.
#[case(ItemKind::Notebook, "/Shared/d", "one.py", false, Some(PYTHON))]
#[case(ItemKind::Notebook, "/Shared/d", "README.md", false, None)]
// `Auto` goes by the mark.
#[case(ItemKind::Auto, "/Shared/d", "one.py", true, Some(PYTHON))]
#[case(ItemKind::Auto, "/Shared/d", "one.py", false, Some(Form::File))]
#[case(ItemKind::Auto, "/Shared/d", "README.md", false, Some(Form::File))]
#[case(ItemKind::Auto, "/Volumes/c/s/v", "one.py", true, Some(Form::File))]
// A file stays one, also where Databricks would make a notebook of it.
#[case(ItemKind::File, "/Shared/d", "one.py", true, Some(Form::Raw))]
#[case(ItemKind::File, "/Shared/d", "one.py", false, Some(Form::File))]
#[case(ItemKind::File, "/Volumes/c/s/v", "one.py", true, Some(Form::File))]
fn a_file_becomes_what_the_item_says(
    #[case] kind: ItemKind,
    #[case] to: &str,
    #[case] path: &str,
    #[case] marked: bool,
    #[case] expected: Option<Form>,
) {
    let mut manifest = manifest(&[(path, "x")]);
    if marked {
        with_mark(&mut manifest, path, Notebook::Python);
    }
    let item = DeployItem { from: "**".into(), to: to.into(), kind, ..DeployItem::default() };
    let targets = of_item(&item, &manifest);
    assert_eq!(targets.first().map(|target| target.form), expected);
    assert!(targets.iter().all(|target| target.to == format!("{to}/{path}")));
}

#[rstest]
#[case("notebooks/a/one.py", true, "/Shared/d/a/one")]
#[case("notebooks/a/one.py", false, "/Shared/d/a/one.py")]
#[case("notebooks/a.b/one.test.py", true, "/Shared/d/a.b/one.test")]
#[case("notebooks/a.b/.py", true, "/Shared/d/a.b/.py")]
fn an_extension_is_only_stripped_where_it_is_asked_for(
    #[case] path: &str,
    #[case] strip_extension: bool,
    #[case] to: &str,
) {
    let item =
        DeployItem { from: "notebooks/**".into(), to: "/Shared/d".into(), strip_extension, ..DeployItem::default() };
    let targets = of_item(&item, &manifest(&[(path, "x")]));
    assert_eq!(targets.iter().map(|target| target.to.as_str()).collect::<Vec<_>>(), [to]);
}

#[test]
fn files_keep_their_extension() {
    let item = DeployItem {
        from: "**".into(),
        to: "/Shared/d".into(),
        kind: ItemKind::File,
        strip_extension: true,
        prune: false,
    };
    let targets = of_item(&item, &manifest(&[("conf/a.json", "{}")]));
    assert_eq!(targets[0].to, "/Shared/d/conf/a.json");
}

#[test]
fn jars_and_requirement_files_go_to_the_library_root_too() {
    let mut deploy = Deploy::default();
    deploy.libraries.to = "/Volumes/c/s/v".into();
    deploy.libraries.include = vec!["libs/*.jar".into(), "requirements*.txt".into()];
    let manifest = manifest(&[("libs/tool.jar", "j"), ("notes.txt", "n"), ("requirements-dev.txt", "r")]);
    let places: Vec<String> = libraries(&deploy, &manifest).into_iter().map(|library| library.location).collect();
    assert_eq!(
        places,
        [
            "/Volumes/c/s/v/tool/189f40034be7/tool.jar",
            "/Volumes/c/s/v/requirements-dev/454349e422f0/requirements-dev.txt"
        ]
    );
}
