//! One version of a library, and nothing of others touched.

use rstest::rstest;

use super::*;

/// The documents' script finds no status for its wheel among the others and gives up: it is never installed.
#[test]
fn a_cluster_with_other_libraries_only_gets_the_wheel() {
    let other = has("/Volumes/others/pandas_tools-1-py3-none-any.whl", InstallState::Installed);
    let mut room = Room::new(&json!({}), vec![running("c", vec![other])]);
    assert_eq!(room.calls(), [install("c")]);
    assert!(room.ticket().restarts.is_empty(), "nothing has to come off, so nobody's work is ended");
}

/// The documents' script compares full paths: the older version stays installed beside the new one.
#[rstest]
#[case::another_version(OLD)]
#[case::the_documents_place(DOCUMENTS)]
#[case::another_spelling("dbfs:/x/DBXdemo-0.0.1-py3-none-any.whl")]
#[case::another_place_of_the_same_file("dbfs:/FileStore/dbxdemo-0.2.0-py3-none-any.whl")]
fn every_other_version_is_taken_off(#[case] old: &str) {
    let libraries =
        vec![has(old, InstallState::Installed), has("/o/other-1-py3-none-any.whl", InstallState::Installed)];
    let mut room = Room::new(&json!({}), vec![running("c", libraries)]);
    assert_eq!(room.calls(), [uninstall("c", old)]);
    room.view.clusters[0].libraries[0].state = InstallState::UninstallOnRestart;
    assert_eq!(room.calls(), [restart("c")]);
    room.restarted();
    assert_eq!(room.calls(), [install("c")]);
    assert_eq!(room.view.clusters[0].libraries.len(), 1, "what others installed is there");
}

#[test]
fn a_package_of_the_same_name_is_another_version_of_the_wheel() {
    let pypi: Library = serde_json::from_value(json!({"pypi": {"package": "dbxdemo==0.1.0"}})).unwrap();
    let old = Installed { library: pypi.clone(), ..has(OLD, InstallState::Installed) };
    let mut room = Room::new(&json!({}), vec![running("c", vec![old])]);
    assert_eq!(room.calls(), [Call::Uninstall { cluster: "c".to_owned(), libraries: vec![pypi] }]);
}

#[test]
fn what_is_there_already_costs_nothing() {
    let mut room = Room::new(&json!({}), vec![running("c", vec![has(WHEEL, InstallState::Installed)])]);
    assert_eq!(room.ending(), Ending::succeeded("1 libraries on 1 clusters, none restarted"));
    assert_eq!(room.phase().ticket, None);
}

/// The documents' script never waits for `INSTALLED`.
#[rstest]
#[case(InstallState::Pending)]
#[case(InstallState::Resolving)]
#[case(InstallState::Installing)]
#[case(InstallState::Unknown)]
fn a_library_on_its_way_is_awaited_and_not_started_again(#[case] state: InstallState) {
    let mut room = Room::new(&json!({}), vec![running("c", vec![has(WHEEL, state)])]);
    assert_eq!(room.waits(), "libraries are installed on cluster c");
    room.view.clusters[0].libraries[0].state = InstallState::Installed;
    assert_eq!(room.ending().state, PhaseState::Succeeded);
}

#[rstest]
#[case(InstallState::Failed)]
#[case(InstallState::Skipped)]
fn a_library_that_fails_is_told_in_databricks_words(#[case] state: InstallState) {
    let mut room = Room::new(&json!({}), vec![running("c", Vec::new())]);
    assert_eq!(room.calls(), [install("c")]);
    let said = "Library installation failed: no matching distribution".to_owned();
    room.view.clusters[0].libraries = vec![Installed { messages: said, ..has(WHEEL, state) }];
    let ending = room.ending();
    assert_eq!((ending.state, ending.reason), (PhaseState::Failed, Reason::InstallFailed));
    let expected = format!("{WHEEL} on cluster c: {state:?}: Library installation failed: no matching distribution");
    assert_eq!(ending.message, expected);
    assert!(room.ticket().restarts.is_empty(), "nobody's work is ended for a wheel that can't be installed");
}

#[test]
fn a_library_on_dbfs_that_fails_is_told_where_to_put_it() {
    let mut room = Room::new(&json!({}), vec![running("c", Vec::new())]);
    room.view.desired = vec![wheel(DOCUMENTS)];
    room.calls();
    room.view.clusters[0].libraries = vec![has(DOCUMENTS, InstallState::Skipped)];
    let message = room.ending().message;
    assert!(message.contains("since runtime 15.1 libraries on DBFS are off"), "{message}");
}

#[test]
fn a_library_that_failed_before_gets_another_try() {
    let mut room = Room::new(&json!({}), vec![running("c", vec![has(WHEEL, InstallState::Failed)])]);
    assert_eq!(room.calls(), [uninstall("c", WHEEL)]);
    room.view.clusters[0].libraries[0].state = InstallState::UninstallOnRestart;
    assert_eq!(room.calls(), [restart("c")]);
    room.restarted();
    assert_eq!(room.calls(), [install("c")]);
}

#[test]
fn a_library_of_all_clusters_is_left_alone() {
    let fixed = Installed { for_all: true, ..has(OLD, InstallState::Installed) };
    let mut room = Room::new(&json!({}), vec![running("c", vec![fixed])]);
    let ending = room.ending();
    assert_eq!(ending.reason, Reason::InstallFailed);
    assert!(
        ending.message.starts_with(&format!("{OLD} is installed on all clusters by an administrator")),
        "{ending:?}"
    );
    let fixed = Installed { for_all: true, ..has(WHEEL, InstallState::Installed) };
    assert_eq!(Room::new(&json!({}), vec![running("c", vec![fixed])]).ending().state, PhaseState::Succeeded);
}

/// There is no second restart for it.
#[test]
fn what_comes_back_after_the_restart_is_named() {
    let mut room = Room::new(&json!({}), vec![running("c", vec![has(OLD, InstallState::UninstallOnRestart)])]);
    assert_eq!(room.calls(), [restart("c")]);
    room.view.clusters[0].context = "2".to_owned();
    room.view.clusters[0].libraries[0].state = InstallState::Installed;
    assert_eq!(room.waits(), format!("cluster c still has {OLD}"));
    room.later(601);
    let ending = room.ending();
    assert_eq!((ending.state, ending.reason), (PhaseState::Failed, Reason::InstallFailed));
    assert!(ending.message.contains(OLD), "{ending:?}");
}

#[test]
fn what_somebody_installs_meanwhile_is_named() {
    let mut room = Room::new(&json!({}), vec![running("c", Vec::new())]);
    assert_eq!(room.calls(), [install("c")]);
    room.view.clusters[0].libraries = vec![has(WHEEL, InstallState::Installed), has(OLD, InstallState::Installed)];
    let ending = room.ending();
    assert_eq!(ending.message, format!("somebody else installed {OLD} on cluster c meanwhile: release again"));
}
