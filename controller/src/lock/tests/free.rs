//! Giving back and keeping.

use http::Method;
use serde_json::json;

use super::super::Taken;
use super::fake::Cluster;
use super::{Says, clusters, holder, only, work};

#[tokio::test]
async fn gives_back_all_of_its_own_and_nothing_else() {
    let cluster = Cluster::default();
    cluster.locks().take(&clusters(&["a", "b"]), &holder("one"), &Says::over()).await.unwrap();
    cluster.locks().take(&clusters(&["c"]), &holder("two"), &Says::over()).await.unwrap();
    cluster.requests();
    cluster.locks().release("uid-one").await.unwrap();
    assert_eq!(cluster.requests(), ["GET leases", "DELETE leases", "DELETE leases"]);
    assert_eq!(cluster.state().holders().into_values().collect::<Vec<_>>(), ["uid-two"]);
    cluster.locks().release("uid-one").await.unwrap();
    assert_eq!(cluster.requests(), ["GET leases"], "what is gone is done");
}

#[tokio::test]
async fn a_lock_that_changed_hands_in_between_stays() {
    let (cluster, wanted) = (Cluster::default(), clusters(&["a"]));
    let name = only(&wanted).name().to_owned();
    cluster.locks().take(&wanted, &holder("one"), &Says::over()).await.unwrap();
    cluster.before(Method::DELETE, move |state| {
        state.edit(&name, |lease| lease["spec"]["holderIdentity"] = json!("uid-two"));
    });
    cluster.locks().release("uid-one").await.unwrap();
    assert_eq!(cluster.state().holders()[only(&wanted).name()], "uid-two");
}

#[tokio::test]
async fn a_lock_that_was_touched_in_between_is_given_back_all_the_same() {
    let (cluster, wanted) = (Cluster::default(), clusters(&["a"]));
    let name = only(&wanted).name().to_owned();
    cluster.locks().take(&wanted, &holder("one"), &Says::over()).await.unwrap();
    cluster.before(Method::DELETE, move |state| {
        state.edit(&name, |lease| lease["metadata"]["annotations"]["example.com/note"] = json!("looked at"));
    });
    cluster.locks().release("uid-one").await.unwrap();
    assert_eq!(cluster.state().holders().len(), 0);
}

#[tokio::test]
async fn a_lock_that_is_deleted_in_between_counts_as_done() {
    let (cluster, wanted) = (Cluster::default(), clusters(&["a"]));
    let name = only(&wanted).name().to_owned();
    cluster.locks().take(&wanted, &holder("one"), &Says::over()).await.unwrap();
    cluster.before(Method::PUT, {
        let name = name.clone();
        move |state| state.override_lock(&name)
    });
    cluster.locks().keep("uid-one", &work(&["12"], None)).await.unwrap();
    assert!(cluster.state().lease(&name).is_none(), "an operator's override is not undone");
}

#[tokio::test]
async fn keeping_writes_down_what_may_be_alive_once() {
    let (cluster, wanted) = (Cluster::default(), clusters(&["a"]));
    cluster.locks().take(&wanted, &holder("one"), &Says::over()).await.unwrap();
    cluster.requests();
    let left = work(&["12", "7"], Some("dbxdemo-build-1"));
    cluster.locks().keep("uid-one", &left).await.unwrap();
    let annotations = cluster.state().lease(only(&wanted).name()).unwrap()["metadata"]["annotations"].clone();
    assert_eq!(annotations["brickline.dev/runs"], "12,7");
    assert_eq!(annotations["brickline.dev/job"], "dbxdemo-build-1");
    cluster.locks().keep("uid-one", &left).await.unwrap();
    assert_eq!(cluster.requests(), ["GET leases", "PUT leases", "GET leases"], "the second time writes nothing");
    assert_eq!(cluster.locks().take(&wanted, &holder("one"), &Says::over()).await, Ok(Taken::All));
}
