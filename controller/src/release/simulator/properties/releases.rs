//! Any release: any spec in any state, as its metadata may be by then.

use std::collections::BTreeMap;

use brickline_crds::labels::{self, FINALIZER};
use brickline_crds::{DatabricksRelease, DatabricksReleaseSpec, DatabricksReleaseStatus, annotations};
use jiff::{Timestamp, ToSpan};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use proptest::prelude::*;
use proptest::sample::select;

use super::super::super::size::fit;
use super::super::super::status::derive;
use super::super::scenarios::release;
use super::NOON;
use super::specs::any_spec;
use super::statuses::{any_status, any_status_at_all};

/// A release in any state that the road may leave it in: its status is one that was written.
pub(super) fn any_release() -> impl Strategy<Value = DatabricksRelease> {
    let status = proptest::option::weighted(0.95, (any_status(), -400_000..400_000_i64));
    (any_spec(), any_metadata(), status).prop_map(|(spec, metadata, status)| {
        let mut release = dressed(spec, metadata);
        release.status = status.map(|(mut status, since)| {
            fit(&mut status, |status| derive(&release, status, time(since).0));
            status
        });
        release
    })
}

/// A release whose status nobody here has ever written.
pub(super) fn any_release_at_all() -> impl Strategy<Value = DatabricksRelease> {
    (any_spec(), any_metadata(), any_status_at_all()).prop_map(|(spec, metadata, status)| {
        let mut release = dressed(spec, metadata);
        release.status = Some(status);
        release
    })
}

fn dressed(spec: DatabricksReleaseSpec, metadata: ObjectMeta) -> DatabricksRelease {
    DatabricksRelease { spec, metadata, status: None::<DatabricksReleaseStatus> }
}

/// Ours or not, deleted or not, and with or without a wish to be looked at.
fn any_metadata() -> impl Strategy<Value = ObjectMeta> {
    let finalizers =
        select(vec![vec![FINALIZER], vec![], vec!["example.com/other"], vec![FINALIZER, "example.com/other"]]);
    let deleted = proptest::option::weighted(0.1, -500_000..500_000_i64);
    let token = proptest::option::weighted(0.1, select(vec!["1", "2", ""]));
    (finalizers, deleted, token, any::<bool>(), 1..3_i64).prop_map(
        |(finalizers, deleted, token, is_labeled, generation)| {
            let annotations = token.map(|token| [(annotations::REQUESTED_AT.to_owned(), token.to_owned())].into());
            let labels: BTreeMap<String, String> =
                is_labeled.then(|| (labels::RESULT.to_owned(), "failed".to_owned())).into_iter().collect();
            ObjectMeta {
                generation: Some(generation),
                uid: Some("uid".to_owned()),
                finalizers: Some(finalizers.into_iter().map(str::to_owned).collect()),
                deletion_timestamp: deleted.map(time),
                labels: Some(labels),
                annotations,
                ..release().metadata
            }
        },
    )
}

pub(super) fn time(at: i64) -> Time {
    Time(NOON.parse::<Timestamp>().unwrap() + at.seconds())
}

pub(super) fn any_time() -> impl Strategy<Value = Option<Time>> {
    proptest::option::of((-500_000..500_000_i64).prop_map(time))
}

/// Few different ones, so that the same comes again; and seldom one with more than there is room for.
pub(super) fn words() -> impl Strategy<Value = String> + Clone {
    prop_oneof![
        60 => select(vec!["", "no", "pod evicted", "held by data/other"]).prop_map(str::to_owned),
        1 => Just("é\u{1F600}".repeat(1_500)),
    ]
}
