//! Which hosts are asked, and what is said of them.

use brickline_crds::{DatabricksRelease, DatabricksReleaseSpec, Reason, RemoteArtifact, Source};
use rstest::rstest;

use super::{begins, refused};

fn release(url: &str) -> DatabricksRelease {
    let artifact = RemoteArtifact { url: url.to_owned(), digest: "sha256:0f".to_owned(), credentials_ref: None };
    let source = Source { artifact: Some(artifact), ..Source::default() };
    DatabricksRelease::new("one", DatabricksReleaseSpec { source, ..DatabricksReleaseSpec::default() })
}

#[rstest]
#[case::listed("https://store.example.com/1.zip", None)]
#[case::another("https://other.example.com/1.zip", Some((Reason::NotAuthorized, "host other.example.com of")))]
#[case::plain("http://store.example.com/1.zip", Some((Reason::NotAuthorized, "artifactSources.allowedHosts")))]
#[case::another_port("https://store.example.com:8443/1.zip", Some((Reason::NotAuthorized, "store.example.com")))]
#[case::an_address("https://169.254.169.254/latest", Some((Reason::NotAuthorized, "host 169.254.169.254 of")))]
#[case::a_disguised_address("https://0xa9fea9fe/latest", Some((Reason::NotAuthorized, "host 169.254.169.254 of")))]
#[case::a_user_in_front("https://store.example.com@evil.example/1.zip", Some((Reason::InvalidSpec, "not the address")))]
#[case::nothing("nonsense", Some((Reason::InvalidSpec, "not the address of a file")))]
fn only_listed_hosts_are_asked(#[case] url: &str, #[case] expected: Option<(Reason, &str)>) {
    let allowed = ["store.example.com".to_owned()];
    let trouble = refused(&release(url), &allowed);
    assert_eq!(trouble.as_ref().map(|trouble| trouble.reason), expected.map(|(reason, _)| reason));
    let said = trouble.map(|trouble| trouble.message).unwrap_or_default();
    assert!(said.contains(expected.map_or("", |(_, words)| words)), "{said}");
}

#[test]
fn without_a_list_none_is_asked() {
    // As an empty value of the chart arrives.
    let trouble = refused(&release("https://store.example.com/1.zip"), &[String::new()]).unwrap();
    assert_eq!((trouble.reason, trouble.transient), (Reason::NotAuthorized, false));
    assert_eq!(refused(&DatabricksRelease::new("one", DatabricksReleaseSpec::default()), &[]), None);
}

#[test]
fn what_is_said_of_a_url_is_its_host_alone() {
    let release = release("https://store.example.com/secret/1.zip?signature=secret");
    let said = begins(super::remote(&release).unwrap());
    assert_eq!(said, "fetching sha256:0f from store.example.com");
}
