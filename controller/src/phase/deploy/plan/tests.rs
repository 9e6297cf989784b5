use brickline_crds::ItemKind;
use proptest::prelude::*;

use super::super::samples::{author, below, by_place};
use super::super::state::Progress;
use super::*;

const FOLDER: &str = "/Shared/d";

fn targets(files: &[(&str, &str)]) -> Vec<Target> {
    below(FOLDER, ItemKind::File, files)
}

fn wanted<'a>(places: &'a BTreeMap<String, &'a Target>, prune: &'a [String]) -> Wanted<'a> {
    Wanted { places, libraries: &[], prune, back_to: None }
}

/// The state after these files were deployed over another one.
fn deployed(state: &State, files: &[(&str, &str)], artifact: &str, prune: bool) -> State {
    let targets = targets(files);
    let places = by_place(&targets);
    let folders = if prune { vec![FOLDER.to_owned()] } else { Vec::new() };
    let plan = plan(state, &wanted(&places, &folders), &Seen::default());
    done(state, &plan, artifact)
}

fn done(state: &State, plan: &Plan, artifact: &str) -> State {
    let written = plan.write.keys().chain(&plan.put).cloned().collect();
    let progress = Progress { written, removed: plan.remove.iter().cloned().collect(), ..Progress::default() };
    state.begun(plan, &author(artifact)).settled(state, plan, &progress).completed(artifact, &[])
}

fn compare(state: &State, files: &[(&str, &str)], prune: &[&str]) -> Plan {
    let targets = targets(files);
    let prune: Vec<String> = prune.iter().map(ToString::to_string).collect();
    plan(state, &wanted(&by_place(&targets), &prune), &Seen::default())
}

fn counts(plan: &Plan) -> [u32; 5] {
    let Changes { added, changed, removed, drifted, unchanged, .. } = plan.changes();
    [added, changed, removed, drifted, unchanged]
}

#[test]
fn without_a_state_everything_is_written_and_nothing_is_removed() {
    let plan = compare(&State::default(), &[("a", "1"), ("b", "1")], &[FOLDER]);
    assert_eq!(counts(&plan), [2, 0, 0, 0, 0]);
}

#[test]
fn only_what_differs_is_written() {
    let state = deployed(&State::default(), &[("a", "1"), ("b", "1"), ("c", "1")], "one", false);
    assert!(compare(&state, &[("a", "1"), ("b", "1"), ("c", "1")], &[FOLDER]).is_empty());
    let plan = compare(&state, &[("a", "1"), ("b", "2"), ("d", "1")], &[]);
    assert_eq!(counts(&plan), [1, 1, 0, 0, 1]);
    assert_eq!(plan.write.keys().collect::<Vec<_>>(), ["/Shared/d/b", "/Shared/d/d"]);
}

#[test]
fn what_the_repository_removed_goes_only_where_that_is_asked_for() {
    let state = deployed(&State::default(), &[("a", "1"), ("x/b", "1")], "one", false);
    assert!(compare(&state, &[("a", "1")], &[]).remove.is_empty());
    assert!(compare(&state, &[("a", "1")], &["/Shared/other"]).remove.is_empty());
    for folder in [FOLDER, "/Workspace/Shared/d", "/Shared/d/x"] {
        assert_eq!(compare(&state, &[("a", "1")], &[folder]).remove, ["/Shared/d/x/b".to_owned()].into(), "{folder}");
    }
    // Kept in mind: asked for later, it still goes.
    let later = deployed(&state, &[("a", "2")], "two", false);
    assert_eq!(compare(&later, &[("a", "2")], &[FOLDER]).remove, ["/Shared/d/x/b".to_owned()].into());
}

#[test]
fn another_kind_at_the_same_place_replaces_it() {
    let state = deployed(&State::default(), &[("a.py", "1")], "one", false);
    let notebooks = below(FOLDER, ItemKind::Notebook, &[("a.py", "1")]);
    let plan = plan(&state, &wanted(&by_place(&notebooks), &[]), &Seen::default());
    assert!(plan.write["/Shared/d/a.py"].replaces);
}

#[test]
fn what_somebody_else_changed_is_written_again() {
    let state = deployed(&State::default(), &[("a", "1"), ("b", "1")], "one", false);
    let targets = targets(&[("a", "1"), ("b", "2")]);
    let drifted = |what: &str| Drifted { what: what.to_owned(), in_the_way: false };
    let drifted =
        [("/Shared/d/a".to_owned(), drifted("is gone")), ("/Shared/d/b".to_owned(), drifted("is gone"))].into();
    let seen = Seen { drifted, ..Seen::default() };
    let plan = plan(&state, &wanted(&by_place(&targets), &[]), &seen);
    assert_eq!(counts(&plan), [0, 0, 0, 2, 0]);
    for place in ["/Shared/d/a", "/Shared/d/b"] {
        assert_eq!(plan.write[place].why, Why::Drifted("is gone".into()), "{place}");
    }
}

#[test]
fn a_library_is_put_once_and_again_when_it_is_gone() {
    let libraries = ["/l/a.whl".to_owned()];
    let places = BTreeMap::new();
    let wanted = Wanted { places: &places, libraries: &libraries, prune: &[], back_to: None };
    let first = plan(&State::default(), &wanted, &Seen::default());
    assert_eq!(first.put, libraries.clone().into());
    let state = done(&State::default(), &first, "one");
    assert!(plan(&state, &wanted, &Seen::default()).is_empty());
    let seen = Seen { gone: libraries.clone().into(), ..Seen::default() };
    assert_eq!(plan(&state, &wanted, &seen).put, libraries.into());
}

/// The rollback of a release that added one file, changed one, and removed one.
#[test]
fn a_rollback_restores_what_the_failed_release_changed() {
    let good = [("a", "1"), ("b", "1"), ("c", "1")];
    let state = deployed(&State::default(), &good, "good", true);
    let failed = deployed(&state, &[("a", "1"), ("b", "2"), ("new", "1")], "failed", true);
    let targets = targets(&good);
    let places = by_place(&targets);
    let back = Wanted { places: &places, libraries: &[], prune: &[], back_to: Some("good") };
    let plan = plan(&failed, &back, &Seen::default());
    assert_eq!(counts(&plan), [1, 1, 1, 0, 1]);
    assert_eq!(plan.remove, ["/Shared/d/new".to_owned()].into());
}

/// One that never came to its end: what it added goes without prune, and what it was about to change is written again.
#[test]
fn what_broke_off_half_way_is_put_right_by_the_next_release() {
    let good = [("a", "1"), ("b", "1")];
    let state = deployed(&State::default(), &good, "good", false);
    let broken = state.begun(&compare(&state, &[("a", "2"), ("new", "1")], &[FOLDER]), &author("broken"));
    let plan = compare(&broken, &good, &[]);
    assert_eq!(plan.write.keys().collect::<Vec<_>>(), ["/Shared/d/a", "/Shared/d/b"]);
    assert_eq!(plan.remove, ["/Shared/d/new".to_owned()].into());
}

fn any_files() -> impl Strategy<Value = Vec<(String, String)>> {
    proptest::collection::btree_map("[a-d]", "[12]", 0..4).prop_map(|files| files.into_iter().collect())
}

/// A release of these files, whether it prunes, and where its process dies: after so many calls, or never.
fn any_release() -> impl Strategy<Value = (Vec<(String, String)>, bool, Option<usize>)> {
    (any_files(), any::<bool>(), proptest::option::of(0..6_usize))
}

proptest! {
    /// Whatever releases came before, and wherever they died: nothing is removed that Brickline did not put there, what
    /// others put there stays, and the next release that comes to its end leaves exactly what it wants.
    #[test]
    fn nothing_is_ever_removed_but_what_was_put_there(releases in proptest::collection::vec(any_release(), 1..8)) {
        let mut state = State::default();
        let mut there: BTreeMap<String, String> = [("/Shared/d/theirs".to_owned(), "theirs".to_owned())].into();
        let mut ours = BTreeSet::new();
        for (number, (files, prune, dies)) in releases.iter().enumerate() {
            let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
            let targets = targets(&files);
            let places = by_place(&targets);
            let folders = if *prune { vec![FOLDER.to_owned()] } else { Vec::new() };
            let plan = plan(&state, &wanted(&places, &folders), &Seen::default());
            let artifact = format!("{number}");
            for place in &plan.remove {
                prop_assert!(ours.contains(place) && state.files.contains_key(place), "{} is removed", place);
                prop_assert!(!places.contains_key(place));
            }
            let mut left = dies.unwrap_or(usize::MAX);
            for (place, write) in &plan.write {
                if left > 0 {
                    there.insert(place.clone(), write.digest.clone());
                    left -= 1;
                }
                ours.insert(place.clone());
            }
            for place in plan.remove.iter().take(left) {
                there.remove(place);
            }
            if dies.is_some() {
                state = state.begun(&plan, &author(&artifact));
                continue;
            }
            state = done(&state, &plan, &artifact);
            for (place, target) in &places {
                prop_assert_eq!(there.get(place), Some(&short(&target.entry.digest)));
            }
            if *prune {
                let own = there.keys().filter(|place| *place != "/Shared/d/theirs");
                prop_assert!(own.eq(places.keys()));
            }
            prop_assert_eq!(there.get("/Shared/d/theirs").map(String::as_str), Some("theirs"));
        }
    }
}
