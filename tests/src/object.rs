//! An object: the smallest valid one of each kind, and how a test changes a field of it.

use serde_json::{Map, Value, json};

/// The smallest workspace.
#[must_use]
pub fn workspace(name: &str) -> Value {
    object(
        "DatabricksWorkspace",
        name,
        &json!({
            "host": "https://adb-1.2.azuredatabricks.net",
            "auth": {"token": {"secretRef": {"name": "dbx", "key": "token"}}},
        }),
    )
}

/// The smallest pipeline.
#[must_use]
pub fn pipeline(name: &str) -> Value {
    object("ReleasePipeline", name, &json!({"repository": {"url": "https://git.example.com/data/dbxdemo.git"}}))
}

/// The smallest release.
#[must_use]
pub fn release(name: &str) -> Value {
    let git = json!({
        "url": "https://git.example.com/data/dbxdemo.git",
        "ref": "refs/heads/release",
        "commit": "9b1c0de4a1f25c3e7d6b8a9f0c1d2e3f4a5b6c7d",
    });
    object("DatabricksRelease", name, &json!({"source": {"git": git}}))
}

/// The smallest approval, of a release that need not be there.
#[must_use]
pub fn approval(name: &str) -> Value {
    let release = json!({"name": "dbxdemo-4f2c91d0a7be", "uid": "0b7c2c1e-6a0f-4d53-9d0e-2f1f3c9b8a77"});
    let spec = json!({
        "releaseRef": release,
        "artifactDigest": digest(),
        "decision": "Approved",
        "approver": "ana@example.com",
    });
    object("ReleaseApproval", name, &spec)
}

/// An artifact's digest.
#[must_use]
pub fn digest() -> String {
    format!("sha256:{}", "0f".repeat(32))
}

fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "brickline.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// The object with another value at `path`, such as `spec.deploy.items.0.to`. Missing objects on the way are made.
#[must_use]
pub fn with(mut object: Value, path: &str, value: Value) -> Value {
    *slot(&mut object, path) = value;
    object
}

/// The object without what is at `path`.
#[must_use]
pub fn without(mut object: Value, path: &str) -> Value {
    let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
    if let Some(fields) = slot(&mut object, parent).as_object_mut() {
        fields.remove(name);
    }
    object
}

fn slot<'a>(object: &'a mut Value, path: &str) -> &'a mut Value {
    path.split('.').filter(|word| !word.is_empty()).fold(object, |place, word| match (place, word.parse::<usize>()) {
        (Value::Array(items), Ok(index)) => &mut items[index],
        (place, _) => {
            if !place.is_object() {
                *place = Value::Object(Map::new());
            }
            &mut place[word]
        }
    })
}
