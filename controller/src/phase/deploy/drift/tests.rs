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
    let digest = Some(short(&targets[0].entry.digest));
    let left = Left { digest, notebook: kind == ItemKind::Notebook, since: 1, modified: Some(9) };
    let kept = Kept { place: "/Shared/d/a.py", target: &targets[0], left: &left };
    let expected = what.map(|what| Drifted { what: what.to_owned(), in_the_way });
    assert_eq!(change(&kept, listed.as_ref()), expected);
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
