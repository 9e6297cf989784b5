//! Last words are what Kubernetes keeps of a container: its outcome, readable even if nothing could be uploaded.

use std::fs;

use brickline_artifact::layout::MAX_TERMINATION_BYTES;
use brickline_artifact::result::Outcome;

use crate::place::Place;

/// Leaves the outcome where Kubernetes reads it. A container without that file still has its exit code.
pub fn leave(place: &Place, outcome: &Outcome) {
    let Ok(words) = serde_json::to_string(outcome) else { return };
    if words.len() <= MAX_TERMINATION_BYTES
        && let Err(error) = fs::write(&place.termination, words)
    {
        eprintln!("brickline-runner: no last words at {}: {error}", place.termination.display());
    }
}
