//! Which locks a release needs: the same for what must not meet, and no more.

use std::collections::BTreeSet;

use brickline_crds::Reason;
use proptest::prelude::*;
use rstest::rstest;
use url::Url;

use super::super::root::root_of_file;
use super::super::{Lock, lock_of_jobs, locks_of};
use super::{HOST, clusters, only};

fn of_files(host: &str, files: &[String]) -> BTreeSet<Lock> {
    locks_of(&Url::parse(host).unwrap(), [], files.iter().map(String::as_str)).unwrap()
}

#[rstest]
#[case("/Shared/dbxdemo/one.py", "/shared/dbxdemo")]
#[case("/Shared/dbxdemo/conf/one.py", "/shared/dbxdemo")]
#[case("/Workspace/Shared/dbxdemo/one.py", "/shared/dbxdemo")]
#[case("/Shared/one.py", "/shared")]
#[case("/Users/ana@example.com/x/one.py", "/users/ana@example.com/x")]
#[case("/Users/ana@example.com/one.py", "/users/ana@example.com")]
#[case("/Workspace/Users/ana@example.com/x/y/one.py", "/users/ana@example.com/x")]
#[case("/Repos/ana@example.com/x/one.py", "/repos/ana@example.com/x")]
#[case("/Volumes/main/release/files/x/one.json", "/volumes/main/release/files/x")]
#[case("/Volumes/main/release/files/one.json", "/volumes/main/release/files")]
#[case("dbfs:/Volumes/main/release/files/x/one.json", "/volumes/main/release/files/x")]
#[case("/Workspace/teams/x/one.py", "/teams")]
#[case("/Workspace/one.py", "/")]
#[case("//Shared//./dbxdemo/one.py", "/shared/dbxdemo")]
#[case("", "/")]
fn every_file_has_a_root(#[case] file: &str, #[case] root: &str) {
    assert_eq!(root_of_file(file), root);
}

#[test]
fn names_never_change() {
    // Two versions of the controller must agree on what is locked.
    assert_eq!(only(&clusters(&["0123-456789-abc"])).name(), "lock-43acca4723b8c7ad5030");
    let files = of_files(HOST, &["/Shared/dbxdemo/one.py".to_owned()]);
    assert_eq!(only(&files).name(), "lock-de341d2bc5a8a719ec99");
    assert_eq!(only(&files).to_string(), "target /shared/dbxdemo of https://adb-1.2.azuredatabricks.net");
}

#[test]
fn kind_host_and_thing_all_count() {
    let file = ["/Shared/dbxdemo/one.py".to_owned()];
    let (mut all, other) = (of_files(HOST, &file), Url::parse("https://adb-1.3.azuredatabricks.net").unwrap());
    all.extend(of_files(other.as_str(), &file));
    all.extend(clusters(&["/shared/dbxdemo", "abc"]));
    all.extend(locks_of(&other, ["abc"], []).unwrap());
    let names: BTreeSet<&str> = all.iter().map(Lock::name).collect();
    assert_eq!((all.len(), names.len()), (5, 5));
}

#[test]
fn the_jobs_of_a_stage_are_one_thing() {
    let host = Url::parse(HOST).unwrap();
    let lock = lock_of_jobs(&host, "pipeline data/dbxdemo");
    assert_eq!(lock.to_string(), "jobs of pipeline data/dbxdemo of https://adb-1.2.azuredatabricks.net");
    assert_eq!(lock, lock_of_jobs(&host, "pipeline data/dbxdemo"));
    assert_ne!(lock.name(), lock_of_jobs(&host, "pipeline data/other").name());
}

#[rstest]
#[case("https://ADB-1.2.azuredatabricks.net")]
#[case("https://adb-1.2.azuredatabricks.net/")]
#[case("https://adb-1.2.azuredatabricks.net:443")]
fn a_host_is_the_same_however_it_is_written(#[case] host: &str) {
    assert_eq!(locks_of(&Url::parse(host).unwrap(), ["a"], []).unwrap(), clusters(&["a"]));
}

#[test]
fn more_roots_than_a_release_may_hold_are_refused_with_advice() {
    let file = |number| format!("/Shared/folder{number}/one.py");
    let files = |count: usize| -> Vec<String> { (0..count).map(file).collect() };
    assert_eq!(of_files(HOST, &files(32)).len(), 32);
    let (host, many) = (Url::parse(HOST).unwrap(), files(33));
    let trouble = locks_of(&host, [], many.iter().map(String::as_str)).unwrap_err();
    assert_eq!((trouble.reason, trouble.transient), (Reason::InvalidSpec, false));
    assert!(trouble.message.contains("33 separate folders (/shared/folder0, "), "{}", trouble.message);
}

#[test]
fn many_files_of_one_project_are_one_lock() {
    let files: Vec<String> = (0..5_000).map(|number| format!("/Shared/dbxdemo/{}/{number}.py", number % 50)).collect();
    assert_eq!(of_files(HOST, &files).len(), 1);
}

/// Items of a release: targets as the schema takes them, each with files below it. Few names, so that paths meet.
fn files() -> impl Strategy<Value = Vec<String>> {
    let tops =
        ["/Shared", "/Workspace/Shared", "/Users/a", "/Workspace/Users/a", "/Repos/a", "/Workspace", "/Workspace/t"];
    let volumes = ["/Volumes/c/s/v", "/Volumes/C/s/v", "/Volumes/c/s", "/Users"];
    let top = prop::sample::select([&tops[..], &volumes[..]].concat());
    let file =
        (top, prop::collection::vec("[a-b]", 1..5)).prop_map(|(top, below)| format!("{top}/{}", below.join("/")));
    prop::collection::vec(file, 1..6)
}

/// The one place that all ways to write a path mean.
fn place(path: &str) -> String {
    path.strip_prefix("/Workspace").unwrap_or(path).replace("/Volumes/C/", "/Volumes/c/")
}

proptest! {
    #[test]
    fn two_releases_that_write_the_same_file_have_a_lock_in_common(one in files(), two in files()) {
        let places = |files: &[String]| -> BTreeSet<String> { files.iter().map(|file| place(file)).collect() };
        let meet = !places(&one).is_disjoint(&places(&two));
        let common = !of_files(HOST, &one).is_disjoint(&of_files(HOST, &two));
        prop_assert!(!meet || common, "{one:?} {two:?}");
    }

    #[test]
    fn what_an_item_to_a_folder_of_its_own_writes_is_one_root(
        top in prop::sample::select(vec!["/Shared/x", "/Workspace/Shared/x", "/Users/a/x", "/Volumes/c/s/v/x"]),
        below in prop::collection::vec(prop::collection::vec("[a-c]{1,3}", 1..5), 1..10),
    ) {
        let files: Vec<String> = below.iter().map(|below| format!("{top}/{}", below.join("/"))).collect();
        prop_assert_eq!(of_files(HOST, &files).len(), 1);
    }

    #[test]
    fn projects_side_by_side_never_wait_for_each_other(one in "[a-m]{1,8}", two in "[n-z]{1,8}", below in "[a-z/]{1,20}") {
        for top in ["/Shared", "/Users/ana@example.com", "/Volumes/main/release/files"] {
            let of = |project: &str| of_files(HOST, &[format!("{top}/{project}/{below}/one.py")]);
            prop_assert!(of(&one).is_disjoint(&of(&two)));
        }
    }

    #[test]
    fn any_text_has_a_root_and_its_lock_a_name_that_kubernetes_takes(path in ".{0,200}") {
        let locks = of_files(HOST, &[path]);
        let name = only(&locks).name();
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        prop_assert!(name.len() == 25 && name.chars().all(plain), "{}", name);
    }
}
