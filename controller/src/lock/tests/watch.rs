//! Those who wait learn that a lock became free, also when the watch broke meanwhile.

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::runtime::watcher::Event;
use rstest::rstest;

use super::super::lease::lease;
use super::super::watch::Holders;
use super::{clusters, holder, only};

/// `one/a`: the Lease of cluster `a`, held by release `one`.
fn held(text: &str) -> Lease {
    let (release, cluster) = text.split_once('/').unwrap();
    let mut lease = lease(only(&clusters(&[cluster])), &holder(release), Timestamp::UNIX_EPOCH);
    if release.is_empty() {
        lease.spec.as_mut().unwrap().holder_identity = None;
    }
    lease
}

fn events(text: &str) -> Vec<Event<Lease>> {
    let event = |word: &str| match word.split_once(' ') {
        Some(("list", lease)) => Event::InitApply(held(lease)),
        Some(("set", lease)) => Event::Apply(held(lease)),
        Some(("delete", lease)) => Event::Delete(held(lease)),
        _ if word == "begin" => Event::Init,
        _ => Event::InitDone,
    };
    text.split(", ").map(event).collect()
}

#[rstest]
#[case::given_back("begin, list one/a, done, delete one/a", "a")]
#[case::taken_over("begin, list one/a, done, set two/a", "a")]
#[case::emptied("begin, list one/a, done, set /a", "a")]
#[case::touched("begin, list one/a, done, set one/a", "")]
#[case::taken("begin, done, set one/a", "")]
#[case::the_first_list_frees_nothing("begin, list one/a, list two/b, done", "")]
#[case::deleted_while_the_watch_was_broken("begin, list one/a, list two/b, done, begin, list two/b, done", "a")]
#[case::taken_over_while_it_was_broken("begin, list one/a, done, begin, list two/a, done", "a")]
#[case::nothing_missed("begin, list one/a, done, begin, list one/a, done", "")]
#[case::a_list_that_broke_off("begin, list one/a, done, begin, begin, list one/a, done", "")]
#[case::given_back_twice("begin, list one/a, done, delete one/a, set two/a, delete two/a", "a a")]
fn tells_what_became_free(#[case] happened: &str, #[case] freed: &str) {
    let mut holders = Holders::default();
    let told: Vec<String> = events(happened).iter().flat_map(|event| holders.note(event)).collect();
    let expected: Vec<String> = freed.split_whitespace().map(|id| only(&clusters(&[id])).name().to_owned()).collect();
    assert_eq!(told, expected);
}
