//! What a workspace's protection promises.

mod approvals;
mod verdict;
mod window;

use brickline_crds::{DatabricksWorkspace, Protection};
use rstest::rstest;
use serde_json::{Value, json};

use super::check;

/// A protection of which only this is said.
fn protection(said: Value) -> Protection {
    serde_json::from_value(said).unwrap()
}

/// The workspace `data/staging` with that protection and the clusters `main` and `etl`.
fn workspace(protection: &Value) -> DatabricksWorkspace {
    serde_json::from_value(json!({
        "apiVersion": "brickline.dev/v1alpha1",
        "kind": "DatabricksWorkspace",
        "metadata": {"name": "staging", "namespace": "data"},
        "spec": {
            "host": "https://adb-1.2.azuredatabricks.net",
            "auth": {},
            "clusters": {"main": {"id": "a"}, "etl": {"id": "b"}},
            "protection": protection,
        },
    }))
    .unwrap()
}

#[rstest]
#[case(json!({}), None)]
#[case(json!({"allowedBranches": ["release/{1,2}"]}), None)]
#[case(json!({"allowedBranches": ["release-["]}), Some("protection.allowedBranches: "))]
#[case(json!({"windows": [{"from": "08:00", "to": "16:00", "timeZone": "Europe/Lisbon"}]}), None)]
#[case(
    json!({"windows": [{"from": "08:00", "to": "16:00"}, {"from": "08:00", "to": "16:00", "timeZone": "Europe/Atlantis"}]}),
    Some("protection.windows[1].timeZone: the IANA database knows no time zone \"Europe/Atlantis\"")
)]
#[case(json!({"windows": [{"from": "8 o'clock", "to": "16:00"}]}), Some("protection.windows[0]: "))]
fn what_the_schema_cannot_see_is_said_by_field(#[case] said: Value, #[case] words: Option<&str>) {
    let said = check(&protection(said)).err().map(|trouble| trouble.message);
    match (said, words) {
        (Some(said), Some(words)) => assert!(said.starts_with(words), "{said}"),
        (said, words) => assert_eq!(said.as_deref(), words),
    }
}
