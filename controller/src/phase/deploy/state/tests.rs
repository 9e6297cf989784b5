use proptest::prelude::*;

use super::super::plan::{Why, Write};
use super::super::samples::author;
use super::*;

fn left(digest: &str, since: u64) -> Left {
    Left { digest: Some(digest.into()), notebook: false, since, modified: None, cells: None }
}

/// A state that a deployment has left, with these files.
fn state(files: &[(&str, &str)]) -> State {
    let mut state = State { sequence: 3, version: VERSION, uid: "one".into(), ..State::default() };
    state.files = files.iter().map(|(place, digest)| ((*place).to_owned(), left(digest, 1))).collect();
    state.completed("sha256:old", &[])
}

fn write(digest: &str) -> Write {
    Write { digest: digest.into(), notebook: true, why: Why::Changed, replaces: false }
}

fn sample_plan() -> Plan {
    Plan {
        write: [("/s/new".to_owned(), write("n")), ("/s/changed".to_owned(), write("c2"))].into(),
        remove: ["/s/gone".to_owned()].into(),
        put: ["/l/a.whl".to_owned()].into(),
        unchanged: 1,
        ..Plan::default()
    }
}

fn before() -> State {
    state(&[("/s/changed", "c1"), ("/s/gone", "g"), ("/s/same", "s")])
}

#[test]
fn what_is_about_to_be_changed_is_unknown_until_it_was() {
    let (before, plan) = (before(), sample_plan());
    let begun = before.begun(&plan, &author("two"));
    let digests: Vec<_> = begun.files.iter().map(|(place, left)| (place.as_str(), left.digest.as_deref())).collect();
    assert_eq!(digests, [("/s/changed", None), ("/s/gone", None), ("/s/new", None), ("/s/same", Some("s"))]);
    assert!(begun.libraries["/l/a.whl"].unknown && !begun.is_complete());
    assert_eq!((begun.sequence, begun.uid.as_str(), begun.files["/s/new"].since), (4, "two", 4));

    let written = vec!["/s/new".into(), "/s/changed".into(), "/l/a.whl".into()];
    let progress = Progress { written, removed: vec!["/s/gone".into()], ..Progress::default() };
    let done = begun.settled(&before, &plan, &progress).completed("sha256:new", &["/l/a.whl".into()]);
    let digests: Vec<_> = done.files.iter().map(|(place, left)| (place.as_str(), left.digest.as_deref())).collect();
    assert_eq!(digests, [("/s/changed", Some("c2")), ("/s/new", Some("n")), ("/s/same", Some("s"))]);
    assert!(done.has("sha256:new") && !done.libraries["/l/a.whl"].unknown);
}

#[test]
fn another_attempt_of_the_same_release_is_the_same_deployment() {
    let (before, plan) = (before(), sample_plan());
    let first = before.begun(&plan, &author("two"));
    assert_eq!(first.begun(&plan, &author("two")).sequence, 4);
    assert_eq!(first.begun(&plan, &author("three")).sequence, 5);
    let again = first.completed("a", &[]).begun(&plan, &author("two"));
    assert_eq!((again.sequence, again.is_complete()), (4, false), "also of one that had come to its end");
}

#[test]
fn twenty_thousand_files_stay_small() {
    let mut state = state(&[]);
    for number in 0..20_000 {
        let digest = short(&Digest::of(format!("{number}").as_bytes()));
        state.files.insert(format!("/Shared/dbxdemo/folder-{}/notebook-{number}.py", number % 40), left(&digest, 7));
    }
    let file = state.write().unwrap();
    assert!(file.len() < 700 << 10, "{} bytes", file.len());
    assert_eq!(State::read(&file).unwrap(), state);
}

/// As controllers before this one wrote it.
#[test]
fn an_older_file_is_read() {
    let text = br#"{"version":1,"owner":"o","installation":"i","sequence":2,"release":"data/one","uid":"one",
        "history":[{"sequence":2,"artifact":"sha256:a"}],
        "files":{"/Shared/a.py":{"d":"0123","n":true,"s":1},"/Shared/b":{"d":"4567","s":2,"m":9},"/Shared/c":{"s":2}},
        "libraries":{"/l/a.whl":{"u":2}}}"#;
    let mut file = GzEncoder::new(Vec::new(), Compression::default());
    std::io::Write::write_all(&mut file, text).unwrap();
    let state = State::read(&file.finish().unwrap()).unwrap();
    let files: Vec<_> = state.files.values().map(|left| (left.digest.as_deref(), left.modified)).collect();
    assert_eq!(files, [(Some("0123"), None), (Some("4567"), Some(9)), (None, None)]);
    assert!(state.files.values().all(|left| left.cells.is_none()) && state.has("sha256:a"));
}

#[test]
fn libraries_of_the_last_five_deployments_are_kept() {
    let mut state = State::default();
    for number in 1..=7 {
        state.sequence = number;
        state = state.completed(&format!("sha256:{number}"), &[format!("/l/{number}.whl"), "/l/all.whl".into()]);
    }
    assert_eq!(state.unused(), ["/l/1.whl", "/l/2.whl"]);
    state.forget(&["/l/1.whl".into()]);
    assert_eq!(state.unused(), ["/l/2.whl"]);
    assert_eq!((state.deployed("sha256:4"), state.deployed("sha256:2")), (Some(4), None));
}

#[test]
fn another_version_is_refused() {
    let other = State { version: 2, ..State::default() };
    let error = State::read(&other.write().unwrap()).unwrap_err();
    assert!(error.to_string().contains("version is 2"), "{error}");
}

#[test]
fn owners_have_files_of_their_own() {
    let places = [&["a", "bc"][..], &["ab", "c"], &["abc"], &["a", "b", "c"]].map(place);
    for (at, one) in places.iter().enumerate() {
        assert!(places[at + 1..].iter().all(|other| other != one), "{one}");
        assert!(one.starts_with("/Workspace/Shared/.brickline/state/") && one.ends_with(".json.gz"));
    }
}

proptest! {
    #[test]
    fn junk_is_refused_without_panic(junk in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(State::read(&junk).is_err());
    }

    /// However far it came: what was written is known to be new, what was removed is gone, what was begun is unknown,
    /// and all else is as it was.
    #[test]
    fn a_failed_deployment_knows_what_was_and_was_not_changed(fates in proptest::collection::vec(0..4_u8, 4)) {
        let (before, plan) = (before(), sample_plan());
        let all = ["/s/new", "/s/changed", "/l/a.whl", "/s/gone"];
        let of = |fate: u8| -> Vec<String> {
            all.iter().zip(&fates).filter(|(_, one)| **one == fate).map(|(place, _)| (*place).to_owned()).collect()
        };
        let done = of(1);
        let (removed, written) = done.into_iter().partition(|place| plan.remove.contains(place));
        let progress = Progress { written, removed, unknown: of(2), ..Progress::default() };
        let settled = before.begun(&plan, &author("two")).settled(&before, &plan, &progress);
        prop_assert!(!settled.is_complete());
        for (place, fate) in all.iter().zip(&fates) {
            let (old, now) = (before.files.get(*place), settled.files.get(*place));
            match (fate, *place) {
                (1, "/l/a.whl") => prop_assert!(!settled.libraries["/l/a.whl"].unknown),
                (2, "/l/a.whl") => prop_assert!(settled.libraries["/l/a.whl"].unknown),
                (_, "/l/a.whl") => prop_assert!(settled.libraries.is_empty()),
                (1, "/s/gone") => prop_assert!(now.is_none()),
                (1, _) => prop_assert_eq!(now.and_then(|left| left.digest.clone()), Some(plan.write[*place].digest.clone())),
                (2, _) => prop_assert_eq!(now.map(|left| left.digest.clone()), Some(None)),
                _ => prop_assert_eq!(now, old),
            }
        }
    }
}
