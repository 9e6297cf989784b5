//! What a gateway answers in Databricks' place is no state and no edit.

use super::*;

const PAGE: &[u8] = b"<!DOCTYPE html><html><title>Bad gateway</title></html>";

#[tokio::test]
async fn a_page_for_the_state_file_ends_no_release() {
    let stand = Stand::new().await;
    let release = stand.built("one", &notebooks(1, 0, ""), &[]).await;
    let work = stand.work(&release, &[]).await;
    stand.fake.inside().put(&work.place, "FILE", PAGE);
    let trouble = work.plan().await.unwrap_err();
    assert_eq!((trouble.reason, trouble.transient), (Reason::WorkspaceUnreachable, true), "{}", trouble.message);
    assert!(stand.fake.below(FOLDER).is_empty(), "nothing was written");
}

/// A page that is deployed is one, and may be edited.
#[rstest]
#[case("lib.txt", Reason::WorkspaceUnreachable)]
#[case("page.html", Reason::Drifted)]
#[tokio::test]
async fn a_page_for_a_file_is_no_edit(#[case] name: &str, #[case] reason: Reason) {
    let stand = Stand::new().await;
    let mut release = stand.built("one", &[(format!("notebooks/{name}"), "x".repeat(PAGE.len()))], &[]).await;
    release.spec.deploy.items.as_mut().unwrap()[0].kind = ItemKind::File;
    (release.spec.deploy.drift, release.spec.deploy.on_drift) = (Drift::Full, OnDrift::Fail);
    stand.deploy(&release).await.unwrap();
    stand.fake.inside().objects.get_mut(&format!("{FOLDER}/{name}")).unwrap().content = PAGE.to_vec();
    assert_eq!(stand.deploy(&release).await.unwrap_err().reason, reason);
}
