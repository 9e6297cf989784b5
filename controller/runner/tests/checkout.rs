//! The checkout against real repositories: by file, and over https with a credential.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use support::Pod;
use support::repository::Repository;
use support::server::{Reply, Request, Server};

fn marks(pod: &Pod) -> BTreeMap<String, String> {
    let info = pod.json("meta/source.json");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    info["files"].as_array().expect("files").iter().map(|file| (text(&file["path"]), text(&file["change"]))).collect()
}

fn expect(pod: &Pod, expected: &[(&str, &str)]) {
    let expected = expected.iter().map(|(path, change)| ((*path).to_owned(), (*change).to_owned())).collect();
    assert_eq!(marks(pod), expected);
}

#[test]
fn a_merge_shows_what_it_brought() {
    let repository = Repository::new();
    repository.write("kept.py", "1");
    repository.write("edited.py", "1");
    repository.write("gone.py", "what nobody needs\n");
    repository.write("old name.py", "a longer content\nthat is recognised\n");
    let parent = repository.commit("first");
    repository.git(&["checkout", "-q", "-b", "feature"]);
    repository.write("edited.py", "2");
    repository.write("new.py", "1");
    repository.git(&["rm", "-q", "gone.py"]);
    repository.git(&["mv", "old name.py", "new name.py"]);
    repository.commit("second");
    repository.git(&["checkout", "-q", "release"]);
    let commit = repository.merge("feature");

    let pod = Pod::new(&repository.url(), &commit);
    assert_eq!(pod.run("checkout"), 0);
    let expected =
        [("kept.py", "Unchanged"), ("edited.py", "Modified"), ("new.py", "Added"), ("new name.py", "Renamed")];
    expect(&pod, &expected);
    let info = pod.json("meta/source.json");
    assert_eq!(info["removed"], json!(["gone.py", "old name.py"]));
    assert_eq!((&info["base"], info["parents"].as_array().map(Vec::len)), (&json!(parent), Some(2)));
    assert_eq!(info["committedAt"], json!(1_767_323_045));
    assert_eq!(pod.read("source/edited.py"), "2");
    assert!(pod.read("meta/checkout.log").contains("changed and 2 removed"));
}

#[test]
fn changes_count_from_the_stages_last_release() {
    let repository = Repository::new();
    repository.write("a.py", "1");
    let base = repository.commit("first");
    repository.write("b.py", "1");
    repository.commit("second");
    repository.write("c.py", "1");
    let commit = repository.commit("third");
    let mut pod = Pod::new(&repository.url(), &commit);
    pod.plan["source"]["base"] = json!(base);
    assert_eq!(pod.run("checkout"), 0);
    expect(&pod, &[("a.py", "Unchanged"), ("b.py", "Added"), ("c.py", "Added")]);
}

#[test]
fn a_base_that_is_gone_makes_everything_added() {
    let repository = Repository::new();
    repository.write("a.py", "1");
    repository.commit("first");
    let commit = repository.commit("second");
    let mut pod = Pod::new(&repository.url(), &commit);
    pod.plan["source"]["base"] = json!("0".repeat(40));
    assert_eq!(pod.run("checkout"), 0);
    expect(&pod, &[("a.py", "Added")]);
    assert_eq!(pod.json("meta/source.json")["base"], Value::Null);
}

#[test]
fn an_older_commit_of_the_branch_is_still_due_and_a_rewritten_one_is_not() {
    let repository = Repository::new();
    repository.write("a.py", "1");
    repository.commit("first");
    repository.write("a.py", "2");
    let older = repository.commit("second");
    for number in 0..4 {
        repository.commit(&format!("more {number}"));
    }
    let pod = Pod::new(&repository.url(), &older);
    assert_eq!(pod.run("checkout"), 0);
    assert_eq!(pod.read("source/a.py"), "2");

    repository.git(&["reset", "-q", "--hard", &format!("{older}^")]);
    repository.commit("rewritten");
    let pod = Pod::new(&repository.url(), &older);
    assert_eq!(pod.run("checkout"), 80);
    assert!(pod.message().contains("can no longer be reached from refs/heads/release"), "{}", pod.message());
    assert_eq!(pod.json("meta/checkout.json")["reason"], "OutOfDate");
}

#[test]
fn a_stage_is_not_moved_back() {
    let repository = Repository::new();
    let first = repository.commit("first");
    let second = repository.commit("second");
    let third = repository.commit("third");
    let run = |commit: &str, deployed: &str| {
        let mut pod = Pod::new(&repository.url(), commit);
        pod.plan["source"]["deployed"] = json!(deployed);
        (pod.run("checkout"), pod)
    };
    let (code, pod) = run(&first, &second);
    assert_eq!(code, 80);
    assert!(pod.message().contains(&format!("is older than {second}, which the stage has")), "{}", pod.message());
    assert_eq!(pod.json("meta/checkout.json")["reason"], "OutOfDate");
    // Forward, and the same again; and where nothing is asked.
    assert_eq!(run(&third, &first).0, 0);
    assert_eq!(run(&second, &second).0, 0);
    assert_eq!(run(&second, &first).0, 0);
    assert_eq!(Pod::new(&repository.url(), &first).run("checkout"), 0);

    // Somebody took the branch back: what it holds now is meant.
    repository.git(&["reset", "-q", "--hard", &first]);
    repository.git(&["push", "-q", "--force", "origin", "HEAD"]);
    assert_eq!(run(&first, &third).0, 0);

    // And went on from there: what the stage has is on no branch any more.
    let other = repository.commit("other");
    assert_eq!(run(&first, &third).0, 80);
    assert_eq!(run(&other, &third).0, 0);
    let gone = "f".repeat(40);
    assert_eq!(run(&first, &gone).0, 0, "what can't be had proves nothing");
}

#[test]
fn what_is_missing_is_named() {
    let repository = Repository::new();
    let commit = repository.commit("first");
    let mut pod = Pod::new(&repository.url(), &commit);
    pod.plan["source"]["reference"] = json!("refs/heads/gone");
    assert_eq!(pod.run("checkout"), 64);
    assert!(pod.message().contains("the ref no longer exists"), "{}", pod.message());

    let pod = Pod::new("file:///nowhere/at/all.git", &commit);
    assert_eq!(pod.run("checkout"), 64);
    assert!(pod.message().contains("the repository was not found"), "{}", pod.message());
}

#[test]
fn the_triggers_conditions_skip() {
    let repository = Repository::new();
    repository.commit("first");
    repository.write("docs/x.md", "1");
    let commit = repository.commit("second");
    let mut pod = Pod::new(&repository.url(), &commit);
    pod.plan["conditions"] = json!({"includePaths": ["libraries/**"]});
    assert_eq!(pod.run("checkout"), 81);
    pod.plan["conditions"] = json!({"mergesOnly": true});
    assert_eq!(pod.run("checkout"), 82);
    pod.plan["conditions"] = json!({"includePaths": ["docs/**"]});
    assert_eq!(pod.run("checkout"), 0);
}

#[test]
fn submodules_are_part_of_the_tree() {
    let inner = Repository::new();
    inner.write("inner.py", "1");
    inner.commit("first");
    let repository = Repository::new();
    repository.commit("first");
    repository.git(&["submodule", "--quiet", "add", &inner.url(), "sub"]);
    let commit = repository.commit("second");
    let mut pod = Pod::new(&repository.url(), &commit);
    assert_eq!(pod.run("checkout"), 0);
    expect(&pod, &[(".gitmodules", "Added"), ("sub/inner.py", "Added")]);

    pod = Pod::new(&repository.url(), &commit);
    pod.plan["source"]["submodules"] = json!(false);
    assert_eq!(pod.run("checkout"), 0);
    expect(&pod, &[(".gitmodules", "Added"), ("sub", "Added")]);
}

#[test]
fn a_hook_or_filter_of_the_repository_does_not_run() {
    let repository = Repository::new();
    repository.write(".gitattributes", "*.py filter=evil diff=evil\n");
    repository.write("a.py", "1");
    repository.write(".githooks/post-checkout", "#!/bin/sh\ntouch /tmp/brickline-hook-ran\n");
    let commit = repository.commit("first");
    let pod = Pod::new(&repository.url(), &commit);
    assert_eq!(pod.run("checkout"), 0);
    assert!(!fs::exists("/tmp/brickline-hook-ran").expect("looked"));
}

/// Serves repositories beneath a folder over https to whoever has the password.
fn forge(repository: &Repository, seen: Arc<Mutex<Vec<String>>>) -> Server {
    let root = repository.root().to_path_buf();
    Server::start(move |request| {
        let authorization = request.header("authorization").to_owned();
        seen.lock().expect("alive").push(format!("{} {authorization}", request.target));
        if authorization != "Basic eC1hY2Nlc3MtdG9rZW46czNjcmV0LXRva2Vu" {
            let head = "HTTP/1.1 401 No\r\nwww-authenticate: Basic realm=\"x\"\r\ncontent-length: 0\r\n\r\n";
            return Reply::Raw(head.into());
        }
        backend(&root, &request)
    })
}

fn backend(root: &std::path::Path, request: &Request) -> Reply {
    let mut command = Command::new("git");
    command.arg("http-backend").env("GIT_PROJECT_ROOT", root).env("GIT_HTTP_EXPORT_ALL", "1");
    command.env("PATH_INFO", request.path()).env("QUERY_STRING", request.query());
    command.env("REQUEST_METHOD", &request.method).env("CONTENT_TYPE", request.header("content-type"));
    command.env("CONTENT_LENGTH", request.body.len().to_string());
    command.env("HTTP_CONTENT_ENCODING", request.header("content-encoding"));
    command.env("GIT_PROTOCOL", request.header("git-protocol"));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("git has a backend");
    child.stdin.take().expect("a pipe").write_all(&request.body).expect("written");
    let output = child.wait_with_output().expect("it ends").stdout;
    let end = output.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("headers end");
    let (headers, body) = (&output[..end], &output[end + 4..]);
    let headers = String::from_utf8_lossy(headers).replace("Status: 404", "x-status: 404");
    let head = format!("HTTP/1.1 200 OK\r\n{headers}\r\ncontent-length: {}\r\n\r\n", body.len());
    Reply::Raw([head.as_bytes(), body].concat())
}

#[test]
fn over_https_the_credential_is_used_and_shown_nowhere() {
    let repository = Repository::new();
    repository.write("a.py", "1");
    let commit = repository.commit("first");
    let seen = Arc::new(Mutex::new(Vec::new()));
    let server = forge(&repository, Arc::clone(&seen));
    let pod = Pod::new(&format!("{}/bare.git", server.url), &commit);
    pod.write("credentials/ca.crt", &server.ca_pem);
    assert_eq!(pod.run("checkout"), 64);
    assert!(pod.message().contains("refused the credential"), "{}", pod.message());

    pod.write("credentials/token", "wrong\n");
    assert_eq!(pod.run("checkout"), 64);
    assert!(pod.message().contains("refused the credential"), "{}", pod.message());

    pod.write("credentials/token", "s3cret-token\n");
    assert_eq!(pod.run("checkout"), 0);
    assert_eq!(pod.read("source/a.py"), "1");
    assert!(!seen.lock().expect("alive").is_empty());
    let found = Command::new("grep").args(["-r", "s3cret-token"]).args([pod.at("source"), pod.at("meta")]).output();
    assert_eq!(found.expect("grep runs").status.code(), Some(1), "the token is in a file");
}

#[test]
fn a_certificate_of_nobody_known_and_a_closed_port_are_told_apart() {
    let repository = Repository::new();
    let commit = repository.commit("first");
    let server = forge(&repository, Arc::default());
    let pod = Pod::new(&format!("{}/bare.git", server.url), &commit);
    assert_eq!(pod.run("checkout"), 64);
    assert!(pod.message().contains("certificate is not trusted"), "{}", pod.message());

    let pod = Pod::new("https://localhost:1/bare.git", &commit);
    assert_eq!(pod.run("checkout"), 64);
    assert!(pod.message().contains("can't be reached"), "{}", pod.message());
}
