//! What the tests share: a [`Lab`] with one API server, [`Room`]s in it, [`Table`]s of what its rules take and refuse, and the
//! [`Suite`] that runs them all.

mod answer;
pub mod contract;
mod lab;
pub mod object;
mod place;
mod room;
mod suite;
mod table;

pub use answer::Answer;
pub use lab::Lab;
pub use place::{Place, Rules};
pub use room::{Mode, Room};
pub use suite::Suite;
pub use table::{Field, Row, Table};

use std::path::PathBuf;

/// A file or folder of the checkout, by its path from the top.
#[must_use]
pub fn checkout(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}
