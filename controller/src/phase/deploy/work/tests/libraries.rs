//! Old wheels, and their folders.

use super::*;

/// Who still uses an old wheel.
#[derive(Clone, Copy, PartialEq)]
enum User {
    Nobody,
    Cluster,
    OtherStage,
    Job,
    /// Nobody, but of one job not all tasks can be seen.
    Unseen,
}

/// The same place, as others may write it.
fn spelled(location: &str) -> String {
    if location.starts_with("/Volumes/") { format!("dbfs:{location}") } else { location.to_owned() }
}

#[rstest]
#[case(User::Nobody)]
#[case(User::Cluster)]
#[case(User::OtherStage)]
#[case(User::Job)]
#[case(User::Unseen)]
#[tokio::test]
async fn an_old_wheel_goes_when_nobody_uses_it(
    #[case] user: User,
    #[values("/Workspace/Shared/l", "/Volumes/c/s/l")] root: &str,
) {
    let stand = Stand::new().await;
    stand.fake.inside().large_job = user == User::Unseen;
    for number in 0..7 {
        let wheel = (format!("dbxdemo-0.{number}.0-py3-none-any.whl"), format!("wheel {number}"));
        let mut release = stand.built(&format!("r{number}"), &[], &[(&wheel.0, &wheel.1)]).await;
        root.clone_into(&mut release.spec.deploy.libraries.to);
        stand.deploy(&release).await.unwrap();
        let first = stand.work(&release, &[]).await.locations[0].clone();
        if number == 0 && user == User::Cluster {
            stand.fake.inside().libraries.push(spelled(&first));
        }
        if number == 0 && user == User::Job {
            stand.fake.inside().of_jobs.push(spelled(&first));
        }
        if number == 0 && user == User::OtherStage {
            let other = State::default().completed("other", &[first]);
            let other = other.begun(&Plan::default(), &author("other"));
            stand.fake.inside().put(&state::place(&["other"]), "FILE", &other.write().unwrap());
        }
    }
    let left = stand.fake.below(&super::super::super::key::key(root));
    let kept = match user {
        User::Nobody => 5,
        User::Unseen => 7,
        User::Cluster | User::OtherStage | User::Job => 6,
    };
    assert_eq!(left.len(), kept, "{left:?}");
    assert_eq!(left.iter().any(|place| place.contains("dbxdemo-0.0.0")), user != User::Nobody);
}

/// Each library has a folder to itself, which would be left for good.
#[rstest]
#[case("/Workspace/Shared/l", "workspace/delete /Shared/l/dbxdemo")]
#[case("/Volumes/c/s/l", "DELETE fs/directories /Volumes/c/s/l/dbxdemo")]
#[tokio::test]
async fn an_old_wheel_takes_its_folder_with_it(#[case] root: &str, #[case] name: &str) {
    let stand = Stand::new().await;
    for number in 0..6 {
        let wheel = (format!("dbxdemo-0.{number}.0-py3-none-any.whl"), format!("wheel {number}"));
        let mut release = stand.built(&format!("r{number}"), &[], &[(&wheel.0, &wheel.1)]).await;
        root.clone_into(&mut release.spec.deploy.libraries.to);
        stand.fake.calls();
        stand.deploy(&release).await.unwrap();
    }
    let calls = stand.fake.calls();
    let removed: Vec<&String> = calls.iter().filter(|call| call.starts_with(name)).collect();
    let digest = removed.iter().find(|call| call.len() == name.len() + "/0123456789ab".len());
    assert!(digest.is_some(), "{calls:?}");
}
