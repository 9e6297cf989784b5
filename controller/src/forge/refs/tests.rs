//! Refs of real repositories, served by git itself, and of servers that lie.

use std::path::Path;
use std::process::{Command, Stdio};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use http::{HeaderMap, StatusCode};
use proptest::prelude::*;
use rstest::rstest;
use secrecy::SecretString;
use wiremock::matchers::{header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;

const COMMIT: &str = "9b1c0de9b1c0de9b1c0de9b1c0de9b1c0de9b1c0";
const ADVERTISED: &str = "application/x-git-upload-pack-advertisement";
const RESULT: &str = "application/x-git-upload-pack-result";

fn patterns(patterns: &[&str]) -> Vec<String> {
    patterns.iter().map(|pattern| (*pattern).to_owned()).collect()
}

fn remote(url: &str, proof: Option<Proof>) -> Remote {
    // As the controller's: no redirects.
    let http = crate::databricks::connect(&crate::databricks::HttpConfig::default()).unwrap();
    let credentials = proof.map(|proof| Credentials { proof, authority: None });
    Remote { http, url: address(url).unwrap(), credentials }
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=Ana", "-c", "user.email=ana@example.com", "-c", "tag.gpgSign=false"]);
    command.args(arguments).current_dir(folder).env("GIT_CONFIG_GLOBAL", "/dev/null");
    let output = command.output().expect("git runs");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A repository with branches and an annotated tag, and the commits of `releases` and of the others.
fn repository(format: &str) -> (tempfile::TempDir, String, String) {
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["init", "-q", "-b", "releases", "--object-format", format, "data.git"]);
    let tree = folder.path().join("data.git");
    git(&tree, &["commit", "-q", "--allow-empty", "-m", "one"]);
    let first = git(&tree, &["rev-parse", "HEAD"]);
    for branch in ["release/1", "release/2/x", "release-old", "main"] {
        git(&tree, &["branch", branch]);
    }
    git(&tree, &["tag", "-a", "-m", "v1", "v1"]);
    git(&tree, &["commit", "-q", "--allow-empty", "-m", "two"]);
    let second = git(&tree, &["rev-parse", "HEAD"]);
    (folder, second, first)
}

/// What git's own CGI program answers. `version`: whether it hears of the protocol's version.
fn backend(root: &Path, version: Option<&str>, request: &http::request::Parts, body: &[u8]) -> (HeaderMap, Vec<u8>) {
    use std::io::Write as _;
    let mut command = Command::new("git");
    command.arg("http-backend").env("GIT_PROJECT_ROOT", root).env("GIT_HTTP_EXPORT_ALL", "1");
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("REQUEST_METHOD", request.method.as_str());
    command.env("PATH_INFO", request.uri.path()).env("QUERY_STRING", request.uri.query().unwrap_or_default());
    let header = |name| request.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    command.env("CONTENT_TYPE", header("content-type")).env("CONTENT_LENGTH", body.len().to_string());
    command.env("GIT_PROTOCOL", version.unwrap_or_default());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("git runs");
    child.stdin.take().unwrap().write_all(body).unwrap();
    let output = child.wait_with_output().unwrap();
    let end = output.stdout.windows(4).position(|window| window == b"\r\n\r\n").expect("headers");
    let lines = std::str::from_utf8(&output.stdout[..end]).unwrap().lines();
    let headers = lines.filter_map(|line| line.split_once(": ")).filter(|(name, _)| *name != "Status");
    let headers = headers.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
    (headers, output.stdout[end + 4..].to_vec())
}

/// A server of the repositories below `root`. `version`: `None` passes on what the client asks for.
async fn serve(root: &Path, version: Option<&'static str>) -> String {
    let root = root.to_owned();
    let answer = async move |request: Request| {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        let asked = parts.headers.get("git-protocol").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let spoken = version.map_or(asked, |version| Some(version.to_owned()));
        let work = tokio::task::spawn_blocking(move || backend(&root, spoken.as_deref(), &parts, &body));
        let (headers, body) = work.await.unwrap();
        (StatusCode::OK, headers, Body::from(body))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    format!("http://{address}")
}

#[rstest]
#[case::version_2(None)]
#[case::version_1(Some("version=1"))]
#[case::version_0(Some(""))]
#[tokio::test]
async fn branches_are_listed_in_every_version_of_the_protocol(
    #[case] version: Option<&'static str>,
    #[values("sha1", "sha256")] format: &str,
) {
    let (folder, newest, first) = repository(format);
    let server = serve(folder.path(), version).await;
    let list = async |wanted: &[&str]| {
        let remote = remote(&format!("{server}/data.git"), None);
        remote.list(&patterns(wanted), PATIENCE).await.unwrap()
    };
    let refs = |refs: &[(&str, &String)]| -> Refs {
        refs.iter().map(|(name, commit)| (format!("refs/heads/{name}"), (*commit).clone())).collect()
    };
    assert_eq!(list(&["releases"]).await, refs(&[("releases", &newest)]));
    assert_eq!(list(&["release/*", "main"]).await, refs(&[("release/1", &first), ("main", &first)]));
    assert_eq!(list(&["release/**"]).await, refs(&[("release/1", &first), ("release/2/x", &first)]));
    let all = [("main", &first), ("release-old", &first), ("releases", &newest)];
    assert_eq!(list(&["*"]).await, refs(&all));
    assert_eq!(list(&["gone", "v1"]).await, Refs::new());
}

#[rstest]
#[case::version_2(None)]
#[case::version_0(Some(""))]
#[tokio::test]
async fn an_empty_repository_has_no_branches(#[case] version: Option<&'static str>) {
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["init", "-q", "--bare", "data.git"]);
    let server = serve(folder.path(), version).await;
    assert_eq!(remote(&format!("{server}/data.git/"), None).list(&patterns(&["*"]), PATIENCE).await, Ok(Refs::new()));
}

/// An advertisement of version 0 with these lines.
fn advertised(lines: &[String]) -> Vec<u8> {
    let mut body = b"001e# service=git-upload-pack\n0000".to_vec();
    for line in lines {
        body.extend_from_slice(format!("{:04x}{line}", line.len() + 4).as_bytes());
    }
    body.extend_from_slice(b"0000");
    body
}

async fn answering(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/gitea/data/dbxdemo.git/info/refs"))
        .and(query_param("service", "git-upload-pack"))
        .and(header("git-protocol", "version=2"))
        .respond_with(answer)
        .mount(&server)
        .await;
    server
}

async fn list_of(server: &MockServer, proof: Option<Proof>) -> Result<Refs, Trouble> {
    let url = format!("{}/gitea/data/dbxdemo.git", server.uri());
    remote(&url, proof).list(&patterns(&["release"]), PATIENCE).await
}

fn page(body: impl Into<Vec<u8>>) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(body, ADVERTISED)
}

#[rstest]
#[case::password(Proof::Password { username: "bot".into(), password: SecretString::from("canary") }, "bot:canary")]
#[case::token(Proof::Token(SecretString::from("canary")), "x-access-token:canary")]
#[tokio::test]
async fn credentials_are_shown_to_both_requests(#[case] proof: Proof, #[case] shown: &str) {
    let server = MockServer::start().await;
    let basic = format!("Basic {}", data_encoding::BASE64.encode(shown.as_bytes()));
    let version_2 = "000eversion 2\n0013ls-refs=unborn\n0000";
    let ls_refs = "0014command=ls-refs\n00010022ref-prefix refs/heads/release\n0000";
    let line = format!("{COMMIT} refs/heads/release");
    let refs = format!("{:04x}{line}\n0000", line.len() + 5);
    Mock::given(method("GET"))
        .and(header("authorization", &basic))
        .respond_with(page(version_2))
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(method("POST"))
        .and(path("/gitea/data/dbxdemo.git/git-upload-pack"))
        .and(header("authorization", &basic))
        .and(header("content-type", "application/x-git-upload-pack-request"))
        .and(wiremock::matchers::body_string(ls_refs))
        .respond_with(ResponseTemplate::new(200).set_body_raw(refs, RESULT))
        .expect(1)
        .mount(&server)
        .await;
    let listed = list_of(&server, Some(proof)).await.unwrap();
    assert_eq!(listed, Refs::from([("refs/heads/release".to_owned(), COMMIT.to_owned())]));
}

#[rstest]
#[case(
    401,
    Reason::AuthenticationFailed,
    false,
    "read access to the repository; check the Secret of repository.credentialsRef"
)]
#[case(403, Reason::AuthenticationFailed, false, "refused the credentials (403)")]
#[case(404, Reason::DependencyNotReady, false, "check repository.url")]
#[case(301, Reason::InvalidSpec, false, "redirects (301)")]
#[case(429, Reason::DependencyNotReady, true, "limits the number of requests")]
#[case(503, Reason::DependencyNotReady, true, "fault of its own")]
#[tokio::test]
async fn what_the_forge_says_is_told(
    #[case] code: u16,
    #[case] reason: Reason,
    #[case] transient: bool,
    #[case] says: &str,
    #[values(false, true)] at_the_command: bool,
) {
    let refusal =
        ResponseTemplate::new(code).insert_header("location", "https://login.example.com/").set_body_string("canary");
    let first = if at_the_command { page("000eversion 2\n000cls-refs\n0000") } else { refusal.clone() };
    let server = answering(first).await;
    Mock::given(method("POST")).respond_with(refusal).mount(&server).await;
    let trouble = list_of(&server, Some(Proof::Token(SecretString::from("canary")))).await.unwrap_err();
    assert_eq!((trouble.reason, trouble.transient), (reason, transient), "{}", trouble.message);
    assert!(trouble.message.contains(says) && !trouble.message.contains("canary"), "{}", trouble.message);
}

#[rstest]
#[case::nothing("")]
#[case::a_page("<html>Log in</html>")]
#[case::cut_off("001e# service=git-upload-pack\n0000003f")]
#[case::without_an_end("000eversion 2\n000cls-refs\n")]
#[case::a_line_of_three("0003")]
#[case::an_empty_line("00040000")]
#[case::a_length_beyond_git_s("fff5aaaa")]
#[case::a_length_that_is_none("zzzzaaaa")]
#[case::no_object("000bhello\n0000")]
#[case::a_short_object("0018abc refs/heads/main\n0000")]
#[case::no_ls_refs("000eversion 2\n000afetch\n0000")]
#[case::a_service_within_another("001e# service=git-upload-pack\n001e# service=git-upload-pack\n0000")]
#[tokio::test]
async fn what_is_not_git_s_is_told(#[case] body: &str) {
    let trouble = list_of(&answering(page(body)).await, None).await.unwrap_err();
    assert_eq!((trouble.reason, trouble.transient), (Reason::InvalidSpec, false));
    assert!(
        trouble.message.contains("not as a git server with smart HTTP does; check repository.url"),
        "{}",
        trouble.message
    );
}

#[tokio::test]
async fn plain_files_are_no_answer() {
    let line = format!("{COMMIT} refs/heads/release\n");
    let files = ResponseTemplate::new(200).set_body_raw(advertised(&[line]), "text/plain; charset=utf-8");
    let trouble = list_of(&answering(files).await, None).await.unwrap_err();
    assert!(trouble.message.contains("smart HTTP"), "{}", trouble.message);
}

#[tokio::test]
async fn a_complaint_is_told_without_its_words() {
    let trouble = list_of(&answering(page("0010ERR canary!\n0000")).await, None).await.unwrap_err();
    assert_eq!((trouble.reason, trouble.transient), (Reason::DependencyNotReady, false));
    assert!(trouble.message.contains("doesn't list") && !trouble.message.contains("canary"), "{}", trouble.message);
}

#[tokio::test]
async fn an_answer_is_bounded() {
    let server = answering(page(vec![b'0'; BYTES + 1])).await;
    let trouble = list_of(&server, None).await.unwrap_err();
    assert!(trouble.message.contains("more than 10 MiB"), "{}", trouble.message);

    let lines: Vec<String> = (0..=10_000).map(|n| format!("{COMMIT} refs/heads/b{n}\n")).collect();
    let server = answering(page(advertised(&lines))).await;
    // Those that nobody asked for don't count.
    assert_eq!(list_of(&server, None).await, Ok(Refs::new()));
    let url = format!("{}/gitea/data/dbxdemo.git", server.uri());
    let trouble = remote(&url, None).list(&patterns(&["b*"]), PATIENCE).await.unwrap_err();
    assert!(trouble.message.contains("more than 10,000 branches"), "{}", trouble.message);
}

#[tokio::test]
async fn a_forge_that_hangs_is_not_waited_for() {
    let server = answering(page("0000").set_delay(Duration::from_hours(1))).await;
    let url = format!("{}/gitea/data/dbxdemo.git", server.uri());
    let trouble = remote(&url, None).list(&[], Duration::from_millis(50)).await.unwrap_err();
    assert!(trouble.transient && trouble.message.contains("did not answer"), "{}", trouble.message);
}

#[tokio::test]
async fn an_unreachable_forge_may_heal() {
    // Nobody listens on port 1.
    let trouble = remote("http://127.0.0.1:1/data/dbxdemo.git", None).list(&[], PATIENCE).await.unwrap_err();
    assert!(trouble.transient && trouble.message.contains("can't be reached"), "{}", trouble.message);
}

#[rstest]
#[case("ssh://git@git.example.com/data/dbxdemo.git", "poll and schedules need an https repository URL")]
#[case("git@git.example.com:data/dbxdemo.git", "poll and schedules need an https repository URL")]
#[case("file:///srv/git/dbxdemo.git", "not the clone URL")]
#[case("https://git.example.com/data/dbxdemo.git?x=y", "not the clone URL")]
fn only_http_can_be_asked(#[case] url: &str, #[case] says: &str) {
    let trouble = address(url).unwrap_err();
    assert_eq!((trouble.reason, trouble.transient), (Reason::InvalidSpec, false));
    assert!(trouble.message.contains(says), "{}", trouble.message);
}

#[test]
fn names_that_no_release_could_carry_are_passed_over() {
    let branches = patterns(&["**"]);
    let wanted = Wanted::read(&branches);
    let lines = [
        format!("{COMMIT} HEAD\0symref=HEAD:refs/heads/main agent=git/2\n"),
        format!("{COMMIT} refs/heads/{}\n", "x".repeat(600)),
        format!("{COMMIT} refs/heads/a\rb\n"),
        format!("{COMMIT} refs/tags/v1^{{}}\n"),
        format!("{COMMIT} refs/heads/grün\n"),
        format!("shallow {COMMIT}\n"),
    ];
    let listed = wire::advertisement(&advertised(&lines), &wanted);
    let green = Refs::from([("refs/heads/grün".to_owned(), COMMIT.to_owned())]);
    assert_eq!(listed, Ok(Advertisement::Refs(green)));
}

#[rstest]
#[case("release", "refs/heads/release")]
#[case("release/*", "refs/heads/release/")]
#[case("rel{ease,}", "refs/heads/rel")]
#[case("**", "refs/heads/")]
fn only_what_a_pattern_can_mean_is_asked_for(#[case] pattern: &str, #[case] prefix: &str) {
    let command = String::from_utf8(wire::ls_refs(&patterns(&[pattern]), Some("sha256"))).unwrap();
    assert!(command.starts_with("0014command=ls-refs\n0019object-format=sha256\n0001"), "{command}");
    assert!(command.ends_with(&format!("ref-prefix {prefix}\n0000")), "{command}");
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..300)) {
        let branches = patterns(&["*"]);
        let wanted = Wanted::read(&branches);
        let _ = (wire::advertisement(&body, &wanted), wire::refs(&body, &wanted));
    }

    #[test]
    fn any_lines_are_read_or_refused(lines in prop::collection::vec("(# service=git-upload-pack|version [012]|ls-refs|ERR |shallow )?[0-9a-f ]{0,50}( refs/heads/|HEAD)?.{0,20}", 0..9), cut in 0usize..200) {
        let mut body = advertised(&lines);
        body.truncate(body.len().saturating_sub(cut / 2));
        let branches = patterns(&["*"]);
        let wanted = Wanted::read(&branches);
        for body in [&body[..], body.get(34..).unwrap_or_default()] {
            let _ = (wire::advertisement(body, &wanted), wire::refs(body, &wanted));
        }
    }

    #[test]
    fn one_wrong_byte_does_no_harm(place in 0usize..200, byte: u8) {
        let lines = ["release", "main"].map(|branch| format!("{COMMIT} refs/heads/{branch}\n"));
        let mut body = advertised(&lines);
        let place = place % body.len();
        body[place] = byte;
        let branches = patterns(&["*"]);
        if let Ok(Advertisement::Refs(refs)) = wire::advertisement(&body, &Wanted::read(&branches)) {
            prop_assert!(refs.values().all(|commit| commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit())));
            prop_assert!(refs.keys().all(|name| name.starts_with("refs/heads/")));
        }
    }
}
