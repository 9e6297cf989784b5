//! That a release never says anything else later, but for suspend and cancel.

use brickline_tests::object;
use serde_json::{Value, json};

use crate::change::Change;

const IMMUTABLE: &str = "a release is immutable but for suspend and cancel: create another one";
const FINISHED: &str = "this release has finished: there is nothing left to suspend, resume or cancel";
const CANCEL: &str = "cancel can't be taken back: create another release";

/// What may be changed later and what not.
pub fn changes() -> Vec<Change> {
    [changed(), removed(), added(), allowed(), finished()].concat()
}

/// A release of what another one built, from Deploy on.
fn again() -> Value {
    let from = json!({"artifactFrom": [{"release": "dbxdemo-4f2c91d0a7be", "digest": object::digest()}]});
    let release = object::with(object::release("again"), "spec.source", from);
    object::with(
        object::with(release, "spec.workspaceRef", json!({"name": "staging"})),
        "spec.startAt",
        json!("Deploy"),
    )
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
        "operate": {"prune": false},
        "reporting": {"commitStatus": false},
        "timeouts": {"build": "2h"},
        "retries": {"limit": 1},
        "waiting": {"slot": "1h"},
        "onFailure": "Rollback",
        "cause": {"release": "dbxdemo-4f2c91d0a7be"},
        "tags": ["nightly"],
        "parameters": {"env": "staging"},
        "approvals": {"required": 1},
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
        refused("spec.operate.prune", json!(true), "operate is immutable: create another release"),
        refused("spec.reporting.commitStatus", json!(true), "reporting is immutable"),
        refused("spec.timeouts.build", json!("1h"), "timeouts are immutable: create another release"),
        refused("spec.retries.limit", json!(2), "retries are immutable: create another release"),
        refused("spec.waiting.slot", json!("2h"), "waiting is immutable: create another release"),
        refused("spec.onFailure", json!("None"), "onFailure is immutable: create another release"),
        refused("spec.cause.release", json!("another"), "cause is immutable"),
        refused("spec.cause.message", json!("Test failed"), "cause is immutable"),
        refused("spec.tags", json!(["daily"]), "tags are immutable"),
        refused("spec.parameters.env", json!("production"), "parameters are immutable: create another release"),
        refused("spec.parameters.more", json!("a"), "parameters are immutable: create another release"),
        refused("spec.approvals.required", json!(0), "approvals are immutable: create another release"),
        Change::of(again())("spec.startAt", json!("Test"), Some("startAt is immutable: create another release")),
        Change::of(again())(
            "spec.source.artifactFrom",
            json!([{"release": "dbxdemo-4f2c91d0a7be", "digest": object::digest().replace("0f", "1f")}]),
            Some("source is immutable: create another release"),
        ),
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
        gone("spec.cause", IMMUTABLE),
        gone("spec.tags", IMMUTABLE),
        gone("spec.parameters", IMMUTABLE),
        gone("spec.parameters.env", "parameters are immutable: create another release"),
        gone("spec.approvals", IMMUTABLE),
        gone("spec.waiting", "waiting is immutable: create another release"),
        gone("spec.onFailure", "onFailure is immutable: create another release"),
        Change::of(again())("spec.startAt", Value::Null, Some(IMMUTABLE)),
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
        change("spec.cause", json!({"release": "another"}), Some(IMMUTABLE)),
        change("spec.tags", json!(["nightly"]), Some(IMMUTABLE)),
        change("spec.parameters", json!({"env": "staging"}), Some(IMMUTABLE)),
        change("spec.approvals", json!({}), Some(IMMUTABLE)),
        change("spec.build.image", json!("x"), Some("build is immutable: create another release")),
    ]
}

/// What has finished is not looked at again: a change would leave it behind its own spec for ever.
fn finished() -> Vec<Change> {
    let at = |state: &str| Change::with_status(object::release("over"), json!({"state": state}));
    let (over, running) = (at("Finished"), at("Running"));
    vec![
        over("spec.suspend", json!(true), Some(FINISHED)),
        over("spec.cancel", json!(true), Some(FINISHED)),
        over("spec.stage", json!("staging"), Some(IMMUTABLE)),
        over("metadata.labels", json!({"team": "data"}), None),
        running("spec.suspend", json!(true), None),
        running("spec.cancel", json!(true), None),
    ]
}

fn allowed() -> Vec<Change> {
    let (full, canceled) = (Change::of(full()), Change::of(object::with(full(), "spec.cancel", json!(true))));
    let suspended = Change::of(object::with(self::full(), "spec.suspend", json!(true)));
    vec![
        full("spec.suspend", json!(true), None),
        Change::of(again())("spec.suspend", json!(true), None),
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
