//! What is read is what was handed in, or an error.

use brickline_artifact::layout;
use brickline_crds::Reason;
use proptest::prelude::*;

use super::samples::{Shop, built, file, named, read, zipped};
use super::{Entry, copy, place};

const FILES: [(&str, &str); 2] = [("notebooks/a.py", "print(1)"), ("conf/a.json", "{}")];
const WHEELS: [(&str, &str); 1] = [("dbxdemo-0.1.0-py3-none-any.whl", "wheel")];

#[tokio::test]
async fn an_artifact_is_read_as_it_was_handed_in() {
    let shop = Shop::new();
    let digest = shop.hand_in("one", &built("one", &FILES, &WHEELS)).await;
    let content = shop.artifacts.open(Some(&named(&digest))).await.unwrap();
    let manifest = shop.artifacts.manifest(Some(&named(&digest))).await.unwrap();
    for (path, text) in FILES {
        assert_eq!(read(&content, &file(&manifest, path)).await.unwrap(), text);
    }
    assert_eq!(read(&content, &Entry::of_wheel(&manifest.wheels[0])).await.unwrap(), "wheel");
}

#[tokio::test]
async fn an_artifact_that_is_gone_says_what_to_do() {
    let shop = Shop::new();
    let digest = shop.hand_in("one", &built("one", &FILES, &[])).await;
    std::fs::remove_file(shop.file(&place::artifact(&digest))).unwrap();
    let trouble = shop.artifacts.open(Some(&named(&digest))).await.err().unwrap();
    let said = format!("artifact {digest} is no longer in the store: retention removed it; release the commit again");
    assert_eq!((trouble.reason, trouble.message, trouble.transient), (Reason::ArtifactFailed, said, false));
}

#[tokio::test]
async fn a_manifest_whose_copy_is_gone_is_read_from_the_artifact_and_copied_again() {
    let shop = Shop::new();
    let digest = shop.hand_in("one", &built("one", &FILES, &WHEELS)).await;
    let copy = shop.file(&place::manifest(&digest));
    let (before, manifest) = (std::fs::read(&copy).unwrap(), shop.artifacts.manifest(Some(&named(&digest))).await);
    std::fs::remove_file(&copy).unwrap();
    assert_eq!(shop.artifacts.manifest(Some(&named(&digest))).await, manifest);
    assert_eq!(std::fs::read(&copy).unwrap(), before);
}

#[tokio::test]
async fn a_build_that_packed_other_bytes_than_it_listed_is_found_out() {
    let shop = Shop::new();
    let honest = copy::seal(&[]);
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(built("one", &FILES, &[]))).unwrap();
    let mut text = Vec::new();
    std::io::Read::read_to_end(&mut zip.by_name(layout::MANIFEST_ENTRY).unwrap(), &mut text).unwrap();
    let entries = [(layout::MANIFEST_ENTRY.to_owned(), text), ("files/notebooks/a.py".to_owned(), honest)];
    let digest = shop.hand_in("one", &zipped(&entries)).await;
    let content = shop.artifacts.open(Some(&named(&digest))).await.unwrap();
    let manifest = shop.artifacts.manifest(Some(&named(&digest))).await.unwrap();
    let other = read(&content, &file(&manifest, "notebooks/a.py")).await.unwrap_err();
    assert!(other.to_string().contains("is not what its manifest says"), "{other}");
    let missing = read(&content, &file(&manifest, "conf/a.json")).await.unwrap_err();
    assert!(missing.to_string().contains("not readable"), "{missing}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_flipped_bit_of_an_artifact_is_an_error(at: usize) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let shop = Shop::new();
            let digest = shop.hand_in("one", &built("one", &FILES, &WHEELS)).await;
            shop.flip(&place::artifact(&digest), at);
            let trouble = shop.artifacts.open(Some(&named(&digest))).await.err().unwrap();
            assert!(trouble.message.contains("damaged") && !trouble.transient, "{}", trouble.message);
            let sources = [digest, shop.hand_in("two", &built("two", &[], &[])).await];
            assert_eq!(shop.artifacts.compose(&sources, false).await, Err(trouble));
        });
    }

    #[test]
    fn a_flipped_bit_of_a_manifests_copy_changes_nothing(at: usize) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let shop = Shop::new();
            let digest = shop.hand_in("one", &built("one", &FILES, &WHEELS)).await;
            let manifest = shop.artifacts.manifest(Some(&named(&digest))).await;
            shop.flip(&place::manifest(&digest), at);
            assert_eq!(shop.artifacts.manifest(Some(&named(&digest))).await, manifest);
        });
    }
}
