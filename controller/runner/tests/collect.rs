//! Collect against a real TLS server: what is handed in, what is retried, and what a hostile build can't do.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::{Arc, Mutex};

use brickline_artifact::manifest::Change;
use brickline_artifact::notebook::Notebook;
use brickline_artifact::result::{BuildResult, Outcome, Reason, SkipReason};
use brickline_artifact::{Digest, Manifest};
use rstest::rstest;
use serde_json::json;
use support::repository::Repository;
use support::server::{Reply, Request, Server};
use support::{Pod, terminate, until, until_listening};
use zip::write::SimpleFileOptions;

const WHEEL: &str = "dbxdemo-0.1.0-py3-none-any.whl";
const PASSED: &str = "<testsuite name='pytest'><testcase classname='c' name='t'/></testsuite>";

/// The controller's side of the protocol: parts sealed once, logs appended at their length.
#[derive(Default)]
struct Store {
    parts: BTreeMap<String, Vec<u8>>,
    logs: BTreeMap<String, Vec<u8>>,
    requests: Vec<(String, u16)>,
    tokens: Vec<String>,
    paths: Vec<String>,
    artifact_header: String,
    /// Faults to give first: parts of a path and a status; 0 cuts the connection.
    faults: Vec<(&'static str, u16)>,
}

impl Store {
    fn answer(&mut self, request: &Request) -> Reply {
        self.tokens.push(request.header("authorization").to_owned());
        self.paths.push(request.path().to_owned());
        let name = request.path().rsplit("/attempts/1/").next().expect("a part").to_owned();
        let fault = self.faults.iter().position(|(part, _)| name.contains(part));
        let (status, body) = match fault.map(|index| self.faults.remove(index)) {
            Some((_, 0)) => return Reply::Cut,
            Some((_, status)) => (status, Vec::new()),
            None => self.take(&name, request),
        };
        self.requests.push((name, status));
        Reply::Status(status, body)
    }

    fn take(&mut self, name: &str, request: &Request) -> (u16, Vec<u8>) {
        if name.starts_with("log/") {
            let log = self.logs.entry(name.to_owned()).or_default();
            let offset: usize = request.query().strip_prefix("offset=").expect("an offset").parse().expect("a number");
            let fits = offset == log.len();
            if fits {
                log.extend(&request.body);
            }
            return (if fits { 200 } else { 409 }, json!({"length": log.len()}).to_string().into_bytes());
        }
        if self.parts.contains_key(name) {
            return (409, Vec::new());
        }
        if name == "artifact" {
            request.header("x-brickline-sha256").clone_into(&mut self.artifact_header);
        }
        self.parts.insert(name.to_owned(), request.body.clone());
        (201, Vec::new())
    }
}

/// A pod after a checkout and successful steps, and its controller.
struct Scene {
    pod: Pod,
    store: Arc<Mutex<Store>>,
}

impl Scene {
    fn new() -> Self {
        let repository = Repository::new();
        repository.write_library("checked");
        repository.write("run.sh", "#!/bin/sh\n");
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(repository.root().join("tree/run.sh"), executable).expect("set");
        symlink("/etc/passwd", repository.root().join("tree/link")).expect("linked");
        let commit = repository.commit("first");
        let store = Arc::new(Mutex::new(Store::default()));
        let shared = Arc::clone(&store);
        let server = Server::start(move |request| shared.lock().expect("alive").answer(&request));
        let mut pod = Pod::new(&repository.url(), &commit);
        pod.plan["upload"] = json!({"url": server.url, "caPem": server.ca_pem});
        assert_eq!(pod.run("checkout"), 0);
        let scene = Self { pod, store };
        scene.succeed();
        scene
    }

    fn succeed(&self) {
        self.pod.write("work/out/steps.json", json!({"outcome": {"result": "Succeeded"}, "steps": []}).to_string());
        self.pod.write("work/log/steps.log", "2026-01-02T03:04:05.000Z building\n");
        self.pod.write("work/reports/TEST-1.xml", PASSED);
        self.pod.write(&format!("work/wheels/{WHEEL}"), wheel("dbxdemo", "0.1.0"));
    }

    /// Lets collect run and be told to stop; its exit code.
    fn collect(&self) -> i32 {
        let collect = self.pod.start("collect");
        until_listening(&collect);
        until("the log is followed", || self.store.lock().expect("alive").logs.contains_key("log/checkout"));
        terminate(collect)
    }

    fn part(&self, name: &str) -> Option<Vec<u8>> {
        self.store.lock().expect("alive").parts.get(name).cloned()
    }

    fn result(&self) -> BuildResult {
        serde_json::from_slice(&self.part("result").expect("a result was handed in")).expect("a result")
    }

    fn log(&self, container: &str) -> String {
        let store = self.store.lock().expect("alive");
        String::from_utf8(store.logs.get(&format!("log/{container}")).cloned().unwrap_or_default()).expect("text")
    }
}

fn wheel(name: &str, version: &str) -> Vec<u8> {
    wheel_with(name, version, &[])
}

fn wheel_with(name: &str, version: &str, modules: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (path, content) in modules {
        zip.start_file(*path, SimpleFileOptions::default()).expect("started");
        zip.write_all(content.as_bytes()).expect("written");
    }
    zip.start_file("dbxdemo-0.1.0.dist-info/METADATA", SimpleFileOptions::default()).expect("started");
    write!(zip, "Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nName: other\n").expect("written");
    zip.finish().expect("finished").into_inner()
}

fn failure(scene: &Scene) -> (Reason, String) {
    let result = scene.result();
    assert_eq!(result.artifact, None);
    assert!(scene.part("artifact").is_none());
    let Outcome::Failed { reason, message } = result.outcome else { panic!("it failed: {result:?}") };
    (reason, message)
}

#[test]
fn a_further_job_hands_in_under_its_name_and_no_artifact() {
    let mut scene = Scene::new();
    scene.pod.plan["release"]["job"] = json!("unit.py311");
    scene.pod.plan["job"] = json!({"steps": [{"name": "pytest", "run": "pytest"}]});
    assert_eq!(scene.collect(), 0);
    let result = scene.result();
    assert_eq!((result.outcome, result.artifact), (Outcome::Succeeded, None));
    assert!(scene.part("report").is_some() && scene.part("artifact").is_none());
    let store = scene.store.lock().expect("alive");
    assert!(store.paths.iter().all(|path| path.contains("/releases/dbxdemo-1/jobs/unit.py311/attempts/1/")));
}

#[test]
fn everything_is_handed_in() {
    let scene = Scene::new();
    assert_eq!(scene.collect(), 0);
    let (artifact, result) = (scene.part("artifact").expect("an artifact"), scene.result());
    let digest = Digest::of(&artifact);
    assert_eq!(result.outcome, Outcome::Succeeded);
    assert_eq!(result.artifact.expect("a summary").digest, digest);
    assert_eq!(scene.store.lock().expect("alive").artifact_header, digest.hex());
    assert_eq!(result.tests.expect("counts").passed, 1);
    assert!(String::from_utf8(scene.part("report").expect("a report")).expect("text").contains(r#"tests="1""#));
    assert_eq!(scene.log("steps"), "2026-01-02T03:04:05.000Z building\n");
    assert_eq!(scene.log("checkout"), scene.pod.read("meta/checkout.log"));
    let requests = scene.store.lock().expect("alive").requests.clone();
    assert_eq!(requests.last(), Some(&("result".to_owned(), 201)), "the result seals and comes last");

    let mut zip = zip::ZipArchive::new(Cursor::new(&artifact)).expect("a zip");
    let names: Vec<_> =
        (0..zip.len()).map(|index| zip.by_index(index).expect("there").name().expect("text").to_string()).collect();
    assert_eq!(names[0], "manifest.json");
    assert_eq!(names.last().map(String::as_str), Some("wheels/dbxdemo-0.1.0-py3-none-any.whl"));
    let mut text = Vec::new();
    zip.by_name("manifest.json").expect("there").read_to_end(&mut text).expect("readable");
    let manifest = Manifest::from_json(&text).expect("a manifest");
    assert_eq!(names[1..], manifest.entries().map(|(name, ..)| name).collect::<Vec<_>>());
    for (name, digest, size) in manifest.entries() {
        let mut content = Vec::new();
        zip.by_name(&name).expect("there").read_to_end(&mut content).expect("readable");
        assert_eq!((Digest::of(&content), content.len() as u64), (digest, size), "{name}");
    }
    let file = |path: &str| manifest.files.iter().find(|file| file.path.as_str() == path).expect("there");
    assert_eq!(file("notebooks/dbxdemo-notebook.py").notebook, Some(Notebook::Python));
    assert_eq!(file("libraries/python/dbxdemo/addcol.py").notebook, None);
    assert_eq!((file("run.sh").executable, file("run.sh").change), (true, Change::Added));
    assert_eq!(manifest.skipped[0].path, "link");
    assert_eq!(manifest.wheels[0].distribution, "dbxdemo");
}

#[test]
fn the_same_content_is_the_same_artifact() {
    let scene = Scene::new();
    assert_eq!(scene.collect(), 0);
    let first = scene.part("artifact").expect("an artifact");
    scene.store.lock().expect("alive").parts.clear();
    // Later, written in another order: only the content counts.
    let file = fs::File::open(scene.pod.at("source/run.sh")).expect("there");
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).expect("set");
    assert_eq!(scene.collect(), 0);
    assert_eq!(Digest::of(&first), Digest::of(&scene.part("artifact").expect("an artifact")));
}

#[test]
fn only_what_is_selected_is_in_it() {
    let mut scene = Scene::new();
    scene.pod.plan["include"] = json!(["notebooks/**", "libraries/**"]);
    scene.pod.plan["exclude"] = json!(["**/test*.py"]);
    assert_eq!(scene.collect(), 0);
    let artifact = scene.part("artifact").expect("an artifact");
    let zip = zip::ZipArchive::new(Cursor::new(&artifact)).expect("a zip");
    let mut names: Vec<_> = zip.file_names().flatten().map(|name| name.to_string()).collect();
    names.sort();
    let library = "files/libraries/python/dbxdemo";
    let expected = [
        &format!("{library}/__init__.py"),
        &format!("{library}/addcol.py"),
        &format!("{library}/setup.py"),
        "files/notebooks/dbxdemo-notebook.py",
        "manifest.json",
        &format!("wheels/{WHEEL}"),
    ];
    assert_eq!(names, expected);
}

#[test]
fn faults_of_the_network_and_the_controller_are_tried_again() {
    let scene = Scene::new();
    let faults =
        vec![("artifact", 503), ("artifact", 0), ("artifact", 429), ("report", 0), ("result", 401), ("steps", 500)];
    scene.store.lock().expect("alive").faults = faults;
    assert_eq!(scene.collect(), 0);
    assert_eq!(scene.result().outcome, Outcome::Succeeded);
    assert!(scene.store.lock().expect("alive").faults.is_empty());
    assert!(scene.part("report").is_some() && scene.log("steps").contains("building"));
}

#[test]
fn what_was_sealed_before_is_done() {
    let scene = Scene::new();
    let sealed = ["artifact", "report", "result"].map(|name| (name.to_owned(), b"before".to_vec()));
    scene.store.lock().expect("alive").parts.extend(sealed);
    assert_eq!(scene.collect(), 0);
    assert_eq!(scene.part("artifact").as_deref(), Some(&b"before"[..]));
}

#[test]
fn a_refused_artifact_fails_the_build_in_the_controllers_words() {
    let scene = Scene::new();
    scene.store.lock().expect("alive").faults = vec![("artifact", 413)];
    assert_eq!(scene.collect(), 0);
    let (reason, message) = failure(&scene);
    assert_eq!(reason, Reason::ArtifactFailed);
    assert!(message.contains("413"), "{message}");
}

#[test]
fn a_restarted_collect_goes_on_where_the_log_stands_with_the_newest_token() {
    let scene = Scene::new();
    let log = scene.pod.read("meta/checkout.log");
    scene.store.lock().expect("alive").logs.insert("log/checkout".into(), log.as_bytes()[..10].to_vec());
    let collect = scene.pod.start("collect");
    until("the log is complete", || scene.log("checkout") == log);
    scene.pod.write("token", "second-token");
    scene.pod.write("work/log/steps.log", "2026-01-02T03:04:05.000Z building\nmore\n");
    until("the log goes on", || scene.log("steps").ends_with("more\n"));
    assert_eq!(terminate(collect), 0);
    let store = scene.store.lock().expect("alive");
    assert_eq!(store.tokens.first().map(String::as_str), Some("Bearer first-token"));
    assert_eq!(store.tokens.last().map(String::as_str), Some("Bearer second-token"));
}

#[test]
fn failed_steps_leave_report_and_result_and_no_artifact() {
    let scene = Scene::new();
    let outcome = json!({"result": "Failed", "reason": "TestsFailed", "message": "1 of 1 tests failed"});
    scene.pod.write("work/out/steps.json", json!({"outcome": outcome, "steps": []}).to_string());
    let failing =
        "<testsuite><testcase classname='c' name='t'><failure message='assert 1 == 2'/></testcase></testsuite>";
    scene.pod.write("work/reports/TEST-1.xml", failing);
    assert_eq!(scene.collect(), 0);
    assert_eq!(failure(&scene).0, Reason::TestsFailed);
    let result = scene.result();
    assert_eq!(
        (result.first_failures[0].name.as_str(), result.first_failures[0].message.as_str()),
        ("c::t", "assert 1 == 2")
    );
    assert!(scene.part("report").is_some());
}

#[test]
fn a_claimed_success_beside_a_failing_report_is_a_failure() {
    let scene = Scene::new();
    scene.pod.write("work/reports/TEST-2.xml", "<testsuite><testcase name='t'><error/></testcase></testsuite>");
    assert_eq!(scene.collect(), 0);
    assert_eq!(failure(&scene).0, Reason::TestsFailed);
}

#[test]
fn steps_without_a_verdict_failed() {
    let scene = Scene::new();
    scene.pod.write("work/out/steps.json", json!({"outcome": null, "running": "pytest", "steps": []}).to_string());
    assert_eq!(scene.collect(), 0);
    let (reason, message) = failure(&scene);
    assert_eq!((reason, message.contains("during pytest")), (Reason::BuildFailed, true), "{message}");
}

#[test]
fn a_skipped_checkout_is_handed_in_as_skipped() {
    let scene = Scene::new();
    let skipped = Outcome::skipped(SkipReason::PathsNotMatched, "no path");
    scene.pod.write("meta/checkout.json", serde_json::to_vec(&skipped).expect("JSON"));
    assert_eq!(scene.collect(), 0);
    assert_eq!(scene.result().outcome, skipped);
    assert!(scene.part("artifact").is_none());
}

#[test]
fn a_controller_of_another_authority_gets_nothing() {
    let mut scene = Scene::new();
    let stranger = Server::start(|_| Reply::Cut);
    scene.pod.plan["upload"]["caPem"] = json!(stranger.ca_pem);
    scene.pod.plan["deadlines"]["uploadSeconds"] = json!(3);
    let collect = scene.pod.start("collect");
    until_listening(&collect);
    assert_eq!(terminate(collect), 1);
    assert!(scene.store.lock().expect("alive").tokens.is_empty());
}

#[rstest]
#[case::elsewhere("/etc/passwd")]
#[case::beside("real.zip")]
fn a_wheel_that_is_a_link_is_no_wheel(#[case] target: &str) {
    let scene = Scene::new();
    let path = scene.pod.at(&format!("work/wheels/{WHEEL}"));
    fs::rename(&path, scene.pod.at("work/wheels/real.zip")).expect("renamed");
    symlink(target, &path).expect("linked");
    assert_eq!(scene.collect(), 0);
    let (reason, message) = failure(&scene);
    assert_eq!((reason, message.contains("can't be taken")), (Reason::ArtifactFailed, true), "{message}");
}

#[rstest]
#[case::name("requests", "0.1.0")]
#[case::version("dbxdemo", "9.9.9")]
fn a_wheel_that_is_another_inside_is_refused(#[case] name: &str, #[case] version: &str) {
    let scene = Scene::new();
    scene.pod.write(&format!("work/wheels/{WHEEL}"), wheel(name, version));
    assert_eq!(scene.collect(), 0);
    let (reason, message) = failure(&scene);
    assert_eq!((reason, message.contains("METADATA says")), (Reason::ArtifactFailed, true), "{message}");
}

#[test]
fn two_wheels_of_one_distribution_are_refused() {
    let scene = Scene::new();
    scene.pod.write("work/wheels/DbxDemo-0.2.0-py3-none-any.whl", wheel("DbxDemo", "0.2.0"));
    assert_eq!(scene.collect(), 0);
    assert!(failure(&scene).1.contains("same distribution"));
}

#[test]
fn two_wheels_with_different_modules_at_the_top_of_site_packages_are_refused() {
    let scene = Scene::new();
    scene.pod.write(&format!("work/wheels/{WHEEL}"), wheel_with("dbxdemo", "0.1.0", &[("addcol.py", "a = 1\n")]));
    let other = wheel_with("other", "0.1.0", &[("addcol.py", "a = 2\n")]);
    scene.pod.write("work/wheels/other-0.1.0-py3-none-any.whl", other);
    assert_eq!(scene.collect(), 0);
    let (reason, message) = failure(&scene);
    assert_eq!((reason, message.contains("both install addcol.py")), (Reason::ArtifactFailed, true), "{message}");
}

#[test]
fn links_out_of_the_work_folder_lead_nowhere() {
    let scene = Scene::new();
    let secret = scene.pod.at("secret");
    scene.pod.write("secret", "<testsuite><testcase name='S3CRET'/></testsuite>");
    fs::remove_file(scene.pod.at("work/log/steps.log")).expect("removed");
    symlink(&secret, scene.pod.at("work/log/steps.log")).expect("linked");
    symlink(&secret, scene.pod.at("work/reports/TEST-9.xml")).expect("linked");
    fs::create_dir_all(scene.pod.at("work/src/logs")).expect("created");
    symlink(&secret, scene.pod.at("work/src/logs/TEST-9.xml")).expect("linked");
    symlink(scene.pod.at(""), scene.pod.at("work/src/up")).expect("linked");
    assert_eq!(scene.collect(), 0);
    let store = scene.store.lock().expect("alive");
    let parts = store.parts.values().chain(store.logs.values());
    assert!(parts.into_iter().all(|part| !String::from_utf8_lossy(part).contains("S3CRET")));
    assert_eq!(store.logs.get("log/steps"), None);
}

#[test]
fn a_ledger_or_wheels_folder_that_is_a_link_is_not_believed() {
    let scene = Scene::new();
    fs::rename(scene.pod.at("work/out"), scene.pod.at("elsewhere")).expect("renamed");
    symlink(scene.pod.at("elsewhere"), scene.pod.at("work/out")).expect("linked");
    assert_eq!(scene.collect(), 0);
    assert_eq!(failure(&scene).0, Reason::BuildFailed);
}

#[test]
fn too_much_is_refused_with_what_to_do() {
    let mut scene = Scene::new();
    scene.pod.plan["limits"] = json!({"artifactFiles": 2});
    assert_eq!(scene.collect(), 0);
    let (reason, message) = failure(&scene);
    assert_eq!((reason, message.contains("build.exclude")), (Reason::ArtifactFailed, true), "{message}");
}
