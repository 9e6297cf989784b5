use super::super::Entry;
use super::super::samples::{Shop, built, file, named, read};
use super::*;

const LIBRARY: (&str, &str) = ("dbxdemo-0.1.0-py3-none-any.whl", "wheel");

async fn two(shop: &Shop) -> [Digest; 2] {
    let code = built("code", &[("notebooks/a.py", "#!a"), ("notebooks/ü.py", "ü")], &[]);
    let library = built("library", &[("conf/a.json", "{}"), ("notebooks/a.py", "#!a")], &[LIBRARY]);
    [shop.hand_in("code", &code).await, shop.hand_in("library", &library).await]
}

#[tokio::test]
async fn one_artifact_is_taken_as_it_is() {
    let shop = Shop::new();
    let [only, _] = two(&shop).await;
    let before = std::fs::read_dir(shop.file(&"artifacts".into())).unwrap().count();
    for sources in [vec![only], vec![only, only]] {
        let taken = shop.artifacts.compose(&sources, false).await.unwrap();
        assert_eq!((&taken.digest, taken.uri), (&only.to_string(), place::artifact(&only).to_string()));
        assert_eq!(shop.artifacts.stat(&only).await.unwrap(), u64::try_from(taken.size).ok());
    }
    assert_eq!(std::fs::read_dir(shop.file(&"artifacts".into())).unwrap().count(), before, "nothing was copied");
}

#[tokio::test]
async fn several_become_one_that_holds_everything() {
    let shop = Shop::new();
    let sources = two(&shop).await;
    let composed = shop.artifacts.compose(&sources, false).await.unwrap();
    let content = shop.artifacts.open(Some(&composed)).await.unwrap();
    let manifest = shop.artifacts.manifest(Some(&composed)).await.unwrap();
    for (path, text) in [("notebooks/a.py", "#!a"), ("notebooks/ü.py", "ü"), ("conf/a.json", "{}")] {
        assert_eq!(read(&content, &file(&manifest, path)).await.unwrap(), text);
    }
    assert_eq!(read(&content, &Entry::of_wheel(&manifest.wheels[0])).await.unwrap(), LIBRARY.1);
    assert_eq!(manifest.made_of, sources);
    let size = std::fs::metadata(shop.file(&place::artifact(&composed.digest.parse().unwrap()))).unwrap().len();
    assert_eq!(u64::try_from(composed.size).unwrap(), size);
}

#[tokio::test]
async fn composing_again_gives_the_same_bytes_and_another_order_others() {
    let (shop, other) = (Shop::new(), Shop::new());
    let (sources, elsewhere) = (two(&shop).await, two(&other).await);
    let composed = shop.artifacts.compose(&sources, false).await.unwrap();
    assert_eq!(shop.artifacts.compose(&sources, false).await.unwrap(), composed);
    assert_eq!(other.artifacts.compose(&elsewhere, false).await.unwrap(), composed);
    let turned = [sources[1], sources[0]];
    assert_ne!(shop.artifacts.compose(&turned, false).await.unwrap(), composed);
}

/// The digest stands here, so that a change of the format, or of the library that writes it, is seen.
#[tokio::test]
async fn the_format_stays_what_it_is() {
    let shop = Shop::new();
    let composed = shop.artifacts.compose(&two(&shop).await, false).await.unwrap();
    assert_eq!(composed.digest, "sha256:9275ec7d5891e490dd67d7baaad6461cdf94499215e0a02551b578a377e2c8fa");
}

#[tokio::test]
async fn what_does_not_fit_together_is_refused_for_good() {
    let shop = Shop::new();
    let [first, _] = two(&shop).await;
    let other = shop.hand_in("other", &built("other", &[("notebooks/a.py", "other")], &[])).await;
    let trouble = shop.artifacts.compose(&[first, other], false).await.unwrap_err();
    let digests = ["#!a", "other"].map(|content| Digest::of(content.as_bytes()).to_string());
    assert!(digests.iter().all(|digest| trouble.message.contains(digest)), "{}", trouble.message);
    assert!(trouble.message.contains("notebooks/a.py") && !trouble.transient);
    let composed = shop.artifacts.compose(&[first, other], true).await.unwrap();
    let content = shop.artifacts.open(Some(&composed)).await.unwrap();
    let manifest = shop.artifacts.manifest(Some(&composed)).await.unwrap();
    assert_eq!(read(&content, &file(&manifest, "notebooks/a.py")).await.unwrap(), "#!a");
}

#[tokio::test]
async fn an_artifact_that_is_gone_is_named() {
    let shop = Shop::new();
    let ([first, _], never) = (two(&shop).await, Digest::of(b"never"));
    assert_eq!(shop.artifacts.stat(&never).await.unwrap(), None);
    for sources in [vec![never], vec![first, never]] {
        let trouble = shop.artifacts.compose(&sources, false).await.unwrap_err();
        assert!(trouble.message.contains(&never.to_string()) && !trouble.transient, "{}", trouble.message);
    }
    assert!(!shop.artifacts.compose(&[], false).await.unwrap_err().transient);
}

#[tokio::test]
async fn a_zip_that_is_no_artifact_is_never_taken_for_one() {
    let shop = Shop::new();
    let junk = Digest::of(b"junk");
    std::fs::create_dir_all(shop.file(&"artifacts".into())).unwrap();
    std::fs::write(shop.file(&place::artifact(&junk)), "junk").unwrap();
    let trouble = shop.artifacts.open(Some(&named(&junk))).await.err().unwrap();
    assert!(trouble.message.contains("not readable") && !trouble.transient, "{}", trouble.message);
}
