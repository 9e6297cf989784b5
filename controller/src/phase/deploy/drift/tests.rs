use rstest::rstest;

use super::super::samples::below;
use super::super::state::short;
use super::*;

fn listed(kind: ObjectType, language: Option<Language>, size: Option<u64>, modified: Option<i64>) -> Listed {
    Listed { kind, language, size, modified }
}

#[rstest]
#[case(ItemKind::File, None, Some("is gone"), false)]
#[case(ItemKind::File, Some(listed(ObjectType::File, None, Some(4), Some(9))), None, false)]
#[case(ItemKind::File, Some(listed(ObjectType::File, None, None, None)), None, false)]
#[case(ItemKind::File, Some(listed(ObjectType::File, None, Some(5), Some(9))), Some("has 5 bytes now"), false)]
#[case(ItemKind::File, Some(listed(ObjectType::File, None, Some(4), Some(10))), Some("was written again"), false)]
#[case(ItemKind::File, Some(listed(ObjectType::Notebook, None, None, None)), Some("is a notebook now"), true)]
#[case(ItemKind::Notebook, None, Some("is gone"), false)]
#[case(ItemKind::Notebook, Some(listed(ObjectType::Notebook, Some(Language::Python), None, None)), None, false)]
#[case(ItemKind::Notebook, Some(listed(ObjectType::Notebook, None, None, None)), None, false)]
#[case(
    ItemKind::Notebook,
    Some(listed(ObjectType::Notebook, Some(Language::Sql), None, None)),
    Some("is a notebook of another language now: Sql"),
    false
)]
#[case(ItemKind::Notebook, Some(listed(ObjectType::Directory, None, None, None)), Some("is a directory now"), true)]
fn a_list_tells_what_somebody_else_changed(
    #[case] kind: ItemKind,
    #[case] listed: Option<Listed>,
    #[case] what: Option<&str>,
    #[case] in_the_way: bool,
) {
    let targets = below("/Shared/d", kind, &[("a.py", "1234")]);
    let left = left(&targets[0]);
    let spot = Spot { place: "/Shared/d/a.py", target: Some(&targets[0]), left: Some(&left) };
    assert_eq!(tale(&spot, listed.as_ref()), expected(what, in_the_way));
}

/// As `target` was left at 9.
fn left(target: &Target) -> Left {
    let digest = Some(short(&target.entry.digest));
    Left { digest, notebook: !target.is_file(), since: 1, modified: Some(9), cells: None }
}

fn expected(what: Option<&str>, in_the_way: bool) -> Tale {
    what.map_or(Tale::Same, |what| Tale::Drifted(Drifted { what: what.to_owned(), in_the_way }))
}

#[rstest]
#[case(ItemKind::File, None, Some("is gone"), false)]
// Its size is another one anyway.
#[case(ItemKind::File, Some(listed(ObjectType::File, None, Some(5), Some(9))), None, false)]
#[case(ItemKind::File, Some(listed(ObjectType::File, None, Some(4), Some(10))), Some("was written again"), false)]
#[case(ItemKind::Notebook, Some(listed(ObjectType::Notebook, Some(Language::Sql), None, None)), None, false)]
#[case(ItemKind::Notebook, Some(listed(ObjectType::File, None, None, None)), Some("is a file now"), true)]
fn of_what_the_commit_changes_too_a_list_tells_less(
    #[case] kind: ItemKind,
    #[case] listed: Option<Listed>,
    #[case] what: Option<&str>,
    #[case] in_the_way: bool,
) {
    let before = below("/Shared/d", kind, &[("a.py", "12345")]);
    let targets = below("/Shared/d", kind, &[("a.py", "1234")]);
    let left = left(&before[0]);
    let spot = Spot { place: "/Shared/d/a.py", target: Some(&targets[0]), left: Some(&left) };
    assert_eq!(tale(&spot, listed.as_ref()), expected(what, in_the_way));
    // What is to go may be gone.
    let spot = Spot { target: None, ..spot };
    let what = if listed.is_none() { None } else { what };
    assert_eq!(tale(&spot, listed.as_ref()), expected(what, in_the_way));
}

#[rstest]
#[case(ItemKind::File, None, Tale::Same)]
#[case(ItemKind::File, Some(listed(ObjectType::File, None, Some(4), Some(9))), Tale::Found)]
#[case(ItemKind::File, Some(listed(ObjectType::File, None, None, None)), Tale::Found)]
#[case(ItemKind::File, Some(listed(ObjectType::File, None, Some(5), None)), expected(Some(FOREIGN), false))]
#[case(ItemKind::Notebook, Some(listed(ObjectType::Notebook, Some(Language::Python), None, None)), Tale::Found)]
#[case(
    ItemKind::Notebook,
    Some(listed(ObjectType::Notebook, Some(Language::Sql), None, None)),
    expected(Some(FOREIGN), false)
)]
#[case(
    ItemKind::Notebook,
    Some(listed(ObjectType::File, None, None, None)),
    expected(Some("is a file, and was put there by somebody else"), true)
)]
#[case(
    ItemKind::Notebook,
    Some(listed(ObjectType::Directory, None, None, None)),
    expected(Some("is a directory, and was put there by somebody else"), false)
)]
fn where_nothing_was_put_yet_whatever_lies_there_is_somebody_elses(
    #[case] kind: ItemKind,
    #[case] listed: Option<Listed>,
    #[case] told: Tale,
) {
    let targets = below("/Shared/d", kind, &[("a.py", "1234")]);
    let spot = Spot { place: "/Shared/d/a.py", target: Some(&targets[0]), left: None };
    assert_eq!(tale(&spot, listed.as_ref()), told);
}

#[test]
fn each_folder_is_listed_once() {
    let places = ["/Shared/d/a", "/Shared/d/b", "/Shared/d/x/c", "/Volumes/c/s/v/f"];
    let folders: Vec<(&str, bool)> = folders(places).into_iter().collect();
    assert_eq!(folders, [("/Shared/d", false), ("/Shared/d/x", false), ("/Volumes/c/s/v", true)]);
}

#[test]
fn objects_are_found_by_their_one_name() {
    let object = |path: &str| ObjectInfo {
        object_id: None,
        object_type: ObjectType::File,
        path: path.into(),
        language: None,
        size: Some(1),
        modified_at: None,
    };
    assert_eq!(Listed::of_object(&object("/Workspace/Shared/d/a")).0, "/Shared/d/a");
    assert_eq!(Listed::of_object(&object("/Shared/d/a")).0, "/Shared/d/a");
}
