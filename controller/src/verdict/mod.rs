//! A verdict is what Brickline concludes from a finished notebook run: pure reading of what the run left, no I/O.
//!
//! The road through this room: [`export`] reads the cells, [`unittest`], [`pytest`], [`nutter`] and [`exit_json`] read what tests
//! said in them, [`judge()`] decides, [`junit`] writes it down.

pub mod case;
pub mod exit_json;
pub mod export;
pub mod judge;
pub mod junit;
pub mod markup;
pub mod nutter;
mod pattern;
pub mod pytest;
#[cfg(test)]
mod tests;
pub mod unittest;

pub use brickline_crds::Framework;
pub use case::{Findings, Outcome, TestCase};
pub use export::Export;
pub use judge::{Baseline, Cells, Demand, NotebookVerdict, Reason, RunView, Verdict, judge};
