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

/// Its pod has the workspace's credentials and deploys until it is gone.
#[test]
fn an_asset_bundle_that_did_not_stop_is_remembered_by_its_job() {
    let mut release = DatabricksRelease::new("one", serde_json::from_value(json!({"source": {}})).unwrap());
    let ticket = json!({"bundle": {"job": "one-bundle-1", "created": true}});
    let phase = json!({"name": "Deploy", "reason": "CancelTimedOut", "ticket": ticket});
    release.status = Some(serde_json::from_value(json!({"phases": [phase]})).unwrap());
    assert_eq!(work(&release).job.as_deref(), Some("one-bundle-1"));
}
