//! Protection: whether a workspace takes a release, when, and with whose approval. Pure: values in, a verdict out.

mod approvals;
mod session;
mod verdict;
mod window;

pub(crate) use approvals::{Approval, Ask, Standing, demand, standing};
pub(crate) use session::session;
pub(crate) use verdict::{Request, verdict};
pub(crate) use window::{Gate, gate};

use brickline_crds::{Protection, Reason};
use globset::GlobBuilder;
use jiff::Timestamp;

use crate::trouble::Trouble;

/// What the schema can't see: whether the globs and the time zones are any.
pub(super) fn check(protection: &Protection) -> Result<(), Trouble> {
    for branch in &protection.allowed_branches {
        if let Err(error) = GlobBuilder::new(branch).literal_separator(true).build() {
            let message = format!("protection.allowedBranches: {error}");
            return Err(Trouble::lasting(Reason::InvalidSpec, message));
        }
    }
    gate(&protection.windows, Timestamp::UNIX_EPOCH).map(drop)
}

#[cfg(test)]
mod tests;
