//! What a `ReleaseApproval` may say, and that nobody changes it.

use brickline_tests::{Table, object};
use serde_json::{Value, json};

use crate::{change::Change, pipeline::OBJECT};

const DIGEST: &str = "artifactDigest is status.artifact.digest of the release: sha256: and 64 hex characters";
const UID: &str = "uid is metadata.uid of the release: kubectl get dbrel NAME -o jsonpath={.metadata.uid}";
const IMMUTABLE: &str = "an approval can't be changed: delete it and create another one";

/// Examples of its fields.
pub fn table() -> Table {
    let mut table = Table::new(object::approval("example"));
    table.field("spec.releaseRef").is_required();
    table
        .field("spec.releaseRef.name")
        .takes([json!("by-hand")])
        .refuses(OBJECT, ["data/by-hand", "By-hand"].map(Value::from))
        .refuses("should be at least 1 chars long", [json!("")])
        .is_required();
    table
        .field("spec.releaseRef.uid")
        .takes([json!("6a2f41c3-a54c-fce8-32d2-0324e1c32e22")])
        .refuses(UID, ["by-hand", "*", "0B7C"].map(Value::from))
        .refuses("may not be more than 64", [json!("a".repeat(65))])
        .is_required();
    table
        .field("spec.artifactDigest")
        .takes([json!(object::digest().replace('f', "e"))])
        .refuses(DIGEST, [json!(object::digest().replace('f', "F")), json!("a".repeat(71))])
        .refuses("should be at least 71 chars long", [json!(""), json!("sha256:0f")])
        .is_required();
    table
        .field("spec.decision")
        .takes(["Approved", "Rejected"].map(Value::from))
        .refuses("supported values: \"Approved\", \"Rejected\"", [json!("approved"), json!("Maybe")])
        .is_required();
    table
        .field("spec.approver")
        .takes([json!("system:serviceaccount:data:bot")])
        .refuses("should be at least 1 chars long", [json!("")])
        .refuses("may not be more than 320", [json!("a".repeat(321))])
        .is_required();
    table
        .field("spec.comment")
        .takes([json!(""), json!("Seen in staging, été included.")])
        .refuses("may not be more than 1024", [json!("a".repeat(1025))]);
    table
}

/// What may be changed later and what not.
pub fn changes() -> Vec<Change> {
    let change = Change::of(object::approval("ana"));
    let refused = |path, value| change(path, value, Some(IMMUTABLE));
    vec![
        refused("spec.decision", json!("Rejected")),
        refused("spec.approver", json!("bob@example.com")),
        refused("spec.artifactDigest", json!(object::digest().replace("0f", "1f"))),
        refused("spec.releaseRef.uid", json!("0b7c")),
        refused("spec.releaseRef.name", json!("another")),
        refused("spec.comment", json!("on second thoughts")),
        change("spec.decision", json!("Approved"), None),
        change("metadata.labels", json!({"example.com/team": "data"}), None),
    ]
}
