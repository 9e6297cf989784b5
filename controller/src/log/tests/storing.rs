//! Lines in the artifact store.

use object_store::ObjectStoreExt;
use object_store::local::LocalFileSystem;

use super::super::book::LONGEST;
use super::*;

fn store() -> (tempfile::TempDir, Artifacts) {
    let folder = tempfile::tempdir().unwrap();
    let artifacts = Artifacts::in_folder(folder.path()).unwrap();
    (folder, artifacts)
}

#[tokio::test]
async fn a_log_goes_on_behind_what_a_former_process_stored() {
    let (_folder, artifacts) = store();
    for process in ["one", "two", "three"] {
        let logs = Logs::default();
        write(&logs, &format!("{process} begins"));
        logs.flush(&artifacts).await;
        write(&logs, &format!("{process} ends"));
        logs.flush(&artifacts).await;
    }
    let lines = ["one begins", "one ends", "two begins", "two ends", "three begins", "three ends"];
    assert_eq!(stored(&artifacts).await, lines);
}

#[tokio::test]
async fn what_another_process_stored_meanwhile_stays() {
    let (_folder, artifacts) = store();
    let (old, new) = (Logs::default(), Logs::default());
    write(&old, "old");
    old.flush(&artifacts).await;
    write(&new, "new");
    new.flush(&artifacts).await;
    write(&old, "late");
    old.flush(&artifacts).await;
    old.flush(&artifacts).await;
    assert_eq!(stored(&artifacts).await, ["old", "new", "late"]);
}

#[tokio::test]
async fn a_store_that_is_away_holds_nobody_up_and_loses_nothing() {
    let (folder, artifacts) = store();
    let logs = Logs::default();
    write(&logs, "one");
    let path = folder.path().join("releases");
    std::fs::write(&path, "a file where a folder should be").unwrap();
    logs.flush(&artifacts).await;
    write(&logs, "two");
    std::fs::remove_file(&path).unwrap();
    logs.flush(&artifacts).await;
    assert_eq!(stored(&artifacts).await, ["one", "two"]);
}

#[tokio::test]
async fn each_phase_has_its_own_log() {
    let (_folder, artifacts) = store();
    let logs = Logs::default();
    logs.line(&release(), Phase::Deploy, format_args!("elsewhere"));
    write(&logs, "here");
    logs.flush(&artifacts).await;
    assert_eq!(stored(&artifacts).await, ["here"]);
}

#[tokio::test]
async fn a_log_that_is_full_grows_no_more() {
    let (folder, artifacts) = store();
    let store = LocalFileSystem::new_with_prefix(folder.path()).unwrap();
    let full = vec![b'x'; usize::try_from(LONGEST).unwrap()];
    store.put(&super::folder().join(format!("{:020}", 0)), full.into()).await.unwrap();
    let logs = Logs::default();
    write(&logs, "more");
    logs.flush(&artifacts).await;
    assert_eq!(artifacts.part(&super::folder(), 0, 0).await.unwrap().1, LONGEST);
}

#[tokio::test]
async fn a_log_is_read_from_any_byte_on() {
    let (_folder, artifacts) = store();
    let parts: [&[u8]; 3] = [b"abc", b"defg", b"hi"];
    let mut offset = 0;
    for part in parts {
        artifacts.add(&folder(), offset, bytes::Bytes::from_static(part)).await.unwrap();
        offset += part.len() as u64;
    }
    for begin in 0..=10_u64 {
        for most in 0..=10_usize {
            let (part, length) = artifacts.part(&folder(), begin, most).await.unwrap();
            let wanted = b"abcdefghi".get(usize::try_from(begin).unwrap()..).unwrap_or_default();
            let wanted = wanted.get(..most).unwrap_or(wanted);
            assert_eq!((&part[..], length), (wanted, 9), "from {begin}, at most {most}");
        }
    }
}
