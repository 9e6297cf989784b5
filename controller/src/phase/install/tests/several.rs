//! Several clusters, side by side.

use super::*;

#[test]
fn whatever_is_due_is_begun_on_every_cluster_before_anything_is_awaited() {
    let clusters = vec![
        running("old", vec![has(OLD, InstallState::Installed)]),
        down("down"),
        running("empty", Vec::new()),
        Cluster { state: ClusterState::Pending, ..down("coming") },
    ];
    let mut room = Room::new(&json!({}), clusters);
    let start = Call::Start { cluster: "down".to_owned() };
    assert_eq!(room.calls(), [uninstall("old", OLD), start, install("empty")]);
}

#[test]
fn while_one_restarts_the_others_go_on() {
    let old = || vec![has(OLD, InstallState::UninstallOnRestart)];
    let mut room = Room::new(&json!({}), vec![running("slow", old()), running("quick", old())]);
    assert_eq!(room.calls(), [restart("slow"), restart("quick")]);
    room.view.clusters[0].state = ClusterState::Restarting;
    room.view.clusters[1] = Cluster { context: "2".to_owned(), ..running("quick", Vec::new()) };
    assert_eq!(room.calls(), [install("quick")]);
    room.view.clusters[1].libraries = vec![has(WHEEL, InstallState::Installing)];
    assert_eq!(room.waits(), "cluster slow is Restarting; libraries are installed on cluster quick");
}

/// A cluster that was told to restart would be left without libraries.
#[test]
fn a_failure_begins_nothing_new_and_leaves_no_cluster_half_done() {
    let old = vec![has(OLD, InstallState::UninstallOnRestart)];
    let error = Cluster { state: ClusterState::Error, ..down("error") };
    let mut room =
        Room::new(&json!({}), vec![running("begun", old), Cluster { ..down("error") }, running("new", Vec::new())]);
    assert!(room.calls().contains(&restart("begun")));
    room.view.clusters[1] = error;
    room.view.clusters[0].state = ClusterState::Restarting;
    assert_eq!(room.waits(), "cluster begun is Restarting");
    room.view.clusters[0] = Cluster { context: "2".to_owned(), ..running("begun", Vec::new()) };
    assert_eq!(room.calls(), [install("begun")], "and nothing on the others");
    room.view.clusters[0].libraries = vec![has(WHEEL, InstallState::Installed)];
    assert_eq!(room.ending().reason, Reason::ClusterNotReady);
}

#[test]
fn one_busy_cluster_holds_no_other_up() {
    let old = || vec![has(OLD, InstallState::Installed)];
    let mut room = Room::new(&json!({"whenIdle": {}}), vec![running("busy", old()), running("free", old())]);
    room.view.runs = vec![crate::databricks::clusters::ActiveRun {
        run_id: 7,
        name: "nightly".to_owned(),
        clusters: ["busy".to_owned()].into(),
    }];
    assert_eq!(room.calls(), [uninstall("free", OLD)]);
}
