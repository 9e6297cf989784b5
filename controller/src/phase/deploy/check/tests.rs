use brickline_artifact::{Manifest, manifest};
use brickline_crds::{Deploy, DeployItem, ItemKind};
use rstest::rstest;

use super::super::samples::manifest;
use super::super::target::{libraries, targets};
use super::*;

fn item(from: &str, to: &str, kind: ItemKind) -> DeployItem {
    DeployItem { from: from.into(), to: to.into(), kind, ..DeployItem::default() }
}

fn checked(items: Vec<DeployItem>, manifest: &Manifest) -> Result<Vec<String>, Trouble> {
    let deploy = Deploy { items: Some(items), ..Deploy::default() };
    let targets = targets(&deploy, manifest);
    check(&targets, &libraries(&deploy, manifest)).map(|places| places.into_keys().collect())
}

fn sized(path: &str, size: u64) -> Manifest {
    let mut manifest = manifest(&[(path, "x")]);
    manifest.files.iter_mut().for_each(|file: &mut manifest::File| file.size = size);
    manifest
}

#[rstest]
#[case("/Shared/d", ItemKind::Notebook, 10 << 20, true)]
#[case("/Shared/d", ItemKind::Notebook, (10 << 20) + 1, false)]
#[case("/Shared/d", ItemKind::File, 500 << 20, true)]
#[case("/Shared/d", ItemKind::File, (500 << 20) + 1, false)]
#[case("/Volumes/c/s/v", ItemKind::File, 5 << 30, true)]
#[case("/Volumes/c/s/v", ItemKind::File, (5 << 30) + 1, false)]
fn what_is_too_large_is_refused_before_anything_is_written(
    #[case] to: &str,
    #[case] kind: ItemKind,
    #[case] size: u64,
    #[case] taken: bool,
) {
    match checked(vec![item("**", to, kind)], &sized("one.py", size)) {
        Ok(_) => assert!(taken),
        Err(trouble) => {
            assert!(!taken && !trouble.transient && trouble.reason == Reason::DeployFailed);
            assert!(trouble.message.contains(&format!("{to}/one.py has {size} bytes")), "{}", trouble.message);
        }
    }
}

#[test]
fn a_library_has_a_limit_too() {
    let mut deploy = Deploy { items: Some(Vec::new()), ..Deploy::default() };
    deploy.libraries.include = vec!["*.jar".into()];
    let trouble = check(&[], &libraries(&deploy, &sized("a.jar", (500 << 20) + 1))).unwrap_err();
    assert!(trouble.message.contains("a.jar has 524288001 bytes"), "{}", trouble.message);
}

#[test]
fn two_files_at_one_place_are_refused_and_one_file_twice_is_not() {
    let manifest = manifest(&[("a.py", "x"), ("a.sql", "x")]);
    let stripped = DeployItem { strip_extension: true, ..item("*", "/Shared/d", ItemKind::Notebook) };
    let trouble = checked(vec![stripped], &manifest).unwrap_err();
    assert_eq!(trouble.reason, Reason::InvalidSpec);
    assert!(trouble.message.contains("a.py and a.sql both go to /Shared/d/a"), "{}", trouble.message);
    let twice =
        vec![item("*", "/Shared/d", ItemKind::Notebook), item("*.py", "/Workspace/Shared/d", ItemKind::Notebook)];
    assert_eq!(checked(twice, &manifest).unwrap(), ["/Shared/d/a.py", "/Shared/d/a.sql"]);
}

#[test]
fn a_place_is_a_file_or_a_folder() {
    let manifest = manifest(&[("a", "x"), ("x/b", "x")]);
    let items = vec![item("a", "/Shared/d", ItemKind::File), item("x/**", "/Shared/d/a", ItemKind::File)];
    let trouble = checked(items, &manifest).unwrap_err();
    assert!(trouble.message.contains("/Shared/d/a would be a file and a folder"), "{}", trouble.message);
}

#[test]
fn a_notebook_needs_the_workspace() {
    let trouble = checked(vec![item("*", "/Volumes/c/s/v", ItemKind::Notebook)], &manifest(&[("a.py", "x")]));
    assert!(trouble.unwrap_err().message.contains("kind File"));
}
