//! Which libraries are the same one, and what a spec asks for.

use brickline_artifact::Digest;
use brickline_artifact::manifest::{Change, File, Wheel};
use brickline_crds::DatabricksReleaseSpec;
use rstest::rstest;
use serde_json::{Value, json};

use super::super::compare::compare;
use super::super::identity::{identity, same};
use super::super::travelling;
use super::*;

const ROOT: &str = "/Volumes/main/libs";

fn library(value: &Value) -> Library {
    serde_json::from_value(value.clone()).unwrap()
}

#[rstest]
#[case::version(json!({"whl": "/a/dbx_demo-1-py3-none-any.whl"}), json!({"whl": "dbfs:/b/dbx.demo-2-py3-none-any.whl"}), true)]
#[case::wheel_and_index(json!({"whl": "/a/dbx_demo-1-py3-none-any.whl"}), json!({"pypi": {"package": "DBX-demo[x]==1"}}), true)]
#[case::other_wheel(json!({"whl": "/a/dbxdemo-1-py3-none-any.whl"}), json!({"whl": "/a/dbxdemo2-1-py3-none-any.whl"}), false)]
#[case::index(json!({"pypi": {"package": "foo>=1"}}), json!({"pypi": {"package": "Foo == 2", "repo": "https://i"}}), true)]
#[case::maven(json!({"maven": {"coordinates": "g:a:1"}}), json!({"maven": {"coordinates": "g:a:2"}}), true)]
#[case::other_group(json!({"maven": {"coordinates": "g:a:1"}}), json!({"maven": {"coordinates": "h:a:1"}}), false)]
#[case::cran(json!({"cran": {"package": "ada"}}), json!({"cran": {"package": "ada", "repo": "https://c"}}), true)]
#[case::cran_is_not_python(json!({"cran": {"package": "ada"}}), json!({"pypi": {"package": "ada"}}), false)]
#[case::our_jar(json!({"jar": "/Volumes/main/libs/etl_2.12-1.0.jar"}), json!({"jar": "dbfs:/Volumes/main/libs/x/etl_2.12-1.1.jar"}), true)]
#[case::their_jar(json!({"jar": "/Volumes/main/libs/etl-1.0.jar"}), json!({"jar": "/Volumes/others/etl-1.1.jar"}), false)]
#[case::jar_beside_the_root(json!({"jar": "/Volumes/main/libs/etl-1.0.jar"}), json!({"jar": "/Volumes/main/libs2/etl-1.1.jar"}), false)]
#[case::requirements(json!({"requirements": "/a/r.txt"}), json!({"requirements": "/b/r.txt"}), false)]
#[case::our_requirements(json!({"requirements": "/Volumes/main/libs/r/1/r.txt"}), json!({"requirements": "/Volumes/main/libs/r/2/r.txt"}), true)]
#[case::not_a_wheel(json!({"whl": "/a/x.whl"}), json!({"whl": "/b/x.whl"}), false)]
fn versions_of_one_library(#[case] one: Value, #[case] two: Value, #[case] expected: bool) {
    let (one, two) = (library(&one), library(&two));
    assert_eq!(identity(&one, ROOT) == identity(&two, ROOT), expected);
    assert!(!same(&one, &two));
}

#[rstest]
#[case(json!({"whl": "/Volumes/a/b.whl"}), json!({"whl": "dbfs:/Volumes/a/b.whl"}), true)]
#[case(json!({"whl": "/Workspace/a/b.whl"}), json!({"whl": "dbfs:/Workspace/a/b.whl"}), false)]
#[case(json!({"pypi": {"package": "Foo_bar == 1.0"}}), json!({"pypi": {"package": "foo-bar==1.0"}}), true)]
#[case(json!({"pypi": {"package": "foo"}}), json!({"pypi": {"package": "foo==1.0"}}), false)]
#[case(json!({"pypi": {"package": "foo", "repo": "https://i"}}), json!({"pypi": {"package": "foo"}}), false)]
#[case(json!({"maven": {"coordinates": "g:a:1", "exclusions": ["x:y", "a:b"]}}), json!({"maven": {"coordinates": "g:a:1", "exclusions": ["a:b", "x:y"]}}), true)]
#[case(json!({"maven": {"coordinates": "g:a:1", "exclusions": ["x:y"]}}), json!({"maven": {"coordinates": "g:a:1"}}), false)]
#[case(json!({"jar": "/a.jar"}), json!({"whl": "/a.jar"}), false)]
fn the_same_content(#[case] one: Value, #[case] two: Value, #[case] expected: bool) {
    assert_eq!(same(&library(&one), &library(&two)), expected);
}

#[test]
fn an_unknown_kind_belongs_to_others() {
    assert_eq!(identity(&library(&json!({"egg": "dbfs:/x.egg"})), ROOT), None);
}

fn wheels() -> Vec<Wheel> {
    let wheel = |name: &str| Wheel {
        path: format!("wheels/{name}-0.2.0-py3-none-any.whl").parse().unwrap(),
        distribution: name.to_owned(),
        version: "0.2.0".to_owned(),
        digest: Digest::of(name.as_bytes()),
        size: 1,
    };
    vec![wheel("dbxdemo"), wheel("tools")]
}

/// What `libraries.include` may bring.
fn files() -> Vec<File> {
    let file = |path: &str| File {
        path: path.parse().unwrap(),
        digest: Digest::of(path.as_bytes()),
        size: 1,
        executable: false,
        change: Change::Unchanged,
        previous_path: None,
        notebook: None,
    };
    ["libraries/etl_2.12-1.0.jar", "libraries/tools-1-py3-none-any.whl", "other/x.jar", "requirements.txt"]
        .map(file)
        .into()
}

fn spec(libraries: &Value) -> DatabricksReleaseSpec {
    let include = ["libraries/*", "*.txt"];
    let deploy = json!({"libraries": {"to": ROOT, "include": include}});
    let spec = json!({"source": {}, "deploy": deploy, "install": {"libraries": libraries}});
    serde_json::from_value(spec).unwrap()
}

fn asked(libraries: &Value) -> Result<Vec<Library>, String> {
    travelling(&spec(libraries), &wheels(), &files()).map_err(|trouble| trouble.message)
}

/// As the API takes them, in the spec's order.
#[test]
fn every_kind_reaches_the_api_as_it_was_asked_for() {
    let kinds = json!([
        {"whl": "/Volumes/a/other-1-py3-none-any.whl"},
        {"jar": "/Volumes/a/b.jar"},
        {"pypi": {"package": "great-expectations==1.2", "repo": "https://index.example.com"}},
        {"maven": {"coordinates": "g:a:1", "repo": "https://repo.example.com", "exclusions": ["x:y"]}},
        {"cran": {"package": "ada", "repo": "https://cran.example.com"}},
        {"requirements": "/Workspace/r.txt"},
    ]);
    assert_eq!(serde_json::to_value(asked(&kinds).unwrap()).unwrap(), kinds);
}

#[test]
fn the_artifacts_wheels_are_taken_from_where_deploy_has_put_them() {
    let all = asked(&json!([{"wheelsFromArtifact": true}])).unwrap();
    let digest = Digest::of(b"tools");
    let place = format!("{ROOT}/tools/{}/tools-0.2.0-py3-none-any.whl", &digest.hex()[..12]);
    assert_eq!((all.len(), &all[1]), (2, &wheel(&place)));
}

/// The place of a file of the repository: where Deploy puts it by its content.
fn place(stem: &str, path: &str) -> String {
    let name = path.rsplit('/').next().unwrap();
    format!("{ROOT}/{stem}/{}/{name}", &Digest::of(path.as_bytes()).hex()[..12])
}

#[rstest]
#[case::jar("libraries/*.jar", Library::Jar(place("etl_2.12-1.0", "libraries/etl_2.12-1.0.jar")))]
#[case::wheel("**/*.whl", Library::Whl(place("tools-1-py3-none-any", "libraries/tools-1-py3-none-any.whl")))]
#[case::requirements("requirements.txt", Library::Requirements(place("requirements", "requirements.txt")))]
fn what_deploy_brings_of_the_repository_is_taken_from_where_it_lies(#[case] glob: &str, #[case] expected: Library) {
    assert_eq!(asked(&json!([{"fromArtifact": glob}])).unwrap(), [expected]);
}

#[rstest]
#[case::not_included("other/*.jar")]
#[case::nothing_there("libraries/*.txt")]
fn a_glob_that_selects_nothing_of_what_deploy_brings_is_refused(#[case] glob: &str) {
    let refusal = asked(&json!([{"fromArtifact": glob}])).unwrap_err();
    let expected = format!("install.libraries wants {glob}, and nothing that deploy.libraries.include brings is that");
    assert_eq!(refusal, expected);
}

/// A jar with another content takes the place of the one before, as a wheel does.
#[test]
fn another_content_of_a_jar_or_requirements_file_is_stale() {
    for (glob, before) in [
        ("*/*.jar", json!({"jar": format!("{ROOT}/etl_2.12-0.9/0123456789ab/etl_2.12-0.9.jar")})),
        ("*.txt", json!({"requirements": format!("{ROOT}/requirements/0123456789ab/requirements.txt")})),
    ] {
        let desired = asked(&json!([{"fromArtifact": glob}])).unwrap();
        let there = [Installed {
            library: library(&before),
            state: InstallState::Installed,
            messages: String::new(),
            for_all: false,
        }];
        let sight = compare(&desired, &there, ROOT);
        assert_eq!((sight.missing.as_slice(), sight.stale.len()), (desired.as_slice(), 1), "{before}");
    }
}

#[test]
fn the_same_library_twice_is_one() {
    let one = json!({"pypi": {"package": "foo == 1"}});
    assert_eq!(asked(&json!([one, {"pypi": {"package": "Foo==1"}}])).unwrap(), [library(&one)]);
}

#[rstest]
#[case(json!([{"pypi": {"package": "foo==1"}}, {"pypi": {"package": "foo==2"}}]), "foo==1 and foo==2")]
#[case(json!([{"wheelsFromArtifact": true}, {"pypi": {"package": "DbxDemo"}}]), "dbxdemo-0.2.0-py3-none-any.whl and DbxDemo")]
fn two_versions_of_one_library_are_refused(#[case] libraries: Value, #[case] named: &str) {
    let refusal = asked(&libraries).unwrap_err();
    assert!(refusal.contains("two versions of the same library") && refusal.contains(named), "{refusal}");
}
