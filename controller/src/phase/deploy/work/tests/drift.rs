//! What somebody else changed is found, told, and written over or left, as the release says.

use super::*;

#[tokio::test]
async fn listed_drift_costs_one_list_for_each_folder_and_shows_what_is_gone() {
    let stand = Stand::new().await;
    let mut release = stand.built("one", &notebooks(40, 0, ""), &[]).await;
    release.spec.deploy.drift = Drift::Listed;
    stand.leave(&stand.work(&release, &[]).await);
    stand.deploy(&release).await.unwrap();
    let calls = stand.fake.calls();
    assert_eq!((calls.len(), count(&calls, "workspace/list")), (11, 10), "{calls:?}");
    stand.fake.inside().objects.remove("/Shared/dbxdemo/3/0003.py");
    let done = stand.deploy(&release).await.unwrap();
    assert_eq!(done.issues.len(), 1);
    assert_eq!(done.issues[0].name, "/Shared/dbxdemo/3/0003.py");
    assert!(done.issues[0].message.contains("is gone"), "{}", done.issues[0].message);
    assert_eq!(stand.fake.below(FOLDER).len(), 40);
}

#[tokio::test]
async fn full_drift_finds_an_edited_notebook_and_fail_writes_nothing() {
    let stand = Stand::new().await;
    let mut release = stand.built("one", &notebooks(3, 0, ""), &[]).await;
    stand.deploy(&release).await.unwrap();
    let edited = "/Shared/dbxdemo/1/0001.py";
    stand.fake.inside().put(edited, "NOTEBOOK", b"print('by hand')");
    (release.spec.deploy.drift, release.spec.deploy.on_drift) = (Drift::Full, OnDrift::Fail);
    let trouble = stand.deploy(&release).await.unwrap_err();
    assert_eq!((trouble.reason, trouble.transient), (Reason::Drifted, false));
    assert!(trouble.message.contains(edited) && trouble.message.contains("another content"), "{}", trouble.message);
    assert_eq!(stand.fake.inside().objects[edited].content, b"print('by hand')");
    release.spec.deploy.on_drift = OnDrift::Overwrite;
    assert_eq!(stand.deploy(&release).await.unwrap().issues[0].name, edited);
    assert_eq!(stand.fake.inside().objects[edited].content, b"print(1)");
}

/// A release of these notebooks that looks, and what becomes of what others changed.
async fn looking(
    stand: &Stand,
    uid: &str,
    files: &[(String, String)],
    drift: Drift,
    on_drift: OnDrift,
) -> DatabricksRelease {
    let mut release = stand.built(uid, files, &[]).await;
    (release.spec.deploy.drift, release.spec.deploy.on_drift) = (drift, on_drift);
    release
}

fn content(stand: &Stand, place: &str) -> Vec<u8> {
    stand.fake.inside().objects[place].content.clone()
}

/// Not known from any release before, and still not ours to replace in silence.
#[rstest]
#[case("NOTEBOOK")]
#[case("FILE")]
#[tokio::test]
async fn what_lies_where_nothing_was_put_yet_is_somebody_elses(#[case] kind: &'static str) {
    let stand = Stand::new().await;
    let theirs = "/Shared/dbxdemo/1/0001.py";
    stand.fake.inside().put(theirs, kind, b"print('theirs')");
    let release = looking(&stand, "one", &notebooks(3, 0, ""), Drift::Listed, OnDrift::Fail).await;
    let trouble = stand.deploy(&release).await.unwrap_err();
    assert_eq!((trouble.reason, trouble.transient), (Reason::Drifted, false));
    assert!(trouble.message.contains(theirs) && trouble.message.contains("by somebody else"), "{}", trouble.message);
    assert_eq!(stand.fake.below(FOLDER), [theirs], "nothing was written");
    assert_eq!(content(&stand, theirs), b"print('theirs')");

    let release = looking(&stand, "two", &notebooks(3, 0, ""), Drift::Listed, OnDrift::Overwrite).await;
    let done = stand.deploy(&release).await.unwrap();
    assert_eq!(done.issues.iter().map(|issue| issue.name.as_str()).collect::<Vec<_>>(), [theirs]);
    assert_eq!(content(&stand, theirs), b"print(1)");
}

/// Such as when the state file was lost: nobody has to be told that what is to come is there.
#[tokio::test]
async fn what_is_there_with_the_same_content_is_taken_for_ones_own() {
    let stand = Stand::new().await;
    let files = notebooks(3, 0, "");
    for (path, text) in &files {
        stand.fake.inside().put(&path.replace("notebooks", FOLDER), "NOTEBOOK", text.as_bytes());
    }
    let release = looking(&stand, "one", &files, Drift::Listed, OnDrift::Fail).await;
    let done = stand.deploy(&release).await.unwrap();
    assert_eq!((done.changes.added, done.issues.len()), (3, 0));
}

/// What the commit changes too would otherwise hide what hands changed.
#[tokio::test]
async fn an_edited_notebook_is_found_although_the_commit_changes_or_removes_it() {
    let stand = Stand::new().await;
    stand.deploy(&looking(&stand, "one", &notebooks(4, 0, ""), Drift::Listed, OnDrift::Fail).await).await.unwrap();
    let (changed, removed) = ("/Shared/dbxdemo/1/0001.py", "/Shared/dbxdemo/3/0003.py");
    for place in [changed, removed] {
        stand.fake.inside().put(place, "NOTEBOOK", b"print('by hand')");
    }
    let next = notebooks(3, 2, "new");
    let trouble = stand.deploy(&looking(&stand, "two", &next, Drift::Full, OnDrift::Fail).await).await.unwrap_err();
    assert_eq!(trouble.reason, Reason::Drifted);
    assert!(trouble.message.contains(changed) && trouble.message.contains(removed), "{}", trouble.message);
    assert_eq!(content(&stand, changed), b"print('by hand')");
    assert_eq!(content(&stand, removed), b"print('by hand')");

    let done = stand.deploy(&looking(&stand, "two", &next, Drift::Full, OnDrift::Overwrite).await).await.unwrap();
    assert_eq!(done.issues.iter().map(|issue| issue.name.as_str()).collect::<Vec<_>>(), [changed, removed]);
    assert_eq!((done.changes.changed, done.changes.drifted, done.changes.removed), (1, 1, 1));
    assert!(!stand.fake.below(FOLDER).contains(&removed.to_owned()));
}

/// A file's time tells it without a look at its content.
#[tokio::test]
async fn a_file_that_was_written_again_is_found_although_the_commit_changes_it() {
    let stand = Stand::new().await;
    let file = |text: &str| vec![("notebooks/lib.txt".to_owned(), text.to_owned())];
    let release = async |uid: &str, text: &str, on_drift| {
        let mut release = looking(&stand, uid, &file(text), Drift::Listed, on_drift).await;
        release.spec.deploy.items.as_mut().unwrap()[0].kind = ItemKind::File;
        release
    };
    stand.deploy(&release("one", "1", OnDrift::Fail).await).await.unwrap();
    let untouched = release("two", "2", OnDrift::Fail).await;
    assert_eq!(stand.deploy(&untouched).await.unwrap().changes.changed, 1);
    stand.fake.inside().put("/Shared/dbxdemo/lib.txt", "FILE", b"by hand");
    let trouble = stand.deploy(&release("three", "3", OnDrift::Fail).await).await.unwrap_err();
    assert!(trouble.message.contains("was written again"), "{}", trouble.message);
}

/// Its size and time may be the same: only the content tells.
#[tokio::test]
async fn full_drift_reads_files_of_volumes_too() {
    let stand = Stand::new().await;
    let file = vec![("notebooks/lib.txt".to_owned(), "mine".to_owned())];
    let release = async |on_drift| {
        let mut release = looking(&stand, "one", &file, Drift::Full, on_drift).await;
        let item = &mut release.spec.deploy.items.as_mut().unwrap()[0];
        (item.kind, item.to) = (ItemKind::File, "/Volumes/c/s/v".into());
        release
    };
    stand.deploy(&release(OnDrift::Fail).await).await.unwrap();
    let place = "/Volumes/c/s/v/lib.txt";
    stand.fake.inside().objects.get_mut(place).unwrap().content = b"hers".to_vec();
    let trouble = stand.deploy(&release(OnDrift::Fail).await).await.unwrap_err();
    assert!(trouble.message.contains(place) && trouble.message.contains("another content"), "{}", trouble.message);
    stand.deploy(&release(OnDrift::Overwrite).await).await.unwrap();
    assert_eq!(content(&stand, place), b"mine");
}
