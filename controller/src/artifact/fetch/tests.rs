//! What is fetched is what the release names, whole and honest, from where the platform allows; or nothing is kept.

use std::time::Duration;

use brickline_artifact::Digest;
use brickline_crds::Reason;
use bytes::Bytes;
use jiff::Timestamp;
use rstest::rstest;
use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use url::Url;
use wiremock::matchers::{header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::super::samples::{Shop, built, file, named, read, zipped};
use super::super::sweep::Marks;
use super::{Fetched, Remote, place};
use crate::databricks::{HttpConfig, connect};
use crate::forge::Proof;
use crate::trouble::Trouble;

const FILES: [(&str, &str); 2] = [("notebooks/a.py", "print(1)"), ("conf/a.json", "{}")];
const WHEELS: [(&str, &str); 1] = [("dbxdemo-0.1.0-py3-none-any.whl", "wheel")];
/// What stands in every URL here and nowhere else.
const SECRET: &str = "hunter2";

fn zip() -> Bytes {
    built("elsewhere", &FILES, &WHEELS)
}

/// A release's wish.
struct Wish {
    shop: Shop,
    url: String,
    hosts: Vec<String>,
    digest: Digest,
    namespace: &'static str,
    limit: u64,
    token: Option<&'static str>,
    patience: Duration,
}

impl Wish {
    /// For what lies at `/dbxdemo/1.zip` of this server alone.
    fn of(server: &str, zip: &Bytes) -> Self {
        Self {
            shop: Shop::new(),
            url: format!("{server}/dbxdemo/1.zip?sig={SECRET}"),
            hosts: vec![server.to_owned()],
            digest: Digest::of(zip),
            namespace: "data",
            limit: 1 << 20,
            token: None,
            patience: Duration::from_secs(30),
        }
    }

    async fn fetch(&self) -> Result<Fetched, Trouble> {
        let remote = Remote {
            namespace: self.namespace,
            url: Url::parse(&self.url).unwrap(),
            digest: self.digest,
            http: connect(&HttpConfig::default()).unwrap(),
            proof: self.token.map(|token| Proof::Token(SecretString::from(token))),
            hosts: &self.hosts,
            patience: self.patience,
            limit: self.limit,
        };
        let fetched = self.shop.artifacts.fetch(&remote).await;
        let said = fetched.as_ref().map_or_else(|trouble| &trouble.message, |fetched| &fetched.message);
        assert!(!said.contains(SECRET) && !said.contains("/dbxdemo/1.zip"), "{said}");
        fetched
    }

    /// Expects a refusal, and that nothing was kept.
    async fn refused(&self, reason: Reason, transient: bool, words: &str) {
        let trouble = self.fetch().await.unwrap_err();
        assert_eq!((trouble.reason, trouble.transient), (reason, transient), "{}", trouble.message);
        assert!(trouble.message.contains(words), "{}", trouble.message);
        assert_eq!(self.shop.artifacts.stat(&self.digest).await, Ok(None));
    }
}

async fn serving(zip: &Bytes) -> MockServer {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(200).set_body_bytes(zip.to_vec());
    let asked = Mock::given(method("GET")).and(path("/dbxdemo/1.zip")).and(query_param("sig", SECRET));
    asked.and(header("accept-encoding", "identity")).respond_with(answer).mount(&server).await;
    server
}

async fn answering(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("GET")).respond_with(answer).mount(&server).await;
    server
}

async fn asked(server: &MockServer) -> usize {
    server.received_requests().await.unwrap_or_default().len()
}

#[tokio::test]
async fn it_is_kept_like_one_that_was_built_here() {
    let zip = zip();
    let server = serving(&zip).await;
    let wish = Wish::of(&server.uri(), &zip);
    let Fetched { artifact, message } = wish.fetch().await.unwrap();
    let size = i64::try_from(zip.len()).unwrap();
    assert_eq!((artifact.digest, artifact.size), (wish.digest.to_string(), size));
    assert!(message.contains("refs/heads/release, commit 9b1c0de"), "{message}");
    let artifacts = &wish.shop.artifacts;
    let content = artifacts.open(Some(&named(&wish.digest))).await.unwrap();
    let manifest = artifacts.manifest(Some(&named(&wish.digest))).await.unwrap();
    for (path, text) in FILES {
        assert_eq!(read(&content, &file(&manifest, path)).await.unwrap(), text);
    }
}

#[tokio::test]
async fn it_is_asked_for_once_but_once_by_each_namespace() {
    let zip = zip();
    let server = serving(&zip).await;
    let mut wish = Wish::of(&server.uri(), &zip);
    // A build of another release left it here: that gives nobody else a right to it.
    wish.shop.hand_in("one", &zip).await;
    let mut seen = Vec::new();
    for namespace in ["data", "data", "ml", "data"] {
        wish.namespace = namespace;
        wish.fetch().await.unwrap();
        seen.push(asked(&server).await);
    }
    assert_eq!(seen, [1, 1, 2, 2]);
}

#[tokio::test]
async fn what_was_damaged_meanwhile_is_asked_for_again() {
    let zip = zip();
    let server = serving(&zip).await;
    let wish = Wish::of(&server.uri(), &zip);
    wish.fetch().await.unwrap();
    wish.shop.flip(&place::artifact(&wish.digest), 40);
    wish.fetch().await.unwrap();
    assert_eq!(asked(&server).await, 2);
    wish.shop.artifacts.open(Some(&named(&wish.digest))).await.map(drop).unwrap();
}

#[tokio::test]
async fn a_sweep_that_began_before_counts_it_as_new() {
    let zip = zip();
    let server = serving(&zip).await;
    let wish = Wish::of(&server.uri(), &zip);
    wish.fetch().await.unwrap();
    let day = Duration::from_hours(24);
    let old = std::time::SystemTime::now() - 2 * day;
    let stored = std::fs::File::options().write(true).open(wish.shop.file(&place::artifact(&wish.digest))).unwrap();
    stored.set_modified(old).unwrap();
    wish.fetch().await.unwrap();
    wish.shop.artifacts.sweep(&Marks::default(), day, Timestamp::now()).await.unwrap();
    assert_eq!(wish.shop.artifacts.stat(&wish.digest).await, Ok(Some(zip.len() as u64)));
}

#[tokio::test]
async fn another_file_is_not_taken() {
    let server = serving(&built("another", &FILES, &WHEELS)).await;
    let words = "and source.artifact.digest says sha256:";
    Wish::of(&server.uri(), &zip()).refused(Reason::ArtifactFailed, false, words).await;
}

#[rstest]
#[case::no_zip(Bytes::from_static(b"<html>log in</html>"), "not an artifact")]
#[case::no_manifest(zipped(&[("files/a".into(), b"a".to_vec())]), "not an artifact")]
#[case::no_manifest_of_ours(zipped(&[("manifest.json".into(), b"{}".to_vec())]), "not an artifact: the manifest is not readable")]
#[case::steps_out(listing("../../etc/passwd", "root", b"root"), "not an artifact: the manifest is not readable")]
#[case::other_bytes(
    listing("a.py", "print(1)", b"print(2)"),
    "files/a.py in the artifact is not what its manifest says"
)]
#[case::fewer_bytes(listing("a.py", "print(1)", b"print"), "files/a.py in the artifact is not what its manifest says")]
#[case::more_bytes(listing("a.py", "print(1)", &[b'1'; 4096]), "files/a.py in the artifact is not what its manifest says")]
#[case::nothing_of_it(listing("b.py", "print(1)", b""), "files/b.py in the artifact is not what its manifest says")]
#[tokio::test]
async fn what_is_no_honest_artifact_is_not_taken(#[case] zip: Bytes, #[case] words: &str) {
    let server = serving(&zip).await;
    Wish::of(&server.uri(), &zip).refused(Reason::ArtifactFailed, false, words).await;
}

/// An artifact whose manifest lists this file with this content, and whose zip holds something else there.
fn listing(path: &str, content: &str, really: &[u8]) -> Bytes {
    let honest = built("one", &[("placeholder", content)], &[]);
    let mut honest = zip::ZipArchive::new(std::io::Cursor::new(honest)).unwrap();
    let text = std::io::read_to_string(honest.by_name("manifest.json").unwrap()).unwrap();
    let entries = [
        ("manifest.json".to_owned(), text.replace("placeholder", path).into_bytes()),
        (format!("files/{path}"), really.to_vec()),
    ];
    zipped(&entries)
}

#[rstest]
#[case::nobody(401, None, Reason::AuthenticationFailed, false, "name credentials in source.artifact.credentialsRef")]
#[case::signature_expired(403, None, Reason::AuthenticationFailed, false, "a signed URL may have expired")]
#[case::wrong_token(401, Some("t"), Reason::AuthenticationFailed, false, "check the Secret")]
#[case::no_such_file(404, None, Reason::ArtifactFailed, false, "no such file (404)")]
#[case::gone(410, None, Reason::ArtifactFailed, false, "no such file (410)")]
#[case::a_part(206, None, Reason::ArtifactFailed, false, "answered 206, and no file")]
#[case::odd(418, None, Reason::ArtifactFailed, false, "answered 418, and no file")]
#[case::too_many_requests(429, None, Reason::ArtifactFailed, true, "no answer at the moment (429)")]
#[case::broken(500, None, Reason::ArtifactFailed, true, "no answer at the moment (500)")]
#[tokio::test]
async fn a_refusal_says_whether_it_may_heal(
    #[case] status: u16,
    #[case] token: Option<&'static str>,
    #[case] reason: Reason,
    #[case] transient: bool,
    #[case] words: &str,
) {
    let server = answering(ResponseTemplate::new(status)).await;
    let wish = Wish { token, ..Wish::of(&server.uri(), &zip()) };
    wish.refused(reason, transient, words).await;
    assert_eq!(asked(&server).await, 1);
}

#[tokio::test]
async fn a_host_that_is_away_for_a_moment_is_asked_again() {
    let zip = zip();
    let server = serving(&zip).await;
    let away = Mock::given(method("GET")).respond_with(ResponseTemplate::new(503));
    away.up_to_n_times(1).with_priority(1).mount(&server).await;
    let wish = Wish::of(&server.uri(), &zip);
    wish.refused(Reason::ArtifactFailed, true, "no answer at the moment (503)").await;
    wish.fetch().await.unwrap();
}

#[rstest]
#[case::announced(true)]
#[case::found_out(false)]
#[tokio::test]
async fn too_much_is_not_taken(#[case] announced: bool) {
    let zip = zip();
    let server = if announced {
        serving(&zip).await.uri()
    } else {
        let chunk = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n", zip.len());
        saying([chunk.as_bytes(), &zip, b"\r\n0\r\n\r\n"].concat(), true).await
    };
    let wish = Wish { limit: zip.len() as u64 - 1, ..Wish::of(&server, &zip) };
    wish.refused(Reason::ArtifactFailed, false, "more than").await;
}

/// A server that says this to the first who asks, then hangs up or falls silent.
async fn saying(words: Vec<u8>, hangs_up: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).await.unwrap();
        stream.write_all(&words).await.unwrap();
        if !hangs_up {
            std::future::pending::<()>().await;
        }
    });
    format!("http://{address}")
}

#[rstest]
#[case::cut_off(true, Duration::from_secs(30), "the transfer broke")]
#[case::silent(false, Duration::from_millis(50), "nothing came for 50ms")]
#[tokio::test]
async fn half_a_file_is_not_taken(#[case] hangs_up: bool, #[case] patience: Duration, #[case] words: &str) {
    let zip = zip();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", zip.len());
    let server = saying([head.as_bytes(), &zip[..zip.len() / 2]].concat(), hangs_up).await;
    let wish = Wish { patience, ..Wish::of(&server, &zip) };
    wish.refused(Reason::ArtifactFailed, true, words).await;
}

#[tokio::test]
async fn a_host_that_does_not_answer_is_given_up() {
    let server = saying(Vec::new(), false).await;
    let wish = Wish { patience: Duration::from_millis(50), ..Wish::of(&server, &zip()) };
    wish.refused(Reason::ArtifactFailed, true, "did not answer within 50ms").await;
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    Wish::of(&format!("http://{nobody}"), &zip()).refused(Reason::ArtifactFailed, true, "can't be reached").await;
}

#[tokio::test]
async fn a_redirect_is_followed_to_a_listed_host() {
    let zip = zip();
    let far = serving(&zip).await;
    let to = format!("{}/dbxdemo/1.zip?sig={SECRET}", far.uri());
    let near = answering(ResponseTemplate::new(302).insert_header("location", to.as_str())).await;
    let mut wish = Wish::of(&near.uri(), &zip);
    let words = format!("127.0.0.1:{} is none of them", far.address().port());
    wish.refused(Reason::NotAuthorized, false, &words).await;
    assert_eq!(asked(&far).await, 0);
    wish.hosts.push(far.uri());
    wish.fetch().await.unwrap();
}

#[rstest]
#[case::in_a_circle("/again", "more than 3 redirects")]
#[case::with_a_user("http://ana:hunter2@127.0.0.1/", "to where nobody is sent")]
#[case::to_no_address("http://[", "to where nobody is sent")]
#[case::to_another_scheme("file:///etc/passwd", "to where nobody is sent")]
#[tokio::test]
async fn other_redirects_are_not_followed(#[case] to: &str, #[case] words: &str) {
    let server = answering(ResponseTemplate::new(307).insert_header("location", to)).await;
    Wish::of(&server.uri(), &zip()).refused(Reason::ArtifactFailed, false, words).await;
}

#[tokio::test]
async fn credentials_go_to_the_host_and_no_further() {
    let zip = zip();
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(200).set_body_bytes(zip.to_vec());
    Mock::given(header("authorization", "Bearer t")).respond_with(answer).mount(&server).await;
    let wish = Wish { token: Some("t"), ..Wish::of(&server.uri(), &zip) };
    wish.fetch().await.unwrap();

    let to = format!("{}/dbxdemo/1.zip", server.uri());
    let redirecting = answering(ResponseTemplate::new(302).insert_header("location", to.as_str())).await;
    let mut wish = Wish { token: Some("t"), ..Wish::of(&redirecting.uri(), &zip) };
    wish.hosts.push(server.uri());
    wish.refused(Reason::ArtifactFailed, false, "not followed with credentials").await;
    assert_eq!((asked(&server).await, asked(&redirecting).await), (1, 1));
    let wish = Wish { token: Some("a\nb"), ..Wish::of(&server.uri(), &zip) };
    wish.refused(Reason::AuthenticationFailed, false, "characters that no token has").await;
}
