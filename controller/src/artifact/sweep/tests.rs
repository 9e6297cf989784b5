use object_store::path::Path;
use proptest::prelude::*;

use super::super::samples::{Shop, built};
use super::*;

const GRACE: Duration = Duration::from_hours(24);
const OLD: Duration = Duration::from_hours(25);
const YOUNG: Duration = Duration::from_hours(1);

fn marks(artifacts: &[Digest], releases: &[&str]) -> Marks {
    let releases = releases.iter().map(|uid| ("data".to_owned(), (*uid).to_owned())).collect();
    Marks { artifacts: artifacts.iter().copied().collect(), releases, pipelines: [].into() }
}

async fn sweep(shop: &Shop, marks: &Marks) -> Swept {
    shop.artifacts.sweep(marks, GRACE, Timestamp::now()).await.unwrap()
}

fn put_artifact(shop: &Shop, name: &str, age: Duration) -> Digest {
    let digest = Digest::of(name.as_bytes());
    shop.put(&place::artifact(&digest), age);
    shop.put(&place::manifest(&digest), age);
    digest
}

/// Two objects of a release.
fn put_release(shop: &Shop, uid: &str, age: Duration) -> [Path; 2] {
    let places = [
        place::of_job("data", uid, "artifact", 1, place::REPORT),
        place::of_job("data", uid, "unit.py311", 1, "log/steps/0"),
    ];
    for place in &places {
        shop.put(place, age);
    }
    places
}

#[tokio::test]
async fn an_empty_store_is_swept() {
    assert_eq!(sweep(&Shop::new(), &Marks::default()).await, Swept::default());
}

#[tokio::test]
async fn what_nobody_needs_goes_and_is_counted() {
    let shop = Shop::new();
    let (marked, gone) = (put_artifact(&shop, "marked", OLD), put_artifact(&shop, "gone", OLD));
    let (live, dead) = (put_release(&shop, "live", OLD), put_release(&shop, "dead", OLD));
    let marks = marks(&[marked], &["live"]);
    let swept = sweep(&shop, &marks).await;
    assert_eq!(swept, Swept { artifacts: 1, releases: 1, bytes: 28, kept: 28, failed: 0 });
    let kept = live.into_iter().chain([place::artifact(&marked), place::manifest(&marked)]);
    assert!(kept.into_iter().all(|place| shop.file(&place).exists()));
    let left = dead.into_iter().chain([place::artifact(&gone), place::manifest(&gone)]);
    assert!(left.into_iter().all(|place| !shop.file(&place).exists()));
    let again = sweep(&shop, &marks).await;
    assert_eq!(again, Swept { kept: 28, ..Swept::default() }, "sweeping again is harmless");
}

#[tokio::test]
async fn a_pipelines_history_stays_as_long_as_the_pipeline() {
    let shop = Shop::new();
    let [live, dead] = ["live", "dead"].map(|name| place::history("data", name, "staging"));
    for place in [&live, &dead] {
        shop.put(place, OLD);
    }
    let marks = Marks { pipelines: [("data".to_owned(), "live".to_owned())].into(), ..Marks::default() };
    sweep(&shop, &marks).await;
    assert!(shop.file(&live).exists() && !shop.file(&dead).exists());
}

#[tokio::test]
async fn what_is_young_stays_whoever_needs_it() {
    let shop = Shop::new();
    put_artifact(&shop, "uploaded just now", YOUNG);
    put_release(&shop, "unknown", YOUNG);
    assert_eq!(sweep(&shop, &Marks::default()).await, Swept { kept: 28, ..Swept::default() });
}

#[tokio::test]
async fn what_is_not_of_the_store_is_left_alone() {
    let shop = Shop::new();
    for place in ["lost+found/file", "artifacts/readme.txt", "releases/readme.txt", "notes.txt"] {
        shop.put(&place.into(), OLD);
    }
    sweep(&shop, &Marks::default()).await;
    for place in ["lost+found/file", "artifacts/readme.txt", "releases/readme.txt", "notes.txt"] {
        assert!(shop.file(&place.into()).exists(), "{place}");
    }
}

#[tokio::test]
async fn an_upload_that_broke_off_goes_and_one_under_way_stays() {
    let shop = Shop::new();
    let zip = put_artifact(&shop, "marked", OLD);
    let part = |number: u32| shop.file(&place::artifact(&zip)).with_extension(format!("zip#{number}"));
    std::fs::write(part(1), "broken off").unwrap();
    let old = SystemTime::now() - OLD;
    std::fs::File::options().write(true).open(part(1)).unwrap().set_modified(old).unwrap();
    std::fs::write(part(2), "under way").unwrap();
    sweep(&shop, &marks(&[zip], &[])).await;
    let there = [part(1), part(2), shop.file(&place::artifact(&zip))].map(|file| file.exists());
    assert_eq!(there, [false, true, true]);
}

#[tokio::test]
async fn an_artifact_that_is_stored_again_is_young_again() {
    let shop = Shop::new();
    let sources = [built("one", &[("a", "a")], &[]), built("two", &[("b", "b")], &[])];
    let sources = [shop.hand_in("one", &sources[0]).await, shop.hand_in("two", &sources[1]).await];
    let composed = shop.artifacts.compose(&sources, false).await.unwrap();
    let digest = composed.digest.parse().unwrap();
    put_age(&shop, &digest, OLD);
    shop.artifacts.compose(&sources, false).await.unwrap();
    sweep(&shop, &Marks::default()).await;
    assert!(shop.artifacts.stat(&digest).await.unwrap().is_some());
}

#[tokio::test]
async fn an_artifact_that_is_being_stored_stays() {
    let shop = Shop::new();
    let digest = put_artifact(&shop, "old", OLD);
    let claim = shop.artifacts.claims.claim(&digest).unwrap();
    assert_eq!(sweep(&shop, &Marks::default()).await, Swept { kept: 14, ..Swept::default() });
    drop(claim);
    assert_eq!(sweep(&shop, &Marks::default()).await.artifacts, 1);
}

/// Lets an artifact grow old.
fn put_age(shop: &Shop, digest: &Digest, age: Duration) {
    for place in [place::artifact(digest), place::manifest(digest)] {
        let file = std::fs::File::options().write(true).open(shop.file(&place)).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Each number is an artifact, or a release: whether it is marked, and its age in hours.
    #[test]
    fn what_is_marked_or_young_stays_and_all_else_goes(
        artifacts in proptest::collection::vec((any::<bool>(), 0_u64..48), 0..12),
        releases in proptest::collection::vec((any::<bool>(), 0_u64..48), 0..6),
    ) {
        let shop = Shop::new();
        let mut marks = Marks::default();
        let mut expected = Vec::new();
        // Half an hour keeps the ages away from the limit.
        let age = |hours: u64| Duration::from_hours(hours) + Duration::from_mins(30);
        for (number, (marked, hours)) in artifacts.into_iter().enumerate() {
            let digest = put_artifact(&shop, &number.to_string(), age(hours));
            marks.artifacts.extend(marked.then_some(digest));
            expected.push((place::artifact(&digest), marked || hours < 24));
            expected.push((place::manifest(&digest), marked || hours < 24));
        }
        for (number, (live, hours)) in releases.into_iter().enumerate() {
            let uid = number.to_string();
            marks.releases.extend(live.then(|| ("data".to_owned(), uid.clone())));
            expected.extend(put_release(&shop, &uid, age(hours)).map(|place| (place, live || hours < 24)));
        }
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let swept = runtime.block_on(sweep(&shop, &marks));
        for (place, stays) in &expected {
            prop_assert_eq!(shop.file(place).exists(), *stays, "{}", place);
        }
        let staying = expected.iter().filter(|(_, stays)| *stays).count();
        prop_assert_eq!(swept.kept, 7 * staying as u64);
        prop_assert_eq!(swept.bytes, 7 * (expected.len() - staying) as u64);
    }

    /// A place is only an artifact's or a release's if it is where those are put.
    #[test]
    fn any_place_is_read_for_what_it_is(
        place in "((artifacts|releases|history|other)/)?([0-9a-f]{64}|[a-f./#]{0,9})(/a/b|[.]zip)?",
    ) {
        let path = Path::from(place.as_str());
        match place::owner(&path) {
            Owner::Artifact(digest) => {
                let named = place::artifact(&digest);
                prop_assert!(path.as_ref().starts_with(named.as_ref().trim_end_matches(".zip")), "{}", place);
            }
            Owner::Release(namespace, uid) => {
                let folder = format!("releases/{namespace}/{uid}/");
                prop_assert!(path.as_ref().starts_with(&folder), "{}", place);
            }
            Owner::Pipeline(namespace, name) => {
                let folder = format!("history/{namespace}/{name}/");
                prop_assert!(path.as_ref().starts_with(&folder), "{}", place);
            }
            Owner::Nobody => {}
        }
    }
}
