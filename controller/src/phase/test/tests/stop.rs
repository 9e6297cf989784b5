//! What is known of a run whose submission was never answered.

use brickline_crds::Reason;
use rstest::rstest;

use super::super::act::{NoRun, refused};
use super::super::stop::found;
use crate::databricks::Error;
use crate::trouble::Trouble;

fn answer(status: u16, code: &str, message: &str) -> NoRun {
    let (operation, code, message) = ("jobs/runs/submit", Some(code.to_owned()), message.to_owned());
    refused("notebooks/one.py", Error::Api { operation, status, code, message, retry_after: None })
}

fn before(reason: Reason) -> NoRun {
    Trouble::lasting(reason, "there is no cluster called main").into()
}

#[rstest]
#[case::invalid(answer(400, "INVALID_PARAMETER_VALUE", "the token's run was deleted"))]
#[case::no_cluster(answer(400, "INVALID_PARAMETER_VALUE", "Cluster 1 does not exist"))]
fn what_databricks_refuses_never_was(#[case] none: NoRun) {
    assert_eq!(found(Err(none)), Ok(None));
}

/// The lock stays, and the release ends `CancelTimedOut`.
#[rstest]
#[case::no_right_any_more(answer(403, "PERMISSION_DENIED", "no"))]
#[case::credentials(answer(401, "UNAUTHENTICATED", "no"))]
#[case::conflict(answer(409, "ABORTED", "no"))]
#[case::busy(answer(400, "INVALID_PARAMETER_VALUE", "Please try again later or try a faster operation."))]
#[case::away(answer(503, "TEMPORARILY_UNAVAILABLE", "no"))]
#[case::cluster_renamed(before(Reason::InvalidSpec))]
#[case::manifest_unreadable(before(Reason::ArtifactFailed))]
fn a_fault_on_the_way_does_not_prove_that_there_is_no_run(#[case] none: NoRun) {
    let trouble = found(Err(none)).expect_err("unknown");
    assert!(trouble.message.starts_with("a run may have been submitted, and its id can't be had: "), "{trouble:?}");
}
