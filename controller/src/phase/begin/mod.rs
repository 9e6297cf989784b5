//! Begin: before the first phase the release is made ours (finalizer, labels), numbered, and what its spec refers to is
//! looked up once.

mod act;
mod decide;
mod labels;
mod origin;

use std::collections::BTreeMap;

use brickline_crds::{Artifact, GitSource, Reason};

pub(crate) use act::act;
pub(crate) use decide::{decide, planned};
pub(crate) use labels::labels_of;

/// What can be done. Both are harmless when repeated: the same labels are set, and a number that was given out without
/// being written down is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Put the finalizer and the labels on the release.
    Adopt,
    /// Take a run number, and find what the spec's `$(...)` and `artifactFrom` stand for.
    Resolve,
}

/// What Resolve found.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Resolved {
    /// The run's number; empty without a pipeline.
    pub(crate) run: String,
    /// The values of what the spec uses.
    pub(crate) variables: BTreeMap<String, String>,
    /// What the artifact was built from, if others built it.
    pub(crate) origin: Option<GitSource>,
    /// The artifact, if others built it.
    pub(crate) artifact: Option<Artifact>,
    /// Why the release can't be carried out; none if it can.
    pub(crate) refusal: Option<(Reason, String)>,
}
