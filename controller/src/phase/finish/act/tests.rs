//! What a lock remembers of a release that could not stop its work.

use serde_json::{Value, json};

use super::*;

fn left(phase: &Value) -> Vec<String> {
    let mut release = DatabricksRelease::new("one", serde_json::from_value(json!({"source": {}})).unwrap());
    release.status = Some(serde_json::from_value(json!({"phases": [phase]})).unwrap());
    work(&release).runs.into_iter().collect()
}

/// Until the grace was over nobody could say whether the second one was submitted: it may write into the cluster still.
#[test]
fn a_run_whose_submission_was_never_answered_is_remembered_as_unknown() {
    let ticket = json!({"inFlight": [{"index": 0, "runId": 12}, {"index": 1}]});
    let abandoned = json!({"name": "Test", "reason": "CancelTimedOut", "ticket": ticket});
    assert_eq!(left(&abandoned), ["12", UNKNOWN]);
    assert_eq!(left(&json!({"name": "Test", "reason": "Canceled", "ticket": ticket})), [] as [&str; 0]);
}
