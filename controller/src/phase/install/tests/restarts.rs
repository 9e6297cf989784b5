//! Restarts: one, when it is needed, when it may be, and bounded.

use rstest::rstest;

use super::*;
use crate::databricks::clusters::ActiveRun;

fn old() -> Vec<Installed> {
    vec![has(OLD, InstallState::Installed)]
}

/// The documents restart once for each wheel.
#[test]
fn three_wheels_take_one_restart() {
    let names = ["dbxdemo", "etl", "tools"];
    let place = |path: &str, name: &str| path.replace("dbxdemo", name);
    let libraries = names.map(|name| has(&place(OLD, name), InstallState::Installed)).to_vec();
    let mut room = Room::new(&json!({}), vec![running("c", libraries)]);
    room.view.desired = names.map(|name| wheel(&place(WHEEL, name))).to_vec();
    let off = names.map(|name| wheel(&place(OLD, name))).to_vec();
    assert_eq!(room.calls(), [Call::Uninstall { cluster: "c".to_owned(), libraries: off }]);
    for library in &mut room.view.clusters[0].libraries {
        library.state = InstallState::UninstallOnRestart;
    }
    assert_eq!(room.calls(), [restart("c")]);
    room.restarted();
    let on = room.view.desired.clone();
    assert_eq!(room.calls(), [Call::Install { cluster: "c".to_owned(), libraries: on }]);
    assert_eq!(room.ticket().restarts.len(), 1);
}

/// The documents' script polls for ever.
#[rstest]
#[case(ClusterState::Restarting, "1", "it is Restarting: DRIVER_UNREACHABLE")]
#[case(ClusterState::Pending, "", "it is Pending: DRIVER_UNREACHABLE")]
#[case(ClusterState::Running, "1", "it is Running: DRIVER_UNREACHABLE")]
fn the_wait_for_a_restart_has_an_end(#[case] state: ClusterState, #[case] context: &str, #[case] said: &str) {
    let mut room = Room::new(&json!({}), vec![running("c", vec![has(OLD, InstallState::UninstallOnRestart)])]);
    assert_eq!(room.calls(), [restart("c")]);
    let cluster = &mut room.view.clusters[0];
    (cluster.state, cluster.context) = (state, context.to_owned());
    cluster.message = "DRIVER_UNREACHABLE".to_owned();
    room.later(601);
    let ending = room.ending();
    assert_eq!((ending.state, ending.reason), (PhaseState::TimedOut, Reason::ClusterNotReady));
    assert!(ending.message.contains("timeouts.restart (10m)") && ending.message.ends_with(said), "{ending:?}");
}

/// The documents' script takes a cluster that went down for one that came back.
#[test]
fn a_cluster_that_goes_down_in_its_restart_is_started() {
    let mut room = Room::new(&json!({}), vec![running("c", vec![has(OLD, InstallState::UninstallOnRestart)])]);
    assert_eq!(room.calls(), [restart("c")]);
    room.view.clusters = vec![down("c")];
    assert_eq!(room.calls(), [Call::Start { cluster: "c".to_owned() }]);
    room.view.clusters = vec![Cluster { context: "2".to_owned(), ..running("c", Vec::new()) }];
    assert_eq!(room.calls(), [install("c")]);
}

#[test]
fn a_cluster_that_does_not_start_ends_the_phase() {
    let mut room = Room::new(&json!({}), vec![down("c")]);
    assert_eq!(room.calls(), [Call::Start { cluster: "c".to_owned() }]);
    room.later(601);
    room.view.clusters[0].message = "CLOUD_PROVIDER_LAUNCH_FAILURE".to_owned();
    let ending = room.ending();
    assert_eq!(
        ending.message,
        "cluster c did not come back from its start within timeouts.restart (10m): it is Terminated: \
         CLOUD_PROVIDER_LAUNCH_FAILURE"
    );
}

#[test]
fn a_cluster_that_is_down_is_only_started_if_it_may_be() {
    let mut room = Room::new(&json!({"startIfTerminated": false}), vec![down("c")]);
    let ending = room.ending();
    assert_eq!(ending.reason, Reason::ClusterNotReady);
    assert!(ending.message.contains("install.startIfTerminated is false"), "{ending:?}");
}

#[rstest]
#[case::running(running("c", vec![has(WHEEL, InstallState::Installed)]), 1)]
#[case::down(down("c"), 0)]
fn always_restarts_what_was_not_just_started(#[case] cluster: Cluster, #[case] restarts: usize) {
    let mut room = Room::new(&json!({"restart": "Always"}), vec![cluster]);
    if let [Call::Start { .. }] = room.calls()[..] {
        room.view.clusters = vec![running("c", vec![has(WHEEL, InstallState::Installed)])];
    }
    room.next();
    assert_eq!(room.ticket().restarts.len(), restarts);
}

/// Old code never passes in silence.
#[test]
fn never_tells_that_a_restart_is_due() {
    let mut room = Room::new(&json!({"restart": "Never"}), vec![running("c", old())]);
    assert_eq!(room.calls(), [uninstall("c", OLD)]);
    room.view.clusters[0].libraries = vec![has(OLD, InstallState::UninstallOnRestart)];
    assert_eq!(room.calls(), [install("c")]);
    room.view.clusters[0].libraries.push(has(WHEEL, InstallState::Installed));
    let ending = room.ending();
    assert_eq!(ending.state, PhaseState::SucceededWithIssues);
    let due =
        format!("a restart of cluster c is due: until then it may go on using {OLD}, since install.restart is Never");
    assert!(ending.message.ends_with(&due), "{ending:?}");
    let status = room.release.status.as_ref().unwrap();
    assert_eq!((status.issue_count, &status.issues[0].message), (1, &due));
    assert_eq!(status.issues[0].name, "cluster c");
}

#[rstest]
#[case(InstallState::Failed)]
#[case(InstallState::UninstallOnRestart)]
fn never_fails_where_only_a_restart_would_help(#[case] state: InstallState) {
    let mut room = Room::new(&json!({"restart": "Never"}), vec![running("c", vec![has(WHEEL, state)])]);
    assert_eq!(room.ending().reason, Reason::InstallFailed);
}

fn nightly(cluster: &str) -> ActiveRun {
    ActiveRun { run_id: 7, name: "nightly".to_owned(), clusters: [cluster.to_owned()].into() }
}

#[test]
fn other_peoples_runs_are_awaited_and_nothing_is_taken_off_under_them() {
    let mut room = Room::new(&json!({"whenIdle": {"timeout": "30m"}}), vec![running("c", old())]);
    room.view.runs = vec![nightly("other"), nightly("c")];
    assert_eq!(room.waits(), "cluster c is used by run 7 (nightly)");
    assert_eq!(room.phase().reason, Some(Reason::WaitingForCluster));
    room.later(90);
    room.view.runs.clear();
    assert_eq!(room.calls(), [uninstall("c", OLD)]);
    assert_eq!((room.ticket().idle_seconds, room.ticket().idle_since), (90, None));
    assert_eq!(room.phase().reason, Some(Reason::Progressing));
}

#[test]
fn the_wait_for_others_has_a_limit_and_names_them() {
    let mut room = Room::new(&json!({"whenIdle": {"timeout": "30m"}}), vec![running("c", old())]);
    room.view.runs = vec![nightly("c")];
    room.waits();
    room.later(1801);
    let ending = room.ending();
    assert_eq!((ending.state, ending.reason), (PhaseState::TimedOut, Reason::ClusterNotReady));
    assert_eq!(
        ending.message,
        "cluster c is used by run 7 (nightly), for longer than install.whenIdle.timeout (30m): release again when it is over"
    );
}

#[test]
fn without_when_idle_nobody_is_awaited() {
    let mut room = Room::new(&json!({}), vec![running("c", old())]);
    room.view.runs = vec![nightly("c")];
    assert_eq!(room.calls(), [uninstall("c", OLD)]);
}
