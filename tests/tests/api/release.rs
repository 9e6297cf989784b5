//! What a `DatabricksRelease` may say, and that it never says anything else later.

use brickline_tests::{Table, object};
use serde_json::{Value, json};

use crate::{change::Change, pipeline, plan};

const COMMIT: &str = "commit is the full commit id in lower case: 40 hex characters (git rev-parse HEAD)";
const REF: &str = "ref is a full ref such as refs/heads/release or refs/tags/v1";
const SOURCE: &str = "source needs git: the repository, ref and commit to release";
const NAME: &str = "metadata.name may have at most 63 characters: it is a label of the build's Job";
const IMMUTABLE: &str = "a release is immutable but for suspend and cancel: create another one";
const CANCEL: &str = "cancel can't be taken back: create another release";

/// Examples of its fields.
pub fn table() -> Table {
    let mut base = object::release("example");
    for (part, value) in plan::base().as_object().into_iter().flatten() {
        base = object::with(base, &format!("spec.{part}"), value.clone());
    }
    let mut table = Table::new(base);
    table.field("metadata.name").takes([json!("a".repeat(63)), json!("a.b")]).refuses(NAME, [json!("a".repeat(64))]);
    source(&mut table);
    request(&mut table);
    plan::examples(&mut table, "spec");
    table
}

fn source(table: &mut Table) {
    pipeline::clone_urls(table, "spec.source.git.url");
    table.field("spec.source").refuses(SOURCE, [json!({})]).is_required();
    let refs = ["refs/heads/release", "refs/heads/release/1.2", "refs/tags/v1", "refs/heads/été", "refs/heads/a@b"];
    let bad = [
        "release",
        "heads/release",
        "refs/heads/",
        "refs/pull/1/merge",
        "refs/heads/a..b",
        "refs/heads/a b",
        "refs/heads/a~1",
        "refs/heads/a^",
        "refs/heads/a:b",
        "refs/heads/*",
        "refs/heads/a?",
        "refs/heads/a[b",
        "refs/heads/a\\b",
        "--upload-pack=x",
    ];
    table.field("spec.source.git.ref").takes(refs.map(Value::from)).refuses(REF, bad.map(Value::from)).is_required();
    let hex = "0123456789abcdef".repeat(4);
    let upper = hex[..40].to_uppercase();
    table
        .field("spec.source.git.commit")
        .takes([&hex[..40], &hex].map(Value::from))
        .refuses(COMMIT, [&upper, &hex[..41], &hex[..63], &format!("{}g", &hex[..39])].map(|text| json!(text)))
        .refuses("should be at least 40 chars long", ["9b1c0de", "", "HEAD"].map(Value::from))
        .refuses("may not be more than 64", [json!(format!("{hex}0"))])
        .is_required();
}

fn request(table: &mut Table) {
    table
        .field("spec.stage")
        .takes([json!("staging")])
        .refuses("should be at least 1 chars long", [json!("")])
        .refuses("may not be more than 40", [json!("a".repeat(41))]);
    table
        .field("spec.reason")
        .takes(["push", "manual"].map(Value::from))
        .refuses("supported values: \"push\", \"manual\"", [json!("Push")]);
    table
        .field("spec.requestedFor")
        .takes([json!("ana@example.com")])
        .refuses("may not be more than 320", [json!("a".repeat(321))]);
    table.field("spec.workspaceRef").takes([json!({"name": "staging"})]).refuses("Required value", [json!({})]);
    table.field("spec.workspaceRef.name").refuses("should be at least 1 chars long", [json!("")]);
}

/// What may be changed later and what not.
pub fn changes() -> Vec<Change> {
    [changed(), removed(), added(), allowed()].concat()
}

/// A release that says something in every field.
fn full() -> Value {
    let mut release = object::release("full");
    let fields = json!({
        "stage": "staging",
        "reason": "push",
        "requestedBy": "system:serviceaccount:brickline:brickline",
        "requestedFor": "ana@example.com",
        "workspaceRef": {"name": "staging"},
        "build": {"pythonVersion": "3.11", "image": "registry.example.com/build:1"},
        "deploy": {"items": [{"from": "notebooks/**", "to": "/Shared/dbxdemo"}]},
        "install": {"clusters": ["main"], "restart": "Always"},
        "test": {"maxParallel": 2},
        "reporting": {"commitStatus": false},
        "timeouts": {"build": "2h"},
        "retries": {"limit": 1},
    });
    for (field, value) in fields.as_object().into_iter().flatten() {
        release["spec"][field] = value.clone();
    }
    release
}

fn changed() -> Vec<Change> {
    let change = Change::of(full());
    let refused = |path, value, words| change(path, value, Some(words));
    vec![
        refused("spec.source.git.commit", json!("a".repeat(40)), "source is immutable: create another release"),
        refused("spec.source.git.ref", json!("refs/heads/main"), "source is immutable: create another release"),
        refused(
            "spec.source.git.credentialsRef",
            json!({"name": "git"}),
            "source is immutable: create another release",
        ),
        refused("spec.stage", json!("production"), "stage is immutable: create another release"),
        refused("spec.reason", json!("manual"), "reason is immutable"),
        refused("spec.requestedBy", json!("ana"), "requestedBy is immutable"),
        refused("spec.requestedFor", json!("bob@example.com"), "requestedFor is immutable"),
        refused("spec.workspaceRef.name", json!("production"), "workspaceRef is immutable: create another release"),
        refused("spec.build.pythonVersion", json!("3.12"), "build is immutable: create another release"),
        refused("spec.deploy.items", json!([]), "deploy is immutable: create another release"),
        refused("spec.deploy.libraries.to", json!("/Volumes/a/b"), "deploy is immutable: create another release"),
        refused("spec.install.restart", json!("IfNeeded"), "install is immutable: create another release"),
        refused("spec.test.maxParallel", json!(3), "test is immutable: create another release"),
        refused("spec.reporting.commitStatus", json!(true), "reporting is immutable"),
        refused("spec.timeouts.build", json!("1h"), "timeouts are immutable: create another release"),
        refused("spec.retries.limit", json!(2), "retries are immutable: create another release"),
    ]
}

/// A field that is taken away is either refused as such, or gets its default and that is another value.
fn removed() -> Vec<Change> {
    let change = Change::of(full());
    let gone = |path, words| change(path, Value::Null, Some(words));
    vec![
        gone("spec.stage", IMMUTABLE),
        gone("spec.requestedBy", IMMUTABLE),
        gone("spec.requestedFor", IMMUTABLE),
        gone("spec.workspaceRef", IMMUTABLE),
        gone("spec.build.image", "build is immutable: create another release"),
        gone("spec.build", "build is immutable: create another release"),
        gone("spec.test", "test is immutable: create another release"),
        gone("spec.reason", "reason is immutable"),
    ]
}

fn added() -> Vec<Change> {
    let change = Change::of(object::release("bare"));
    vec![
        change("spec.stage", json!("staging"), Some(IMMUTABLE)),
        change("spec.requestedBy", json!("ana"), Some(IMMUTABLE)),
        change("spec.requestedFor", json!("ana"), Some(IMMUTABLE)),
        change("spec.workspaceRef", json!({"name": "staging"}), Some(IMMUTABLE)),
        change("spec.build.image", json!("x"), Some("build is immutable: create another release")),
    ]
}

fn allowed() -> Vec<Change> {
    let (full, canceled) = (Change::of(full()), Change::of(object::with(full(), "spec.cancel", json!(true))));
    let suspended = Change::of(object::with(self::full(), "spec.suspend", json!(true)));
    vec![
        full("spec.suspend", json!(true), None),
        suspended("spec.suspend", json!(false), None),
        full("spec.cancel", json!(true), None),
        canceled("spec.cancel", json!(true), None),
        canceled("spec.cancel", json!(false), Some(CANCEL)),
        canceled("spec.cancel", Value::Null, Some(CANCEL)),
        canceled("spec.suspend", json!(true), None),
        full("metadata.labels", json!({"brickline.dev/result": "failed"}), None),
        full("spec.timeouts.build", json!("2h"), None),
    ]
}
