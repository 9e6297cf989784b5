use proptest::prelude::*;

use super::*;
use crate::manifest::{Change, Origin, Source, VERSION};

fn file(path: &str, content: &str) -> File {
    File {
        path: ArtifactPath::new(path).expect("safe"),
        digest: Digest::of(content.as_bytes()),
        size: content.len() as u64,
        executable: false,
        change: Change::Added,
        previous_path: None,
        notebook: None,
    }
}

fn wheel(name: &str, content: &str) -> Wheel {
    let named = crate::wheel::parse(name).expect("a wheel's name");
    Wheel {
        path: ArtifactPath::new(format!("wheels/{name}")).expect("safe"),
        distribution: named.distribution,
        version: named.version,
        digest: Digest::of(content.as_bytes()),
        size: content.len() as u64,
    }
}

/// An artifact with its digest, which is made of its name.
fn part(name: &str, files: Vec<File>, wheels: Vec<Wheel>) -> (Digest, Manifest) {
    let source = Source {
        url: format!("https://git.example.com/{name}.git"),
        reference: "refs/heads/release".into(),
        commit: "a".repeat(40),
        base: None,
        committed_at: 0,
    };
    let release = Origin { namespace: "data".into(), name: name.into(), uid: name.into() };
    let (made_of, removed, skipped) = Default::default();
    let manifest = Manifest { version: VERSION, release, source, made_of, files, removed, skipped, wheels };
    (Digest::of(name.as_bytes()), manifest)
}

fn united(parts: &[(Digest, Manifest)], precedence: bool) -> Result<Composition, ComposeError> {
    compose(parts, precedence, &Limits::default())
}

#[test]
fn the_union_is_sorted_and_says_what_it_is_made_of() {
    let mut one = part("one", vec![file("b.py", "b")], vec![wheel("b-1-py3-none-any.whl", "b")]);
    let two = part("two", vec![file("a.py", "a")], vec![wheel("a-1-py3-none-any.whl", "a")]);
    one.1.removed = ["a.py", "c.py"].map(|path| ArtifactPath::new(path).expect("safe")).into();
    let parts = [one, two];
    let composed = united(&parts, false).expect("nothing is there twice");
    let entries: Vec<_> = composed.manifest.entries().map(|(path, ..)| path).collect();
    let paths = ["files/a.py", "files/b.py", "wheels/a-1-py3-none-any.whl", "wheels/b-1-py3-none-any.whl"];
    assert_eq!((entries.as_slice(), composed.origins.as_slice()), (&paths.map(String::from)[..], &[1, 0, 1, 0][..]));
    assert_eq!(composed.manifest.made_of, [parts[0].0, parts[1].0]);
    assert_eq!(composed.manifest.removed.len(), 1, "what another artifact brings is not removed");
    assert_eq!(Manifest::from_json(&composed.text).expect("sound"), composed.manifest);
}

#[test]
fn two_contents_of_one_path_are_refused_by_name_unless_one_has_precedence() {
    let parts = [part("one", vec![file("a.py", "old")], vec![]), part("two", vec![file("a.py", "new")], vec![])];
    let said = united(&parts, false).expect_err("they differ").to_string();
    for word in ["a.py".to_owned(), Digest::of(b"old").to_string(), Digest::of(b"new").to_string()] {
        assert!(said.contains(&word), "{said}");
    }
    let composed = united(&parts, true).expect("the first one wins");
    assert_eq!((composed.manifest.files[0].digest, composed.origins), (Digest::of(b"old"), vec![0]));
}

#[test]
fn two_wheels_of_one_distribution_are_refused_however_it_is_spelled() {
    let one = part("one", vec![], vec![wheel("My_Lib-1.0-py3-none-any.whl", "one")]);
    let parts = [one, part("two", vec![], vec![wheel("my.lib-2.0-py3-none-any.whl", "two")])];
    let said = united(&parts, false).expect_err("they differ").to_string();
    for word in ["my-lib", "My_Lib-1.0", "my.lib-2.0", &Digest::of(b"one").to_string(), &Digest::of(b"two").to_string()]
    {
        assert!(said.contains(word), "{said}");
    }
    let composed = united(&parts, true).expect("the first one wins");
    assert_eq!(composed.manifest.wheels, [wheel("My_Lib-1.0-py3-none-any.whl", "one")]);
}

#[test]
fn what_both_hold_alike_is_taken_once() {
    let both = || (vec![file("a.py", "same")], vec![wheel("a-1-py3-none-any.whl", "same")]);
    let ((files, wheels), (more, others)) = (both(), both());
    let composed = united(&[part("one", files, wheels), part("two", more, others)], false).expect("they agree");
    assert_eq!(composed.origins, [0, 0]);
}

#[test]
fn a_file_in_the_place_of_a_folder_is_refused_even_with_precedence() {
    let parts = [part("one", vec![file("a", "")], vec![]), part("two", vec![file("a/b", "")], vec![])];
    for precedence in [false, true] {
        assert!(matches!(united(&parts, precedence), Err(ComposeError::Manifest(ManifestError::Collision(_)))));
    }
}

#[test]
fn the_limits_of_a_build_hold_for_the_union() {
    let parts = [part("one", vec![file("a", "12")], vec![]), part("two", vec![file("b", "34")], vec![])];
    let few = Limits { artifact_files: 1, ..Limits::default() };
    let small = Limits { artifact_bytes: 3, ..Limits::default() };
    assert!(matches!(compose(&parts, false, &few), Err(ComposeError::TooMany(1))));
    assert!(matches!(compose(&parts, false, &small), Err(ComposeError::TooLarge(3))));
    assert!(matches!(united(&[], false), Err(ComposeError::Nothing)));
}

/// Artifacts with few paths and few contents, so that they often meet.
fn artifacts() -> impl Strategy<Value = Vec<(Digest, Manifest)>> {
    let files = proptest::collection::btree_map("[a-d]", "[xy]", 0..4);
    proptest::collection::vec(files, 1..4).prop_map(|artifacts| {
        let named = artifacts.into_iter().enumerate();
        let held = named.map(|(at, files)| (at, files.iter().map(|(path, content)| file(path, content)).collect()));
        held.map(|(at, files)| part(&at.to_string(), files, vec![])).collect()
    })
}

proptest! {
    #[test]
    fn every_path_is_there_and_comes_from_the_first_that_has_it(parts in artifacts()) {
        let composed = united(&parts, true).expect("precedence settles it");
        let files = composed.manifest.files.iter().zip(&composed.origins);
        for (file, origin) in files.clone() {
            let holds = |part: &(Digest, Manifest)| part.1.files.iter().find(|other| other.path == file.path).cloned();
            let first = parts.iter().position(|part| holds(part).is_some()).expect("somebody has it");
            prop_assert_eq!((first, holds(&parts[first]).expect("it has it")), (*origin, file.clone()));
        }
        let all: BTreeSet<_> = parts.iter().flat_map(|(_, manifest)| &manifest.files).map(|file| &file.path).collect();
        prop_assert_eq!(files.len(), all.len());
    }

    #[test]
    fn without_precedence_it_is_the_same_or_a_refusal(parts in artifacts()) {
        let settled = united(&parts, true).expect("precedence settles it");
        let contents: BTreeSet<_> =
            parts.iter().flat_map(|(_, manifest)| &manifest.files).map(|file| (&file.path, file.digest)).collect();
        match united(&parts, false) {
            Ok(composed) => prop_assert_eq!(composed.text, settled.text),
            Err(_) => prop_assert!(contents.len() > settled.manifest.files.len()),
        }
    }
}
