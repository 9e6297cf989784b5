//! Who gets a lock, who waits, and what the one who waits is told.

use brickline_crds::Reason;
use http::Method;
use k8s_openapi::api::coordination::v1::Lease;
use kube::runtime::reflector;
use kube::runtime::watcher::Event;
use rstest::rstest;
use serde_json::json;

use super::super::{Held, Holder, Taken};
use super::fake::{Cluster, NAMESPACE};
use super::{Says, clusters, holder, only, work};
use crate::trouble::Trouble;

/// What the release that waits is told.
fn held(taken: Result<Taken, Trouble>) -> Held {
    match taken.unwrap() {
        Taken::Held(held) => *held,
        Taken::All => panic!("it has all locks"),
    }
}

#[tokio::test]
async fn a_free_lock_costs_one_request_and_tells_people_what_it_is() {
    let (cluster, wanted) = (Cluster::default(), clusters(&["0123-456789-abc"]));
    let taken = cluster.locks().take(&wanted, &holder("one"), &Says::over()).await;
    assert_eq!(taken, Ok(Taken::All));
    assert_eq!(cluster.requests(), ["POST leases"]);
    let mut lease = cluster.state().lease(only(&wanted).name()).unwrap().clone();
    assert!(lease["spec"]["acquireTime"].take().is_string());
    insta::assert_yaml_snapshot!(lease);
}

#[tokio::test]
async fn taking_again_changes_nothing() {
    let (cluster, wanted) = (Cluster::default(), clusters(&["a", "b"]));
    cluster.locks().take(&wanted, &holder("one"), &Says::over()).await.unwrap();
    let before = cluster.state().lease(only(&wanted).name()).cloned();
    assert_eq!(cluster.locks().take(&wanted, &holder("one"), &Says::over()).await, Ok(Taken::All));
    assert_eq!(cluster.state().lease(only(&wanted).name()).cloned(), before);
}

#[tokio::test]
async fn a_lock_of_an_unfinished_release_is_waited_for() {
    let (cluster, wanted) = (Cluster::default(), clusters(&["a"]));
    cluster.state().put_release("one", "uid-one", "", &[]);
    cluster.locks().take(&wanted, &holder("one"), &Says::over()).await.unwrap();
    cluster.requests();
    let held = held(cluster.locks().take(&wanted, &holder("two"), &Says::over()).await);
    assert_eq!((held.by.as_str(), held.leftover, &held.lock), ("data/one", false, only(&wanted)));
    let name = only(&wanted).name();
    let message = format!(
        "cluster a of https://adb-1.2.azuredatabricks.net is held by data/one; \
         kubectl -n brickline delete lease {name} overrides"
    );
    assert_eq!(held.message, message);
    assert_eq!(cluster.requests(), ["POST leases", "GET leases", "GET databricksreleases"]);
}

#[tokio::test]
async fn what_comes_before_the_held_lock_in_order_is_kept() {
    let (cluster, wanted) = (Cluster::default(), clusters(&["a", "b", "c"]));
    let order: Vec<&str> = wanted.iter().map(super::Lock::name).collect();
    assert!(order.is_sorted());
    cluster.state().put_release("one", "uid-one", "", &[]);
    let middle = wanted.iter().skip(1).take(1).cloned().collect();
    cluster.locks().take(&middle, &holder("one"), &Says::over()).await.unwrap();
    held(cluster.locks().take(&wanted, &holder("two"), &Says::over()).await);
    assert_eq!(
        cluster.state().holders().into_iter().collect::<Vec<_>>(),
        [(order[0], "uid-two"), (order[1], "uid-one")]
    );
}

/// `release` is what the API server holds under the holder's name: its uid and result.
#[rstest]
#[case::succeeded(Some(("uid-one", "Succeeded")))]
#[case::failed(Some(("uid-one", "Failed")))]
#[case::skipped(Some(("uid-one", "Skipped")))]
#[case::gone(None)]
#[case::made_anew(Some(("uid-other", "")))]
#[tokio::test]
async fn a_lock_of_a_release_that_ended_is_taken_over(#[case] release: Option<(&str, &str)>) {
    let (cluster, wanted) = (Cluster::default(), clusters(&["a"]));
    cluster.locks().take(&wanted, &holder("one"), &Says::over()).await.unwrap();
    cluster.locks().keep("uid-one", &work(&["12"], Some("build"))).await.unwrap();
    if let Some((uid, result)) = release {
        cluster.state().put_release("one", uid, result, &[]);
    }
    assert_eq!(cluster.locks().take(&wanted, &holder("two"), &Says::over()).await, Ok(Taken::All));
    let lease = cluster.state().lease(only(&wanted).name()).unwrap().clone();
    assert_eq!(lease["spec"]["holderIdentity"], "uid-two");
    let annotations = &lease["metadata"]["annotations"];
    assert_eq!(annotations["brickline.dev/holder"], "data/two");
    let left = [&annotations["brickline.dev/runs"], &annotations["brickline.dev/job"]];
    assert_eq!(left, [&json!(null), &json!(null)], "another's work would hold the next one up");
}

/// `recorded` are the runs in the Lease, `ticket` those in the status of the release.
#[rstest]
#[case(&["12"], &[])]
#[case(&[], &[12])]
#[tokio::test]
async fn work_that_may_be_alive_keeps_the_lock_of_a_release_that_ended(
    #[case] recorded: &[&str],
    #[case] ticket: &[i64],
) {
    let (cluster, wanted) = (Cluster::default(), clusters(&["a"]));
    cluster.locks().take(&wanted, &holder("one"), &Says::over()).await.unwrap();
    cluster.locks().keep("uid-one", &work(recorded, None)).await.unwrap();
    cluster.state().put_release("one", "uid-one", "Failed", ticket);
    let alive = Says(Ok(vec!["run 12 (RUNNING)".to_owned()]));
    let held = held(cluster.locks().take(&wanted, &holder("two"), &alive).await);
    assert_eq!((held.by.as_str(), held.leftover), ("data/one", true));
    let words = "was held by data/one, which has ended, but may still be alive: run 12 (RUNNING); kubectl";
    assert!(held.message.contains(words), "{}", held.message);
    let unknown = Says(Err(Trouble::passing(Reason::WorkspaceUnreachable, "no answer")));
    assert!(cluster.locks().take(&wanted, &holder("two"), &unknown).await.is_err(), "who doesn't know must not take");
    assert_eq!(cluster.state().holders()[only(&wanted).name()], "uid-one");
}

/// Such work may go on for hours, and whoever waits looks for it all the time.
#[tokio::test]
async fn work_that_goes_on_is_looked_for_again_without_asking_kubernetes() {
    let (cluster, wanted) = (Cluster::default(), clusters(&["a"]));
    let name = only(&wanted).name();
    let (store, mut watch) = reflector::store::<Lease>();
    let stored = |cluster: &Cluster| -> Lease {
        let mut lease = cluster.state().lease(name).unwrap().clone();
        lease["metadata"]["namespace"] = json!(NAMESPACE);
        serde_json::from_value(lease).unwrap()
    };
    let locks = cluster.locks();
    locks.leftovers.watch(store);
    locks.take(&wanted, &holder("one"), &Says::over()).await.unwrap();
    locks.keep("uid-one", &work(&["12"], None)).await.unwrap();
    watch.apply_watcher_event(&Event::Apply(stored(&cluster)));
    cluster.state().put_release("one", "uid-one", "Failed", &[]);
    let alive = Says(Ok(vec!["run 12 (RUNNING)".to_owned()]));
    let first = held(locks.take(&wanted, &holder("two"), &alive).await);
    cluster.requests();
    for _ in 0..100 {
        assert_eq!(held(locks.take(&wanted, &holder("two"), &alive).await), first);
    }
    assert_eq!(cluster.requests(), Vec::<String>::new());

    // An operator overrides, and somebody else is first.
    let deleted = stored(&cluster);
    cluster.state().override_lock(name);
    watch.apply_watcher_event(&Event::Delete(deleted));
    assert_eq!(locks.take(&wanted, &holder("two"), &alive).await, Ok(Taken::All));
}

/// What a stranger has found out keeps no heir: of the release that it makes up for, only what the Lease names does.
#[tokio::test]
async fn a_rollback_takes_over_although_a_stranger_waits() {
    let (cluster, wanted) = (Cluster::default(), clusters(&["a"]));
    let locks = cluster.locks();
    locks.take(&wanted, &holder("one"), &Says::over()).await.unwrap();
    let (store, mut watch) = reflector::store::<Lease>();
    locks.leftovers.watch(store);
    let mut lease = cluster.state().lease(only(&wanted).name()).unwrap().clone();
    lease["metadata"]["namespace"] = json!(NAMESPACE);
    watch.apply_watcher_event(&Event::Apply(serde_json::from_value(lease).unwrap()));
    cluster.state().put_release("one", "uid-one", "Failed", &[12]);
    let alive = Says(Ok(vec!["run 12 (RUNNING)".to_owned()]));
    held(locks.take(&wanted, &holder("two"), &alive).await);
    let rollback = Holder { inherits_from: Some("uid-one".to_owned()), ..holder("back") };
    assert_eq!(locks.take(&wanted, &rollback, &alive).await, Ok(Taken::All));
}

#[tokio::test]
async fn work_that_ended_frees_the_lock_that_was_left() {
    let (cluster, wanted) = (Cluster::default(), clusters(&["a"]));
    let locks = cluster.locks();
    locks.take(&wanted, &holder("one"), &Says::over()).await.unwrap();
    locks.keep("uid-one", &work(&["12"], None)).await.unwrap();
    let (store, mut watch) = reflector::store::<Lease>();
    locks.leftovers.watch(store);
    let mut lease = cluster.state().lease(only(&wanted).name()).unwrap().clone();
    lease["metadata"]["namespace"] = json!(NAMESPACE);
    watch.apply_watcher_event(&Event::Apply(serde_json::from_value(lease).unwrap()));
    let alive = Says(Ok(vec!["run 12 (RUNNING)".to_owned()]));
    held(locks.take(&wanted, &holder("two"), &alive).await);
    held(locks.take(&wanted, &holder("two"), &alive).await);
    assert_eq!(locks.take(&wanted, &holder("two"), &Says::over()).await, Ok(Taken::All));
}

#[tokio::test]
async fn a_rollback_takes_over_at_once_but_not_over_work_that_is_alive() {
    let (cluster, wanted) = (Cluster::default(), clusters(&["a"]));
    cluster.state().put_release("one", "uid-one", "", &[]);
    cluster.locks().take(&wanted, &holder("one"), &Says::over()).await.unwrap();
    cluster.locks().keep("uid-one", &work(&["12"], None)).await.unwrap();
    let rollback = Holder { inherits_from: Some("uid-one".to_owned()), ..holder("back") };
    let alive = Says(Ok(vec!["run 12 (RUNNING)".to_owned()]));
    held(cluster.locks().take(&wanted, &rollback, &alive).await);
    let stranger = Holder { inherits_from: Some("uid-other".to_owned()), ..holder("back") };
    held(cluster.locks().take(&wanted, &stranger, &Says::over()).await);
    assert_eq!(cluster.locks().take(&wanted, &rollback, &Says::over()).await, Ok(Taken::All));
}

#[tokio::test]
async fn deleting_the_lease_overrides_and_an_emptied_one_is_free() {
    let (cluster, wanted) = (Cluster::default(), clusters(&["a"]));
    let name = only(&wanted).name();
    cluster.state().put_release("one", "uid-one", "", &[]);
    cluster.locks().take(&wanted, &holder("one"), &Says::over()).await.unwrap();
    cluster.state().override_lock(name);
    assert_eq!(cluster.locks().take(&wanted, &holder("two"), &Says::over()).await, Ok(Taken::All));
    cluster.state().edit(name, |lease| lease["spec"]["holderIdentity"] = json!(""));
    assert_eq!(cluster.locks().take(&wanted, &holder("three"), &Says::over()).await, Ok(Taken::All));
    assert_eq!(cluster.state().holders()[name], "uid-three");
}

#[tokio::test]
async fn a_lease_that_names_no_release_is_never_taken_over() {
    let (cluster, wanted) = (Cluster::default(), clusters(&["a"]));
    cluster.locks().take(&wanted, &holder("one"), &Says::over()).await.unwrap();
    cluster.state().edit(only(&wanted).name(), |lease| lease["metadata"]["annotations"] = json!({}));
    let held = held(cluster.locks().take(&wanted, &holder("two"), &Says::over()).await);
    assert_eq!((held.by.as_str(), held.leftover), ("uid-one", true));
}

#[tokio::test]
async fn of_two_that_take_over_at_once_one_waits() {
    let (cluster, wanted) = (Cluster::default(), clusters(&["a"]));
    let name = only(&wanted).name().to_owned();
    cluster.state().put_release("three", "uid-three", "", &[]);
    cluster.locks().take(&wanted, &holder("one"), &Says::over()).await.unwrap();
    cluster.before(Method::PUT, move |state| {
        state.edit(&name, |lease| {
            lease["spec"]["holderIdentity"] = json!("uid-three");
            lease["metadata"]["annotations"]["brickline.dev/holder"] = json!("data/three");
        });
    });
    let held = held(cluster.locks().take(&wanted, &holder("two"), &Says::over()).await);
    assert_eq!(held.by, "data/three");
}

#[tokio::test]
async fn a_lease_deleted_after_the_look_is_taken_anew() {
    let (cluster, wanted) = (Cluster::default(), clusters(&["a"]));
    let name = only(&wanted).name().to_owned();
    cluster.locks().take(&wanted, &holder("one"), &Says::over()).await.unwrap();
    cluster.before(Method::PUT, move |state| state.override_lock(&name));
    assert_eq!(cluster.locks().take(&wanted, &holder("two"), &Says::over()).await, Ok(Taken::All));
    assert_eq!(cluster.state().holders()[only(&wanted).name()], "uid-two");
}
