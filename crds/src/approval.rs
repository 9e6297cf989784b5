//! `ReleaseApproval`: one person's decision on one release.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::pattern;

/// One person's decision on one release and the artifact it would deploy. Immutable; to change one's mind, delete it
/// before it counted and create another.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "brickline.dev",
    version = "v1alpha1",
    kind = "ReleaseApproval",
    namespaced,
    shortname = "dbappr",
    category = "brickline",
    derive = "PartialEq",
    doc = "One person's decision on one release and the artifact it would deploy.",
    selectable = ".spec.releaseRef.name",
    printcolumn(name = "Release", type_ = "string", json_path = ".spec.releaseRef.name"),
    printcolumn(name = "Decision", type_ = "string", json_path = ".spec.decision"),
    printcolumn(name = "Approver", type_ = "string", json_path = ".spec.approver"),
    printcolumn(name = "Comment", type_ = "string", json_path = ".spec.comment"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("self.spec == oldSelf.spec").message("an approval can't be changed: delete it and create another one")
)]
#[cfg_attr(test, kube(cel))]
#[serde(rename_all = "camelCase")]
pub struct ReleaseApprovalSpec {
    /// The release it is about.
    pub release_ref: ReleaseRef,
    /// The artifact the approver looked at, as in the release's `status.artifact.digest`. For another one the approval
    /// doesn't count. Example: `sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae`.
    #[schemars(length(min = 71, max = 71))]
    #[x_kube(validation = Rule::new("self.matches('^sha256:[0-9a-f]{64}$')").message("artifactDigest is status.artifact.digest of the release: sha256: and 64 hex characters"))]
    pub artifact_digest: String,
    /// Yes or no. The first no ends the release.
    pub decision: Decision,
    /// Who decides, as Kubernetes knows them (`kubectl auth whoami`). The admission policy takes nothing but the
    /// caller's own name. Example: `ana@example.com`.
    #[schemars(length(min = 1, max = 320))]
    pub approver: String,
    /// Why, for those who read it later. Default: none. Example: `checked with finance`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub comment: String,
}

/// A release, and no other one that may have its name later.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseRef {
    /// The release's name, in the same namespace. Example: `dbxdemo-4f2c91d0a7be`.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new(pattern::OBJECT).message(pattern::OBJECT_MESSAGE))]
    pub name: String,
    /// Its `metadata.uid`. Example: `0b7c2c1e-6a0f-4d53-9d0e-2f1f3c9b8a77`.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = Rule::new("self.matches('^[0-9a-f-]+$')").message("uid is metadata.uid of the release: kubectl get dbrel NAME -o jsonpath={.metadata.uid}"))]
    pub uid: String,
}

/// Yes or no.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::Display, strum::IntoStaticStr,
)]
pub enum Decision {
    /// The release may go on.
    Approved,
    /// The release ends.
    Rejected,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{self, Example, rows};
    use serde_json::{Value, json};

    fn approval() -> Value {
        json!({
            "releaseRef": {"name": "dbxdemo-4f2c91d0a7be", "uid": "0b7c2c1e-6a0f-4d53-9d0e-2f1f3c9b8a77"},
            "artifactDigest": format!("sha256:{}", "0f".repeat(32)),
            "decision": "Approved",
            "approver": "ana@example.com",
        })
    }

    fn made(spec: &Value) -> Value {
        let metadata = json!({"name": "ana", "namespace": "data"});
        json!({"apiVersion": "brickline.dev/v1alpha1", "kind": "ReleaseApproval", "metadata": metadata, "spec": spec})
    }

    #[test]
    fn every_rule_is_shown_both_ways() {
        let with = |field: &str, value: Value| {
            let mut spec = approval();
            *spec.pointer_mut(field).unwrap() = value;
            made(&spec)
        };
        let taken = || made(&approval());
        let refused = rows! {
            with("/artifactDigest", json!("sha256:0F")) => "artifactDigest is status.artifact.digest";
            with("/releaseRef/name", json!("data/a")) => "the name of an object";
            with("/releaseRef/uid", json!("a b")) => "uid is metadata.uid";
        };
        let others = [
            Example::taken(taken()),
            Example::taken(taken()).of(taken()),
            Example::refused((with("/decision", json!("Rejected")), "an approval can't be changed")).of(taken()),
        ];
        examples::check::<ReleaseApproval>(refused.into_iter().map(Example::refused).chain(others), &[]);
    }
}
