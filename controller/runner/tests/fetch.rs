//! Fetch against a real TLS server: what lies in the bundle's folder afterwards, what is tried again, and what is refused.

mod support;

use std::fs;
use std::io::{Cursor, Write};
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use brickline_artifact::manifest::{Change, File, Manifest, Origin, Source, VERSION, Wheel};
use brickline_artifact::plan::{ReleaseIdentity, UploadPlan};
use brickline_artifact::{ArtifactPath, Digest, FetchPlan};
use rstest::rstest;
use support::Pod;
use support::server::{Reply, Request, Server};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

const WHEEL: &str = "dbxdemo-0.1.0-py3-none-any.whl";
const FILES: [(&str, &str); 3] =
    [("etl/databricks.yml", "bundle: {name: etl}"), ("etl/src/one.py", "print(1)"), ("run.sh", "#!/bin/sh")];

fn manifest() -> Manifest {
    let file = |(path, content): (&str, &str)| File {
        path: ArtifactPath::new(path).expect("a path"),
        digest: Digest::of(content.as_bytes()),
        size: content.len() as u64,
        executable: content.starts_with("#!"),
        change: Change::Added,
        previous_path: None,
        notebook: None,
    };
    let wheel = Wheel {
        path: ArtifactPath::new(format!("wheels/{WHEEL}")).expect("a path"),
        distribution: "dbxdemo".into(),
        version: "0.1.0".into(),
        digest: Digest::of(b"wheel"),
        size: 5,
    };
    let commit = "9b1c0de9b1c0de9b1c0de9b1c0de9b1c0de9b1c0";
    let (url, reference) = ("https://git.example.com/data/dbxdemo.git".into(), "refs/heads/release".into());
    Manifest {
        version: VERSION,
        release: Origin { namespace: "data".into(), name: "dbxdemo-1".into(), uid: "uid-1".into() },
        source: Source { url, reference, commit: commit.into(), base: None, committed_at: 0 },
        made_of: Vec::new(),
        files: FILES.map(file).into(),
        removed: Vec::new(),
        skipped: Vec::new(),
        wheels: vec![wheel],
    }
}

/// The artifact; with `other` as the content of its first file, whatever the manifest says.
fn artifact(other: Option<&str>) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let mut put = |name: &str, content: &[u8]| {
        zip.start_file(name, SimpleFileOptions::default()).expect("an entry");
        zip.write_all(content).expect("written");
    };
    put("manifest.json", &manifest().to_json().expect("sound"));
    for (index, (path, content)) in FILES.into_iter().enumerate() {
        let content = other.filter(|_| index == 0).unwrap_or(content);
        put(&format!("files/{path}"), content.as_bytes());
    }
    put(&format!("wheels/{WHEEL}"), b"wheel");
    zip.finish().expect("whole").into_inner()
}

/// A pod whose bundle is in `path`, of this artifact.
fn pod(server: &Server, path: &str, artifact: &[u8]) -> Pod {
    let mut pod = Pod::new("https://git.example.com/data/dbxdemo.git", &"0".repeat(40));
    let plan = FetchPlan {
        release: ReleaseIdentity {
            namespace: "data".into(),
            name: "dbxdemo-1".into(),
            uid: "uid-1".into(),
            attempt: 2,
            job: None,
        },
        artifact: Digest::of(artifact),
        path: path.into(),
        endpoint: UploadPlan { url: server.url.clone(), ca_pem: server.ca_pem.clone() },
        seconds: 30,
    };
    let bundle = pod.at("bundle");
    fs::create_dir(&bundle).expect("created");
    pod.set("BRICKLINE_BUNDLE", bundle);
    let bin = pod.at("bin");
    pod.set("BRICKLINE_BIN", bin);
    pod.set("BRICKLINE_FETCH", serde_json::to_string(&plan).expect("JSON"));
    pod
}

fn serving(bytes: Vec<u8>) -> (Server, Arc<Mutex<Vec<Request>>>) {
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&requests);
    let server = Server::start(move |request| {
        seen.lock().expect("a lock").push(request);
        Reply::Status(200, bytes.clone())
    });
    (server, requests)
}

#[rstest]
#[case("etl", "bundle/etl/dist")]
#[case(".", "bundle/dist")]
fn the_files_lie_at_their_paths_and_the_wheels_in_the_bundles_dist(#[case] path: &str, #[case] wheels: &str) {
    let (server, requests) = serving(artifact(None));
    let pod = pod(&server, path, &artifact(None));
    assert_eq!(pod.run("fetch"), 0);
    for (path, content) in FILES {
        assert_eq!(pod.read(&format!("bundle/{path}")), content);
    }
    assert_eq!(pod.read(&format!("{wheels}/{WHEEL}")), "wheel");
    let mode = |path: &str| fs::metadata(pod.at(path)).expect("a file").permissions().mode() & 0o777;
    assert_eq!((mode("bundle/run.sh"), mode("bundle/etl/databricks.yml")), (0o755, 0o644));
    assert_eq!(mode("bin/brickline-runner"), 0o755, "the next container's");
    let requests = requests.lock().expect("a lock");
    assert_eq!(requests[0].path(), "/v1/namespaces/data/releases/dbxdemo-1/deployments/2/artifact");
    assert_eq!(requests[0].header("authorization"), "Bearer first-token");
}

#[test]
fn what_breaks_off_is_fetched_again() {
    let tries = AtomicUsize::new(0);
    let server = Server::start(move |_| match tries.fetch_add(1, Ordering::Relaxed) {
        0 | 2 => Reply::Cut,
        1 => Reply::Status(503, Vec::new()),
        _ => Reply::Status(200, artifact(None)),
    });
    let pod = pod(&server, "etl", &artifact(None));
    assert_eq!(pod.run("fetch"), 0);
    assert_eq!(pod.read("bundle/run.sh"), "#!/bin/sh");
}

#[rstest]
#[case::another_artifact(artifact(Some("bundle: {name: evil}")), artifact(None))]
#[case::not_what_its_manifest_says(artifact(Some("bundle: {name: evil}")), artifact(Some("bundle: {name: evil}")))]
#[case::longer_than_its_manifest_says(artifact(Some(&"x".repeat(9999))), artifact(Some(&"x".repeat(9999))))]
#[case::no_artifact_at_all(b"<html>".to_vec(), b"<html>".to_vec())]
fn what_is_not_the_artifact_is_refused_for_good(#[case] served: Vec<u8>, #[case] wanted: Vec<u8>) {
    let (server, _) = serving(served);
    assert_eq!(pod(&server, "etl", &wanted).run("fetch"), 3);
}

#[rstest]
#[case(403)]
#[case(404)]
fn a_pod_that_is_not_let_in_says_so_at_once(#[case] status: u16) {
    let server = Server::start(move |_| Reply::Status(status, br#"{"message": "not this pod"}"#.to_vec()));
    let pod = pod(&server, "etl", &artifact(None));
    let output = pod.container("fetch").output().expect("started");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains(&format!("the controller answered {status}: not this pod")), "{said}");
    assert!(fs::read_dir(pod.at("bundle")).expect("a folder").next().is_none(), "nothing lies there");
}
